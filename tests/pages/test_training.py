"""The Train page without a browser: what it asks, starts and says."""

import dataclasses
import errno
import json
import os
import shutil
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.components import cached
from pages.components.picture_cache import GAVE_WAY, PictureCache
from pages.components.training import (
    progress,
    race,
    recorded_result,
    run_list,
    steering,
    upload,
)
from tests.pages import visits
from tests.pages.visits import Breaker, page_of
from train import jobs, owners, run_status
from train.config import TrainConfig, gaussian_only
from train.recipes import EXPECT, LIVE_JOBS, TRAPS
from train.run_folder import Run

TOKEN = "mine"
CONFIG = TrainConfig(architecture="dense", noise=gaussian_only(0.5), epochs=2)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the runs of this test; no worker is ever sent."""
    find, runs_of, start, start_race = owners.find, owners.runs_of, jobs.start, jobs.start_race
    monkeypatch.setattr(owners, "find", lambda run_id: find(run_id, tmp_path))
    monkeypatch.setattr(owners, "runs_of", lambda token: runs_of(token, tmp_path))
    monkeypatch.setattr(jobs, "start", lambda *a, **k: start(*a, **k, runs=tmp_path))
    monkeypatch.setattr(jobs, "start_race", lambda *a, **k: start_race(*a, **k, runs=tmp_path))
    monkeypatch.setattr(jobs, "_send_worker", lambda run, limits: None)
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 10_000)
    return tmp_path


def make(
    runs: Path, name: str, *events: dict, token: str = TOKEN, config: TrainConfig = CONFIG, **said
) -> Run:
    """A run folder with these events, without a worker."""
    run = Run.create(runs / name, config)
    owner = {"token": owners.hashed(token), "name": name, "made": time.time()} | said
    (run.folder / "owner.json").write_text(json.dumps(owner))
    lines = [{"time": float(at), "step": at} | event for at, event in enumerate(events)]
    run.progress.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def epoch(number: int, psnr: float = 15.0) -> dict:
    values = {"loss": 0.2, "val_loss": 0.1, "psnr": psnr, "val_psnr": psnr, "learning_rate": 0.001}
    return {"event": "epoch", "epoch": number, "images_per_second": 1000.0} | values


def probe(run: Run, number: int, noise: int = 100) -> None:
    (run.folder / "probes").mkdir(exist_ok=True)
    sheet = np.zeros((84, 28), np.uint8)
    sheet[28:56] = noise
    sheet[56:] = number
    Image.fromarray(sheet).save(run.folder / "probes" / f"epoch-{number:04d}.png")
    with run.progress.open("a") as file:
        event = {"event": "probe", "time": 9.0, "step": number, "epoch": number}
        file.write(json.dumps(event) + "\n")


TRAINED = (
    {"event": "status", "status": "training", "batches_an_epoch": 1, "epochs": 2},
    {"event": "batch", "loss": 0.5, "learning_rate": 0.001},
    epoch(1),
    {"event": "batch", "loss": 0.4},
    epoch(2),
)
FINISHED = {"event": "status", "status": "finished"}


def visit(token: str | None = TOKEN, **link: str) -> AppTest:
    page = page_of("_train", **link)
    if token:
        page.session_state.visitor_token = token
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    return visits.said(page, "caption")


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


# The form


def test_arrival_offers_a_tutorials_recipe_with_what_to_expect(runs):
    page = visit()
    assert page.selectbox(key="recipe-Tutorials").value == "dense-tutorial"
    assert EXPECT["dense-tutorial"] in said(page)


RECORD = {
    "recipe": "dense-tutorial",
    "outcome": "finished",
    "why": "",
    "parameters": 101_200,
    "epochs": [{"seconds": 30.0} | {k: v for k, v in epoch(n).items() if k != "event"}
               for n in (1, 2)],
    "batches": [[0.5, 0.4], [1.5, 0.2]],
    "test": {"pictures": 10_000, "psnr": 18.08, "ssim": 0.757, "read": 0.932},
    "made": {"processor": "Some CPU", "cores": 2},
}  # fmt: skip


def keep(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    kept = {"dense-tutorial": RECORD | changes}
    monkeypatch.setattr(recorded_result, "read_record", kept.get)


def test_arrival_shows_what_the_recipe_gave_when_it_was_run_in_full(runs, monkeypatch):
    keep(monkeypatch)
    page = visit()
    assert [box.value for box in page.metric] == ["18.08 dB", "0.757", "93.2%", "101,200"]
    assert "2 epochs in 1 min 0 s on 2 cores (Some CPU)" in said(page)
    page.selectbox(key="recipe-Tutorials").select("conv-16-8-8-tutorial").run()
    assert not page.metric  # Nothing is kept of this one.


def test_a_trap_that_was_run_shows_how_it_ended(runs, monkeypatch):
    keep(monkeypatch, outcome="diverged", why="no number", epochs=[], test={}, parameters=None)
    page = said(visit())
    assert "It diverged: no number." in page
    assert "Reference run: not one epoch on 2 cores" in page


def test_ones_own_run_takes_the_place_of_the_kept_one(runs, monkeypatch):
    keep(monkeypatch)
    make(runs, "a", *TRAINED, FINISHED)
    assert "Reference run" not in said(visit(run="a"))


def started(page: AppTest, runs: Path) -> TrainConfig:
    """Press Train and return the settings of the run that was made."""
    press(page, "Train")
    (folder,) = [path for path in runs.iterdir() if path.is_dir()]
    return Run(folder).read_config()


def test_a_recipe_is_started_as_it_is(runs):
    config = started(visit(), runs)
    assert config.settings == {"hidden": 64}
    assert (config.epochs, config.optimizer, config.fresh_noise) == (10, "adam", False)


def test_every_trap_can_be_loaded_and_says_why_it_fails(runs):
    page = visit()
    page.button_group(key="recipe-group").set_value("Traps").run()
    for name in TRAPS:
        page.selectbox(key="recipe-Traps").select(name).run()
        assert not page.exception
        assert EXPECT[name] in said(page)


def test_settings_of_a_network_are_asked_for_and_counted(runs):
    page = visit()
    page.selectbox(key="dense-tutorial-architecture").select("unet").run()
    assert "483,857 parameters" in said(page)
    page.segmented_control(key="dense-tutorial-unet-filters-depth").set_value(2).run()
    page.number_input(key="dense-tutorial-unet-filters-2").set_value(8).run()
    page.toggle(key="dense-tutorial-unet-skips").set_value(False).run()
    config = started(page, runs)
    assert config.architecture == "unet"
    assert config.settings == {"filters": [16, 8], "skips": False}


def test_a_code_can_be_put_into_the_middle(runs):
    page = visit()
    page.selectbox(key="dense-tutorial-architecture").select("convolutional").run()
    page.toggle(key="dense-tutorial-convolutional-code-on").set_value(True).run()
    page.number_input(key="dense-tutorial-convolutional-code").set_value(3).run()
    assert started(page, runs).settings == {"code": 3}


def test_a_network_that_is_too_large_is_refused_before_it_is_started(runs):
    page = visit()
    page.selectbox(key="dense-tutorial-architecture").select("unet").run()
    page.segmented_control(key="dense-tutorial-unet-filters-depth").set_value(5).run()
    for level in (4, 5):
        page.number_input(key=f"dense-tutorial-unet-filters-{level}").set_value(256).run()
    assert "at most 2,000,000 are possible here" in said(page)
    assert next(button for button in page.button if button.label == "Train").disabled


def test_weights_to_begin_with_are_those_of_the_same_network(runs):
    page = visit()
    (begin,) = [box for box in page.selectbox if box.label == "Begin with"]
    assert begin.options[0] == "random weights"
    assert all(option.startswith("the weights of Dense") for option in begin.options[1:])
    assert len(begin.options) == 3
    page.number_input(key="dense-tutorial-dense-hidden").set_value(63).run()
    (begin,) = [box for box in page.selectbox if box.label == "Begin with"]
    assert begin.disabled


def test_loss_optimizer_and_patience_reach_the_run(runs):
    page = visit()
    page.selectbox(key="dense-tutorial-loss").select("ssim").run()
    page.selectbox(key="dense-tutorial-optimizer").select("adadelta").run()
    assert "barely learns" in said(page)
    page.number_input(key="dense-tutorial-patience").set_value(3).run()
    config = started(page, runs)
    assert (config.loss, config.optimizer, config.patience) == ("ssim", "adadelta", 3)
    assert config.learning_rate == 0.001


def test_own_pictures_that_gave_way_to_those_of_others_are_asked_for_again(runs, monkeypatch):
    monkeypatch.setattr(cached, "_uploads", PictureCache(80_000))
    page = visit()
    page.selectbox(key="dense-tutorial-data").select("own").run()
    page.session_state.user_pictures = upload.keep(np.full((80, 28, 28, 1), 9, np.uint8))
    page.run()
    assert GAVE_WAY not in said(page)
    assert "upload a ZIP" not in said(page)
    others = upload.keep(np.full((80, 28, 28, 1), 8, np.uint8))
    page.run()
    assert not page.exception
    assert GAVE_WAY in said(page)
    assert "upload a ZIP" in said(page)
    del others


def test_own_pictures_are_asked_for_before_a_start(runs):
    page = visit()
    page.selectbox(key="dense-tutorial-data").select("own").run()
    assert "upload a ZIP" in said(page)
    pictures = np.random.default_rng(0).integers(0, 256, (80, 28, 28, 1), np.uint8)
    page.session_state.user_pictures = upload.keep(pictures)
    page.run()
    assert not page.exception
    assert started(page, runs).data == "own"
    (run,) = [Run(path) for path in runs.iterdir() if path.is_dir()]
    with np.load(run.own) as kept:
        assert np.array_equal(kept["pictures"], pictures)


# One run


def test_a_worker_that_died_is_shown_with_what_is_known(runs):
    make(runs, "a")
    page = visit(run="a")
    assert any("out of memory" in box.value for box in page.error)
    assert {"Continue", "Reset", "Delete"} <= set(labels(page))


def test_settings_edited_into_nonsense_are_a_sentence(runs):
    run = make(runs, "a")
    (run.folder / "config.json").write_text('{"architecture": "dense", "epochs": "many"}')
    page = visit(run="a")
    assert any("settings of this run cannot be read" in box.value for box in page.error)
    assert str(runs) not in said(page)


def test_a_finished_run_shows_its_numbers_and_no_continue(runs):
    make(runs, "a", *TRAINED, FINISHED)
    page = visit(run="a")
    assert page.metric[0].value == "15.00 dB"
    assert "Continue" not in labels(page)


def test_a_finished_run_whose_worker_was_killed_at_the_export_can_be_completed(runs, monkeypatch):
    loading = {"event": "status", "status": "loading", "backend": "tensorflow"}
    run = make(runs, "a", loading, *TRAINED, FINISHED)
    page = visit(run="a")
    assert "before it had prepared the network" in said(page)
    sent = []
    monkeypatch.setattr(jobs, "_send_worker", lambda run, limits: sent.append(run.folder))
    press(page, "Continue")
    assert sent == [run.folder]
    (run.folder / "card.json").touch()
    page = visit(run="a")
    assert "before it had prepared the network" not in said(page)
    assert "Continue" not in labels(page)


def test_another_backend_prepares_no_network_and_nobody_waits_for_it(runs):
    loading = {"event": "status", "status": "loading", "backend": "jax"}
    make(runs, "a", loading, *TRAINED, FINISHED)
    assert "Continue" not in labels(visit(run="a"))


def test_an_early_stop_says_why(runs):
    reason = "the validation loss has not fallen for 3 epochs; the weights of epoch 1 are kept"
    make(runs, "a", *TRAINED, FINISHED | {"reason": reason})
    assert "The validation loss has not fallen for 3 epochs" in said(visit(run="a"))


def test_a_training_that_diverged_can_be_tried_again_with_smaller_steps(runs):
    reason = "the loss became NaN any more; try a smaller learning rate"
    stop = {"event": "stop", "reason": reason, "outcome": "diverged"}
    make(runs, "a", *TRAINED, stop)
    page = visit(run="a")
    assert "The loss became NaN" in said(page)
    assert "Continue" not in labels(page)
    press(page, "Try again at 0.0001")
    (again,) = [Run(path) for path in runs.iterdir() if path.is_dir() and path.name != "a"]
    assert again.read_config().learning_rate == pytest.approx(0.0001)


def test_a_training_that_diverged_says_what_is_kept(runs, monkeypatch):
    stop = {"event": "stop", "reason": "the loss became NaN", "outcome": "diverged"}
    run = make(runs, "a", *TRAINED[:2], stop)
    assert "Nothing was learned." in said(visit(run="a"))
    monkeypatch.setattr(run_status, "is_alive", lambda run: True)
    assert "Preparing the network" not in said(visit(run="a"))
    run.checkpoint.touch()
    page = visit(run="a")
    assert "The weights saved last are kept." in said(page)
    assert "Preparing the network" in said(page)


def test_what_is_tried_again_says_so_behind_a_long_name_too(runs):
    stop = {"event": "stop", "reason": "the loss became NaN", "outcome": "diverged"}
    run = make(runs, "a", stop)
    owners.rename(run, "Convolutional, clean to clean, as in the tutorial, seed 1")
    page = visit(run="a")
    press(page, "Try again at 0.0001")
    again = next(run for run in owners.runs_of(TOKEN) if run.folder.name != "a")
    assert owners.name_of(again) == "Convolutional, clean to clean, …, lower learning rate"


@pytest.mark.parametrize(
    ("end", "said_of_it"),
    [
        (FINISHED, "To repeat this run on"),
        ({"event": "stop", "reason": "asked"}, "To train all 2 epochs on"),
    ],
)
def test_a_run_that_was_stopped_is_not_said_to_be_repeated(runs, end, said_of_it):
    make(runs, "a", *TRAINED[:-2], end)
    assert said_of_it in said(visit(run="a"))


@pytest.mark.parametrize("brought_since", [None, 200])
def test_what_is_tried_again_has_the_images_of_the_run_and_no_others(runs, brought_since):
    stop = {"event": "stop", "reason": "the loss became NaN", "outcome": "diverged"}
    config = dataclasses.replace(CONFIG, data="own", learning_rate=100.0)
    run = make(runs, "a", *TRAINED, stop, config=config)
    np.savez_compressed(run.own, pictures=np.full((64, 28, 28, 1), 7, np.uint8))
    Image.fromarray(np.full((28, 28), 51, np.uint8)).save(run.drawing)
    page = page_of("_train", run="a")
    page.session_state.visitor_token = TOKEN
    if brought_since is not None:
        others = np.full((64, 28, 28, 1), brought_since, np.uint8)
        page.session_state.user_pictures = upload.keep(others)
        page.session_state.draw_drawing = np.ones((28, 28, 1), np.float32)
    page.run()
    press(page, "Try again at 0.001")
    (again,) = [Run(path) for path in runs.iterdir() if path.is_dir() and path.name != "a"]
    with np.load(again.own) as kept:
        assert np.unique(kept["pictures"]).tolist() == [7]
    with Image.open(again.drawing) as file:
        assert np.unique(np.asarray(file)).tolist() == [51]


def test_what_is_tried_again_on_images_that_cannot_be_read_is_refused(runs):
    stop = {"event": "stop", "reason": "the loss became NaN", "outcome": "diverged"}
    config = dataclasses.replace(CONFIG, data="own", learning_rate=100.0)
    run = make(runs, "a", *TRAINED, stop, config=config)
    run.own.write_bytes(b"PK")
    page = visit(run="a")
    press(page, "Try again at 0.001")
    assert "The pictures of this run cannot be read." in said(page)
    assert [path.name for path in runs.iterdir() if path.is_dir()] == ["a"]


def test_a_paused_run_says_how_far_it_got(runs):
    make(runs, "a", *TRAINED[:-2], {"event": "stop", "reason": "paused"})
    page = visit(run="a")
    assert "Continue" in labels(page)
    assert not page.error


def test_nothing_is_forgotten_by_who_presses_stop_twice(runs):
    run = make(runs, "a", *TRAINED[:-2], {"event": "stop", "reason": "asked"})
    (run.folder / "card.json").touch()
    page = visit(run="a")
    steering = labels(page)[labels(page).index("Continue") :]
    # The second button was "Stop and keep".
    assert steering == ["Continue", "Use on the Draw page", "Reset", "Delete"]


def test_a_small_recipe_of_another_job_is_asked_for_its_skips_and_its_speed_alone(runs):
    page = visit(recipe="cells-small")
    assert page.selectbox(key="recipe-More jobs").value == "cells-small"
    assert [each.label for each in page.expander] == ["Learning", "A fair race"]
    assert not {"Loss", "Data", "Architecture"} & {each.label for each in page.selectbox}
    page.toggle(key="cells-small-skips").set_value(False).run()
    press(page, "Train")
    (run,) = owners.runs_of(TOKEN)
    assert run.read_config().settings["skips"] is False
    assert run.read_config().data == "drawn-cells"


def test_networks_of_different_jobs_do_not_race(runs):
    page = visit(recipe="cells-small")
    press(page, "Add these settings")
    page.button_group(key="recipe-group").set_value("Tutorials").run()
    assert not page.exception
    assert "Only networks for the same job can race." in said(page)
    add = next(button for button in page.button if button.label == "Add these settings")
    assert add.disabled


def test_a_network_races_against_itself_without_skips_at_a_press(runs):
    page = visit(recipe="cells-small")
    press(page, "Race with and without skips")
    two = {owners.name_of(run): run.read_config() for run in owners.runs_of(TOKEN)}
    assert set(two) == {"Count drawn cells", "No skips: Count drawn cells"}
    whole, plain = two["Count drawn cells"], two["No skips: Count drawn cells"]
    assert plain.settings == whole.settings | {"skips": False}
    assert vars(plain) | {"settings": None} == vars(whole) | {"settings": None}


def test_a_second_click_on_a_race_starts_nothing(runs, monkeypatch):
    state = run_status.Status(run_status.TRAINING)
    monkeypatch.setattr(steering.run_status, "status", lambda run: state)
    page = visit(recipe="cells-small")
    for _ in range(2):
        press(page, "Race with and without skips")
    assert len(owners.runs_of(TOKEN)) == 2
    page = visit()
    for _ in range(2):
        press(page, "Add these settings")
    drawn = page._tree
    for _ in range(2):
        page._tree = drawn  # The browser has not drawn yet what the first click made of it.
        press(page, "Start the race")
        assert not page.warning
    assert len(owners.runs_of(TOKEN)) == 4


def test_a_network_without_skips_does_not_race_against_itself(runs):
    page = visit(recipe="cells-small")
    page.toggle(key="cells-small-skips").set_value(False).run()
    assert "Race with and without skips" not in labels(page)
    assert "Race with and without skips" not in labels(visit(recipe="conv-32-32"))


def test_a_network_that_begins_with_weights_does_not_race_against_one_that_they_do_not_fit(runs):
    page = visit(recipe="unet")
    assert "Race with and without skips" in labels(page)
    (begin,) = [box for box in page.selectbox if box.label == "Begin with"]
    begin.select("unet").run()
    assert "Race with and without skips" not in labels(page)


def cells(number: int, iou: float) -> dict:
    values = {"loss": 0.2, "val_loss": 0.1, "mean_iou": iou, "val_mean_iou": iou}
    return {"event": "epoch", "epoch": number, "learning_rate": 0.001} | values


def test_a_run_of_another_job_shows_its_own_metric_and_leads_to_more_jobs(runs, monkeypatch):
    config = LIVE_JOBS["cells-small"].config
    run = make(runs, "a", *TRAINED[:2], cells(1, 0.7124), FINISHED, config=config)
    (run.folder / "card.json").touch()
    page = visit(run="a")
    assert (page.metric[0].label, page.metric[0].value) == ("Validation Mean IoU", "0.712")
    assert "Use on More jobs" in labels(page)
    assert "Use on the Draw page" not in labels(page)
    assert "0.7124" in progress.to_csv(run)
    went = []
    monkeypatch.setattr("streamlit.switch_page", went.append)
    press(page, "Use on More jobs")
    assert went == ["pages/tasks.py"]
    # On a picture of the kind that it was trained on.
    state = page.session_state
    assert (state.task, state.tasks_source) == ("segment-cells", "sample")
    assert state["tasks_sample_segment-cells"] == "drawn-cells"
    assert state.user_models == [run.folder]


def test_nothing_is_taken_away_before_the_worker_has_written_it(runs, monkeypatch):
    run = make(runs, "a", *TRAINED, FINISHED)
    (run.folder / "card.json").touch()
    monkeypatch.setattr(run_status, "is_alive", lambda run: True)
    page = visit(run="a")
    assert "Preparing the network" in said(page)
    assert "Use on the Draw page" not in labels(page)
    assert "Delete" in labels(page)
    monkeypatch.setattr(run_status, "is_alive", lambda run: False)
    page.run()
    assert "Preparing the network" not in said(page)
    assert "Use on the Draw page" in labels(page)


def test_a_button_pressed_in_the_half_second_in_which_the_worker_ends_is_not_lost(
    runs, monkeypatch
):
    run = make(runs, "a", *TRAINED, FINISHED)
    (run.folder / "card.json").touch()
    page = visit(run="a")
    went = []
    show_run, is_alive = steering.show_run, run_status.is_alive

    def show_run_later(*given):
        monkeypatch.setattr(run_status, "is_alive", is_alive)
        show_run(*given)

    monkeypatch.setattr(run_status, "is_alive", lambda run: True)
    monkeypatch.setattr(steering, "show_run", show_run_later)
    monkeypatch.setattr("streamlit.switch_page", went.append)
    press(page, "Use on the Draw page")
    assert went == ["pages/draw.py"]


def test_a_race_of_another_job_compares_its_own_metric(runs):
    config = LIVE_JOBS["cells-small"].config
    make(runs, "a", *TRAINED[:2], cells(1, 0.5), FINISHED, config=config)
    make(runs, "b", *TRAINED[:2], cells(1, 0.625), FINISHED, config=config)
    page = visit(compare="a,b")
    table = next(each.value for each in page.markdown if "best validation" in each.value)
    assert "| best validation Mean IoU | 0.500 | 0.625 |" in table


def test_a_reset_forgets_the_curves_but_not_the_run(runs):
    run = make(runs, "a", *TRAINED, FINISHED)
    run.checkpoint.write_text("weights")
    page = visit(run="a")
    press(page, "Reset")
    assert not run.checkpoint.exists()
    assert run.read_config() == CONFIG
    assert page.metric[0].value == "–"
    assert owners.name_of(run) == "a"


def test_somebody_else_may_look_and_not_steer(runs):
    make(runs, "a", *TRAINED, FINISHED)
    page = visit("yours", run="a")
    assert "someone else's run" in said(page)
    assert not {"Reset", "Delete", "Continue"} & set(labels(page))
    assert page.get("download_button") == []
    assert page.metric[0].value == "15.00 dB"


def test_a_strangers_name_for_a_run_is_no_markdown(runs):
    name = "![x](https://example.org/x.png) | $a$ :red[b]"
    kept = r"!\[x\](https\://example\.org/x\.png) | \$a\$ \:red\[b\]"
    owners.change_owner(make(runs, "a", *TRAINED, FINISHED), name=name)
    make(runs, "b", *TRAINED, FINISHED)
    assert [each.value for each in visit("yours", run="a").header][-1] == kept
    shown = [each.value for each in visit("yours", compare="a,b").markdown]
    assert f"**{kept}**" in shown
    table = next(each for each in shown if "best validation" in each)
    assert kept.replace("|", r"\|") in table


CELLS = LIVE_JOBS["cells-small"].config


@pytest.mark.parametrize(
    ("config", "visitor", "asked"),
    [(CONFIG, TOKEN, True), (CONFIG, "yours", False), (CELLS, TOKEN, False)],
)
def test_a_drawing_is_spoken_of_to_its_owner_and_where_the_network_is_shown_it(
    runs, config, visitor, asked
):
    run = make(runs, "a", *TRAINED[:1], config=config)
    assert ("Draw a digit on the Draw page first" in said(visit(visitor, run="a"))) == asked
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(run.drawing)
    probe(run, 1)
    shown = said(visit(visitor, run="a"))
    assert ("Your own drawing is on the left." in shown) == asked
    assert ("The last column is pure noise" in shown) == (config is CONFIG)


def test_a_refused_click_is_said(runs, monkeypatch):
    make(runs, "a", *TRAINED, {"event": "stop", "reason": "asked"})
    page = visit(run="a")
    monkeypatch.setattr("train.visitor_limits.free_megabytes", lambda: 1.0)
    press(page, "Continue")
    assert "memory, and this host has 1 MB left" in said(page)


@pytest.mark.parametrize("label", ["Continue", "Reset", "Delete"])
def test_a_run_that_another_window_has_deleted_is_said_to_be_gone(runs, label):
    make(runs, "a", *TRAINED[:-2], {"event": "stop", "reason": "asked"})
    page = visit(run="a")
    shutil.rmtree(runs / "a")
    press(page, label)
    assert str(runs) not in said(page)
    if label != "Delete":  # It is what was asked for.
        assert "no longer exists" in said(page)


def test_a_disk_that_is_full_is_said_without_our_folders(runs, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(runs))

    monkeypatch.setattr(jobs, "start", full)
    page = visit()
    press(page, "Train")
    assert "No space left on device" in said(page)
    assert str(runs) not in said(page)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("state", ["stopped", "finished", "training"])
def test_no_button_of_a_run_breaks_the_page_where_nothing_can_be_written(
    runs, monkeypatch, number, state
):
    last = {"stopped": {"event": "stop", "reason": "asked"}, "finished": FINISHED}
    make(runs, "a", *TRAINED, *([last[state]] if state in last else []))
    make(runs, "b", *TRAINED, FINISHED)
    monkeypatch.setattr(run_status, "is_alive", lambda run: state == "training")
    page = visit(run="a")

    def refuse(source, *args, **kwargs):
        raise OSError(number, os.strerror(number), str(source))

    for name in ("replace", "rename", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(jobs, "_send_worker", lambda run, limits: refuse(run.folder))
    offered = {"stopped": ["Continue", "Reset", "Delete"], "finished": ["Reset", "Delete"],
               "training": ["Pause", "Stop and keep"]}  # fmt: skip
    for label in offered[state]:
        press(page, label)
        assert os.strerror(number) in said(page)
        assert str(runs) not in said(page)
    page.text_input(key="name-a").set_value("another").run()
    assert not page.exception
    assert os.strerror(number) in said(page)
    page.toggle(key="pin-a").set_value(True).run()
    assert not page.exception
    assert os.strerror(number) in said(page)
    assert owners.name_of(Run(runs / "a")) == "a"
    page.query_params.pop("run")
    page.query_params["compare"] = "a,b"
    page.run()
    if state == "training":
        press(page, "Stop all and keep")
    assert not page.exception


# The list of runs


def test_a_row_of_a_run_that_another_window_has_deleted_goes(runs):
    make(runs, "a", FINISHED)
    page = visit()
    shutil.rmtree(runs / "a")
    page.text_input(key="name-a").set_value("b")
    page.toggle(key="pin-a").set_value(True).run()
    assert not page.exception
    assert "a" not in labels(page)


def test_runs_are_renamed_pinned_and_deleted(runs):
    make(runs, "a", FINISHED)
    newer = make(runs, "b", FINISHED)
    page = visit()
    assert [each for each in labels(page) if each in "ab"] == ["b", "a"]
    page.text_input(key="name-a").set_value("  My   *best*  ").run()
    assert owners.name_of(Run(runs / "a")) == "My *best*"
    page.toggle(key="pin-a").set_value(True).run()
    assert not page.exception
    rows = [button.label for button in page.button if button.key and button.key[:5] == "open-"]
    assert rows == [r":material/keep: My \*best\*", "b"]
    page.button(key="delete-b").click().run()
    assert not newer.folder.exists()


def test_runs_are_compared_by_what_differs_and_by_what_came_of_it(runs):
    make(runs, "small", *TRAINED, FINISHED, config=TrainConfig("dense", {"hidden": 8}, epochs=2))
    make(runs, "large", *TRAINED[:3], epoch(2, 17.5), FINISHED)
    page = visit()
    page.multiselect(key="compared").set_value(["small", "large"]).run()
    assert not page.exception
    assert page.query_params["compare"] == "small,large"
    (table,) = [text.value for text in page.markdown if "| hidden |" in text.value]
    assert "| hidden | 8 | 64 |" in table
    assert "| parameters | 13,336 | 101,200 |" in table
    assert "| best validation PSNR | 15.00 dB | 17.50 dB |" in table


def test_runs_that_were_measured_on_different_noise_are_not_called_comparable(runs):
    weaker = dataclasses.replace(CONFIG, noise=gaussian_only(0.3))
    make(runs, "a", *TRAINED)
    make(runs, "b", *TRAINED)
    make(runs, "c", *TRAINED, config=weaker)
    make(runs, "d", *TRAINED, config=dataclasses.replace(weaker, loss="mse"))
    different = "measured on different pictures or noise"
    assert different not in said(visit(compare="a,b"))
    own = [make(runs, name, *TRAINED, config=dataclasses.replace(CONFIG, data="own"))
           for name in ("e", "f")]  # fmt: skip
    for run in own:
        run.own.write_bytes(b"PK")
    assert different not in said(visit(compare="e,f"))
    own[1].own.write_bytes(b"PK of others")
    assert different in said(visit(compare="e,f"))
    assert different in said(visit(compare="a,c"))
    page = said(visit(compare="a,d"))
    assert different in page
    assert "PSNR can." not in page
    assert "PSNR can." in said(visit(compare="c,d"))


def test_probes_of_the_same_noise_stand_side_by_side(runs):
    for name, noise in (("a", 100), ("b", 100), ("c", 90)):
        run = make(runs, name, *TRAINED)
        probe(run, 1, noise)
    assert "cannot be shown side by side" not in said(visit(compare="a,b"))
    assert "cannot be shown side by side" in said(visit(compare="a,c"))


def test_a_comparison_of_runs_that_are_gone_says_so(runs):
    assert "no longer exists" in said(visit(compare="x,../y"))
    assert "no longer exists" in said(visit(run="../../etc"))


@pytest.mark.parametrize(("ids", "left"), [("a,b", []), ("a,b,c", ["open-one-a", "open-one-c"])])
def test_a_run_that_is_deleted_while_it_is_compared_leaves_the_comparison(
    runs, monkeypatch, ids, left
):
    for name in "abc":
        make(runs, name, *TRAINED)
    show_comparison = race.show_comparison

    def delete_first(*given):
        shutil.rmtree(runs / "b", ignore_errors=True)
        show_comparison(*given)

    monkeypatch.setattr(race, "show_comparison", delete_first)
    page = visit(compare=ids)
    assert not page.exception
    shown = [button.key for button in page.button if (button.key or "").startswith("open-one-")]
    assert shown == left
    assert ("only this run is left" in said(page)) == (not left)
    assert page.query_params == ({"compare": ids} if left else {"run": "a"})


@pytest.mark.parametrize("name", ["a" * 5000, "\0", "..", "a/../a", "%2e%2e", "owner.json"])
def test_a_name_that_no_run_can_have_gets_a_sentence(runs, name):
    make(runs, "a", FINISHED)
    assert "no longer exists" in said(visit(run=name))
    assert "only this run is left" in said(visit(compare=f"{name},a"))


def test_a_comparison_of_one_run_is_that_run(runs):
    make(runs, "a", *TRAINED, FINISHED)
    page = visit(compare="a,a")
    assert page.query_params == {"run": "a"}
    assert "only this run is left" not in said(page)


def test_a_run_that_a_link_names_twice_is_compared_once(runs):
    make(runs, "a", *TRAINED)
    make(runs, "b", *TRAINED)
    page = visit(compare="a,a,b,a")
    opened = [button.key for button in page.button if (button.key or "").startswith("open-one-")]
    assert opened == ["open-one-a", "open-one-b"]


def test_no_more_runs_are_compared_than_a_chart_can_hold(runs):
    names = [make(runs, f"run{n}", *TRAINED).folder.name for n in range(6)]
    page = visit(compare=",".join(names))
    opened = [button for button in page.button if (button.key or "").startswith("open-one-")]
    assert len(opened) == run_list.MOST_COMPARED


# A race


def test_a_race_is_run_on_equal_terms(runs):
    page = visit()
    press(page, "Add these settings")
    page.selectbox(key="recipe-Tutorials").select("conv-16-8-8-tutorial").run()
    page.number_input(key="conv-16-8-8-tutorial-seed").set_value(7).run()
    assert "It will use the data, noise, batch size, epochs and seed of the first" in said(page)
    press(page, "Add these settings")
    press(page, "Start the race")
    ids = page.query_params["compare"].split(",")
    configs = [Run(runs / run_id).read_config() for run_id in ids]
    assert [config.architecture for config in configs] == ["dense", "convolutional"]
    assert [config.seed for config in configs] == [0, 0]
    racers = owners.race_of(Run(runs / ids[1]))
    assert [racer.folder.name for racer in racers] == ids


def test_one_network_is_no_race(runs):
    page = visit()
    press(page, "Add these settings")
    assert next(b for b in page.button if b.label == "Start the race").disabled
    press(page, "Remove")
    assert "Remove" not in labels(page)


def test_the_chosen_training_can_be_taken_away_as_code(runs):
    page = page_of("_train").run()
    assert not page.exception
    labels = [button.proto.label for button in page.get("download_button")]
    assert labels == ["Code (Python)", "Code (notebook)"]


@pytest.mark.parametrize(("recipe", "offered"), [("dense-tutorial", True), ("cells-small", False)])
def test_code_is_offered_only_where_there_is_some(runs, recipe, offered):
    page = visit(recipe=recipe)
    titles = [box.proto.popover.label for box in page.get("popover")]
    assert ("This training as code" in titles) == offered


def test_a_link_opens_a_recipe(runs):
    page = visit(recipe="conv-32-32-adadelta-as-copied")
    assert "conv-32-32-adadelta-as-copied" in [box.value for box in page.selectbox]
    assert not page.exception
    page = visit(recipe="magic")
    assert "asks for the recipe `magic`, which does not exist" in said(page)
    # Also when the page runs again by itself, until a recipe is chosen.
    assert "asks for the recipe `magic`" in said(page.run())
    page.button_group(key="recipe-group").set_value("Traps").run()
    assert "magic" not in said(page)


def test_the_recipe_is_in_the_link_where_it_is_not_the_first(runs):
    page = visit()
    assert "recipe" not in page.query_params
    page.button_group(key="recipe-group").set_value("Traps").run()
    chosen = page.selectbox(key="recipe-Traps").value
    assert page.query_params["recipe"] == chosen
    assert visit(recipe=chosen).selectbox(key="recipe-Traps").value == chosen
    page.button_group(key="recipe-group").set_value("Tutorials").run()
    assert "recipe" not in page.query_params


def test_a_second_click_on_train_starts_nothing(runs, monkeypatch):
    started = []
    monkeypatch.setattr(
        steering.jobs, "start", lambda *given, **_: started.append(given) or Run(runs / "a")
    )
    make(runs, "a", FINISHED)
    state = run_status.Status(run_status.TRAINING)
    monkeypatch.setattr(steering.run_status, "status", lambda run: state)
    page = visit()
    for _ in range(2):
        press(page, "Train")
    assert len(started) == 1
    state = run_status.Status(run_status.FINISHED)
    press(page, "Train")
    assert len(started) == 2


def test_a_racer_that_is_removed_twice_takes_no_other_with_it(runs):
    page = visit()
    for _ in range(2):
        press(page, "Add these settings")
    assert labels(page).count("Remove") == 2
    name = page.session_state.racers[0][0]
    page.button(key=f"remove-{name}").click().run()
    assert labels(page).count("Remove") == 1


def test_a_training_whose_last_epoch_is_validated_is_in_its_last_epoch(runs):
    history = progress.History(batches_an_epoch=10)
    history.add([{"event": "batch", "time": 0, "step": 200, "loss": 1.0}])
    config = dataclasses.replace(CONFIG, epochs=20)
    said = []
    with mock.patch.object(progress.st, "progress", lambda share, text: said.append(text)):
        progress.show_progress(
            Run(runs / "a"), config, run_status.Status(run_status.TRAINING), history
        )
    assert said == ["Training: epoch 20 of 20"]


def test_a_zip_is_taken_wherever_its_run_is_broken_off_by_the_next_one(runs, monkeypatch):
    page = visit()
    page.selectbox(key="dense-tutorial-data").set_value("own").run()
    breaker, count = Breaker(monkeypatch), 64

    def read(file):
        breaker.left = after_it
        return upload.UserPictures(np.full((count, 28, 28, 1), 99, np.uint8), count, 0)

    let_go = []
    monkeypatch.setattr(
        MemoryUploadedFileManager, "remove_file", lambda *it, **_: let_go.append(it)
    )
    monkeypatch.setattr(upload, "read_zip", read)
    for after_it in range(1, 8):
        count += 1
        page.file_uploader(key="own-zip").set_value(("mine.zip", b"a ZIP", "application/zip"))
        drawn = page._tree
        page.run()
        assert breaker.left <= 0
        page._tree, after_it = drawn, 0
        page.run()
        kept = cached.get_uploads().get(page.session_state["user_pictures"], upload._PATCHES)
        assert len(kept) == count
        assert len(let_go) == count - 64  # Streamlit keeps no copy.
        (words,) = [box.value for box in page.success]
        assert words == f"{count} patches from {count} pictures."
