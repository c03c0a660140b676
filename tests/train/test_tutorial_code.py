import ast
import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from imaging.noise import NOISE_KINDS
from models.architectures import build
from train.__main__ import main
from train.config import ARCHITECTURE_SETTINGS, OPTIMIZERS, Noise, TrainConfig
from train.fit.data import split
from train.fit.loop import make_optimizer
from train.fit.losses import LOSSES
from train.recipes import JOBS, LIVE_JOBS, RECIPES, TRAPS
from train.run_folder import Run
from train.tutorial_code import NOISE_CODE, fits_into_a_file, make_cells, to_notebook, to_script

pytestmark = pytest.mark.usefixtures("strokes")

ALL = RECIPES | TRAPS
IN_ONE_FILE = [name for name, recipe in ALL.items() if not recipe.config.task.endswith("photos")]
ALLOWED = {"keras", "numpy", "matplotlib"}


def script_of(name: str) -> str:
    return to_script(ALL[name].config, ALL[name].title, ALL[name].purpose)


def shortened(code: str) -> str:
    """The code with one epoch."""
    return re.sub(r"(SEED, EPOCHS, BATCH = \d+), \d+", r"\1, 1", code)


@pytest.fixture
def made_up_data(strokes, monkeypatch, tmp_path):
    """Have Keras load the made-up strokes, and files be written to a folder of the test."""

    def load(name):
        with np.load(strokes / name) as arrays:
            return (
                (arrays["x_train"], arrays["y_train"]),
                (arrays["x_test"], arrays["y_test"]),
            )

    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: load("mnist.npz"))
    clothes = keras.datasets.fashion_mnist
    monkeypatch.setattr(clothes, "load_data", lambda: load("fashion_mnist.npz"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)


def executed(config: TrainConfig, last: str, title: str = "A training") -> dict:
    """What the cells up to the one with this heading have defined."""
    scope = {}
    for cell in make_cells(config, title):
        exec(compile(shortened(cell.code), cell.heading, "exec"), scope)
        if cell.heading == last:
            break
    return scope


@pytest.mark.parametrize("name", IN_ONE_FILE)
def test_a_recipe_is_one_short_file_without_an_import_of_ours(name):
    tree = ast.parse(script_of(name))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= ALLOWED
    # The U-Net for all kinds of noise spells out each of the seven; docs/recipes.md says so.
    assert 60 <= script_of(name).count("\n") <= (175 if name == "unet" else 120)


def test_the_files_are_formatted_and_have_no_unused_name(tmp_path):
    for name in IN_ONE_FILE:
        (tmp_path / f"{name}.py").write_text(script_of(name), encoding="utf-8")
    for command in (["format", "--check"], ["check", "--select", "E,F,I"]):
        checked = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length=100", tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "changes",
    [
        *(ALL[name].config for name in IN_ONE_FILE if "-tutorial" not in name),
        *map(TrainConfig, ARCHITECTURE_SETTINGS),
        TrainConfig("unet", {"filters": [4, 8, 8], "skips": False}),
        TrainConfig("convolutional", {"filters": [4, 4, 4, 4], "code": 3}),
    ],
    ids=lambda config: f"{config.architecture}-{config.settings}",
)
def test_the_network_is_ours_weight_for_weight(changes, made_up_data):
    config = changes
    found = executed(config, "Network")["model"]
    keras.utils.set_random_seed(config.seed)
    ours = build(config.architecture, **config.settings)
    assert found.count_params() == ours.count_params()
    for theirs, own in zip(found.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(theirs, own)


@pytest.mark.parametrize("name", IN_ONE_FILE)
def test_every_file_compiles_our_network_with_our_optimizer(name, made_up_data, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", lambda *given, **settings: None)
    config = ALL[name].config
    theirs = executed(config, "Training")["model"]
    ours = build(config.architecture, **config.settings)
    assert [each.shape for each in theirs.weights] == [each.shape for each in ours.weights]
    steps = -(-600 // config.batch)  # of one epoch with 600 pictures
    found, wanted = theirs.optimizer.get_config(), make_optimizer(config, steps).get_config()
    assert found | {"name": ""} == wanted | {"name": ""}


RUN = [
    "dense-tutorial",
    "conv-code-10",
    "conv-32-32-adadelta",
    "digit-reader",
    "trap-clean-to-clean",
]


@pytest.mark.parametrize("name", RUN)
def test_the_file_trains_for_an_epoch_and_saves_its_network(name, made_up_data, tmp_path, capfd):
    scope = {}
    exec(compile(shortened(script_of(name)), name, "exec"), scope)
    assert np.isfinite(scope["history"].history["val_loss"]).all()
    assert (tmp_path / "model.keras").exists()
    assert re.search(r"PSNR: noisy|are read correctly", capfd.readouterr().out)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mse", "mae", "psnr", "ssim"])
def test_the_first_batch_has_the_loss_that_our_own_loop_sees(loss, made_up_data):
    config = TrainConfig("dense", {"hidden": 8}, loss=loss, batch=64)
    scope = executed(config, "Training")
    untrained = executed(config, "Network")["model"]
    ours = build(config.architecture, **config.settings)
    ours.set_weights(untrained.get_weights())
    ours.compile(optimizer=make_optimizer(config, 10), loss=LOSSES.get(loss, loss))
    noisy, clean = split(config)[0][0]
    scope["model"].set_weights(untrained.get_weights())
    # The same sums in float32, in another order.
    assert scope["model"].test_on_batch(noisy, clean) == pytest.approx(
        ours.test_on_batch(noisy, clean), rel=1e-4
    )


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_optimizer_is_ours(optimizer, schedule, made_up_data):
    rate = {"learning_rate": 1.0, "schedule": schedule, "epochs": 1, "batch": 100}
    config = TrainConfig("dense", {"hidden": 2}, optimizer=optimizer, **rate, clip=2.0, average=0.9)
    found = executed(config, "Training")["model"].optimizer.get_config()
    ours = make_optimizer(config, 6).get_config()  # 600 pictures are 6 batches
    assert found | {"name": ""} == ours | {"name": ""}


def test_every_epoch_has_each_picture_once_in_a_new_order_with_new_noise(made_up_data):
    noise = (Noise("gaussian", 0.01, 0.01),)
    config = TrainConfig("dense", {"hidden": 2}, noise=noise, batch=64)
    scope = executed(config, "Training")
    endless, noisy = scope["batches"](), []
    clean = []
    for _ in range(2):
        epoch = [next(endless) for _ in range(scope["steps_per_epoch"])]
        assert [len(pictures) for pictures, _ in epoch] == [64] * 9 + [24]  # 600 pictures
        clean.append(np.concatenate([clean for _, clean in epoch]))
        order = np.lexsort(clean[-1].reshape(600, -1).T)
        noisy.append(np.concatenate([noisy for noisy, _ in epoch])[order])
        train = scope["train"].reshape(600, -1)
        np.testing.assert_array_equal(clean[-1].reshape(600, -1)[order], train[np.lexsort(train.T)])
    assert not np.array_equal(*clean)
    # The difference of two noises, half of it clipped away on black.
    assert np.std(noisy[0] - noisy[1]) > 0.005


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_each_noise_has_the_mean_and_spread_of_ours(kind, rng):
    assert set(NOISE_CODE) == set(NOISE_KINDS)
    noise = NOISE_KINDS[kind]
    config = TrainConfig("dense", noise=(Noise(kind, noise.default, noise.default),))
    (cell,) = [cell for cell in make_cells(config, "noise") if cell.heading == "Noise"]
    scope = {"np": np, "rng": rng}
    exec(cell.code, scope)
    clean = np.full((400, 28, 28, 1), 0.6, np.float32)
    clean[:, ::2] = 0.2
    found = scope["add_noise"](clean)
    strength = np.full((400, 1, 1, 1), noise.default)
    ours = np.clip(noise.corrupt(clean, strength, np.random.default_rng(1)), 0, 1)
    assert found.dtype == np.float32
    # 156,800 values of each grey; standard errors are below 0.0013. Allow eight.
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        assert found[:, rows].mean() == pytest.approx(ours[:, rows].mean(), abs=0.01)
        assert found[:, rows].std() == pytest.approx(ours[:, rows].std(), abs=0.01)


def test_several_kinds_of_noise_are_shared_out_as_the_settings_say(rng):
    kinds = (Noise("masking", 0.9, 0.9, 3), Noise("block", 0.4, 0.4, 1))
    (cell,) = [
        cell
        for cell in make_cells(TrainConfig("dense", noise=kinds), "noise")
        if cell.heading == "Noise"
    ]
    scope = {"np": np, "rng": rng}
    exec(cell.code, scope)
    noisy = scope["add_noise"](np.ones((2000, 28, 28, 1), np.float32))
    black = (noisy == 0).mean(axis=(1, 2, 3)) > 0.5
    # Standard error of a share: sqrt(0.75 * 0.25 / 2000) = 0.0097; allow four.
    assert black.mean() == pytest.approx(0.75, abs=0.04)


def test_a_notebook_runs_from_its_first_cell_to_its_last(made_up_data, capfd):
    recipe = ALL["dense-tutorial"]
    book = json.loads(to_notebook(recipe.config, recipe.title, recipe.purpose))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    scope = {}
    for cell in book["cells"]:
        assert set(cell) >= {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            exec(shortened("".join(cell["source"])), scope)
    assert "PSNR" in capfd.readouterr().out


@pytest.mark.parametrize("name", ['"""\nimport os\n"""', "\\", "# `x`", ""])
def test_the_name_of_a_run_cannot_become_code(name):
    config = ALL["dense-tutorial"].config
    tree = ast.parse(to_script(config, name))
    assert len(ast.dump(tree)) == pytest.approx(
        len(ast.dump(ast.parse(to_script(config, "A")))), 0.01
    )
    assert not any(
        alias.name == "os" for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
    )
    json.loads(to_notebook(config, name))


def test_what_a_file_cannot_have_is_said():
    started = TrainConfig("convolutional", start="conv-32-32")
    assert "weights of the network conv-32-32" in to_script(started, "Mine")
    assert "MNIST stands in" in to_script(TrainConfig("dense", data="drawn"), "Mine")
    with pytest.raises(ValueError, match="does not fit into one file"):
        to_script(RECIPES["photo"].config, "Photo")


@pytest.mark.parametrize("name", ALL | JOBS | LIVE_JOBS)
def test_a_recipe_is_one_file_or_it_is_said_that_it_is_not(name):
    each = (ALL | JOBS | LIVE_JOBS)[name]
    assert fits_into_a_file(each.config) == (name in IN_ONE_FILE)
    if name not in IN_ONE_FILE:
        with pytest.raises(ValueError, match=f"{each.title} does not fit into one file"):
            to_script(each.config, each.title)


def test_a_noise_without_code_is_refused(monkeypatch):
    monkeypatch.delitem(NOISE_CODE, "uniform")
    config = TrainConfig("dense", noise=(Noise("uniform", 0, 0.5),))
    assert not fits_into_a_file(config)
    with pytest.raises(ValueError, match="does not fit into one file"):
        to_script(config, "Mine")


def test_the_command_writes_a_recipe_and_a_run(tmp_path, capsys):
    assert main(["code", "dense-tutorial"]) == 0
    assert capsys.readouterr().out == script_of("dense-tutorial")
    run = Run.create(tmp_path / "mine", ALL["dense"].config)
    file = tmp_path / "mine.ipynb"
    assert main(["code", str(run.folder), "--notebook", "--out", str(file)]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["cells"][0]["source"][0] == "# mine\n"
    assert main(["code", "nothing"]) == 2
    assert "unknown recipe" in capsys.readouterr().err
