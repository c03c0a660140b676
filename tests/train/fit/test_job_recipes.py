"""The recipes of the jobs: data, network and loss fit together."""

import pytest

from models.architectures import build
from train.fit.data import split
from train.fit.loop import require_fit
from train.recipes import JOBS, LIVE_JOBS

# One of each task: the others differ in their network alone.  Those whose data the program draws
# itself go all the way in tests/tasks/test_small_recipes.py.
FIRST = {each.config.task: name for name, each in reversed(JOBS.items()) if name not in LIVE_JOBS}


@pytest.mark.parametrize("name", FIRST.values())
@pytest.mark.usefixtures("data_dir")
def test_a_recipe_of_a_job_can_begin(name):
    config = JOBS[name].config
    batches, _ = split(config)
    require_fit(build(config.architecture, **config.settings), batches)
