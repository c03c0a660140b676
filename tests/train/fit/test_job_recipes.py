"""The recipes of the jobs: data, network and loss fit together."""

from pathlib import Path

import pytest

from models.architectures import build
from train.fit.data import split
from train.fit.loop import require_fit
from train.recipes import JOBS, LIVE_JOBS

# One of each task: the others differ in their network alone.  Those whose data the program draws
# itself go all the way in tests/tasks/test_small_recipes.py.
FIRST = {each.config.task: name for name, each in reversed(JOBS.items()) if name not in LIVE_JOBS}


@pytest.fixture(scope="module")
def few_photos(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All data sets, of the photos every twentieth: half of the recipes open a thousand."""
    folder = tmp_path_factory.mktemp("data")
    for path in data_dir.iterdir():
        if path.name != "photos":
            (folder / path.name).symlink_to(path)
    for name in ("train", "sharp"):
        few = folder / "photos" / name
        few.mkdir(parents=True)
        for path in sorted((data_dir / "photos" / name).glob("*"))[::20]:
            (few / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISE_DATA_DIR", str(folder))
        yield


@pytest.mark.parametrize("name", FIRST.values())
@pytest.mark.usefixtures("few_photos")
def test_a_recipe_of_a_job_can_begin(name):
    config = JOBS[name].config
    batches, _ = split(config)
    require_fit(build(config.architecture, **config.settings), batches)
