"""A network that a visitor brings, from the file to the list of methods, and its end."""

import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.components import cached, link
from pages.components.draw import bring_network, own_networks
from pages.components.picture_cache import PictureCache
from tests.app_server import ROOT
from tests.pages import visits
from tests.pages.visits import page_of
from tests.train.foreign_networks import NETWORKS, network, node, random
from train import brought
from train.brought_limits import Refused

KEPT = ("user_models", "brought_owner", "draw_model")  # What a session takes to another page.


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """Networks are kept in a folder of this test, and none is left in the caches."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cached, "_brought", PictureCache(cached.BROUGHT_LIMIT, cached.UPLOADS_KEPT))


def visit(name: str = "draw", before: AppTest | None = None) -> AppTest:
    """Open a page; ``before`` is the page on which this visitor was."""
    page = page_of(name)
    for key in KEPT if before is not None else ():
        page.session_state[key] = before.session_state[key]
    return page.run()


def bring_file(page: AppTest, content: bytes, name: str = "my net.onnx") -> AppTest:
    page.file_uploader[0].upload(name, content).run()
    assert not page.exception
    return page


def folders(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("own-*"))


def said(page: AppTest) -> str:
    return visits.said(page, "success")


def test_a_network_is_chosen_as_soon_as_it_is_there(tmp_path):
    page = bring_file(visit(), NETWORKS["pytorch_autoencoder"]().SerializeToString())
    assert "my net is now selected: 6 layers, 399 parameters" in said(page)
    (folder,) = folders(tmp_path)
    method = page.selectbox(key="draw_model")
    assert (method.value, method.options[0]) == (folder.name, "my net")
    # What is not known of its training is not said.
    assert "trained on" not in said(page)
    assert "has never seen noise" not in said(page)


def test_streamlit_keeps_no_copy_of_the_file(monkeypatch):
    let_go = []
    monkeypatch.setattr(
        MemoryUploadedFileManager, "remove_file", lambda *it, **_: let_go.append(it)
    )
    bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    bring_file(visit(), b"no network")
    assert len(let_go) == 2


def test_its_folder_is_private_and_its_name_cannot_be_guessed(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    (folder,) = folders(tmp_path)
    assert page.session_state.user_models == [folder]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(folder.name) == len("own-") + 16


def test_another_visitor_cannot_reach_it_even_by_its_name(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    (folder,) = folders(tmp_path)
    other = page_of("draw", model=folder.name).run()
    assert page.selectbox(key="draw_model").value == folder.name
    assert other.selectbox(key="draw_model").value != folder.name
    assert "does not exist" in said(other)


def test_a_refused_file_leaves_all_as_it_was(tmp_path):
    page = visit()
    before = page.selectbox(key="draw_model").value
    bring_file(page, b"PK\x03\x04", "mine.keras")
    assert "`mine.keras`: A Keras file can carry code" in said(page)
    assert page.selectbox(key="draw_model").value == before
    assert not folders(tmp_path)
    # The reason gives way to the next answer.
    bring_file(page, NETWORKS["residual"]().SerializeToString())
    assert "Keras file" not in said(page)


def test_the_page_shows_how_to_export_from_both_libraries():
    codes = "\n".join(each.value for each in visit().code)
    assert 'model.export("mine.onnx", format="onnx"' in codes
    assert "torch.onnx.export(" in codes
    assert "external_data=False" in codes


def test_answers_of_another_range_are_said():
    nodes = [node("Mul", "x w", "m"), node("Sub", "m one", "y")]
    weights = {"w": np.array(2, np.float32), "one": np.array(1, np.float32)}
    page = bring_file(visit(), network(nodes, weights).SerializeToString())
    assert "Its answers range from -1 to 1. Pictures here range from 0" in said(page)


def test_a_removed_network_is_gone_with_its_folder(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    (folder,) = folders(tmp_path)
    page.button(key=f"remove-{folder.name}").click().run()
    assert not page.exception
    assert not folders(tmp_path)
    assert folder.name not in page.selectbox(key="draw_model").options
    assert page.selectbox(key="draw_model").value != folder.name


def test_a_network_that_was_given_up_leaves_the_lists_without_an_error(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    cached.get_brought().forget(page.session_state.brought_owner, "own-")
    assert not folders(tmp_path)
    page.run()
    assert not page.exception
    assert "my net" not in page.selectbox(key="draw_model").options
    assert "my net is no longer here" in said(page)


def test_what_was_loaded_of_a_deleted_network_is_given_up(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    (folder,) = folders(tmp_path)
    card = cached.read_card(folder)
    loaded = cached.get_predictor(card)
    assert cached.get_predictor(card) is loaded
    page.button(key=f"remove-{folder.name}").click().run()
    assert not cached.deleted_networks
    with pytest.raises(cached.ModelError, match="missing"):
        cached.get_predictor(card)


def test_a_fourth_network_takes_the_place_of_the_oldest(tmp_path):
    page = visit()
    for number in range(4):
        bring_file(page, NETWORKS["keras_dense"]().SerializeToString(), f"net {number}.onnx")
    assert len(folders(tmp_path)) == own_networks.MOST == 3
    assert page.selectbox(key="draw_model").options[:4] == [
        "net 3",
        "net 2",
        "net 1",
        "U-Net · skip connections",
    ]


@pytest.mark.parametrize("later", [lambda: visit(), cached.forget_unused])
def test_after_an_hour_without_use_it_is_gone_whether_anybody_comes(later, tmp_path, monkeypatch):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3500)
    page.run()  # Used again.
    monkeypatch.setattr(time, "monotonic", lambda: now + 7000)
    later()
    assert len(folders(tmp_path)) == 1
    monkeypatch.setattr(time, "monotonic", lambda: now + 7200)
    later()
    assert not folders(tmp_path)
    assert not page.run().exception


def test_what_a_killed_server_has_left_is_deleted_and_nothing_else(tmp_path):
    left, young, named = (tmp_path / f"own-{name}" for name in ("0" * 16, "1" * 16, "files"))
    for folder in (left, young, named):
        folder.mkdir()
        (folder / "model.onnx").touch()
    linked = tmp_path / f"own-{'2' * 16}"
    linked.symlink_to(named)
    a_minute_ago = time.time() - 60
    for folder in (left, named, linked):
        os.utime(folder, (a_minute_ago, a_minute_ago), follow_symlinks=False)
    cached.forget_unused()
    assert set(tmp_path.iterdir()) == {young, named, linked}
    assert (named / "model.onnx").exists()


FORGET = f"""
import sys, tempfile
sys.path.insert(0, {str(ROOT)!r})
tempfile.tempdir = sys.argv[1]
from pages.components import cached
cached.forget_unused()
"""


def test_another_server_leaves_a_network_that_is_in_use(tmp_path):
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    (folder,) = folders(tmp_path)
    os.utime(folder, (1e9, 1e9))
    command = [sys.executable, "-c", FORGET, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert folder.exists()
    page.run()
    cached.get_brought().forget(page.session_state.brought_owner, "own-")
    assert not folders(tmp_path)


def test_networks_of_one_name_are_told_apart(tmp_path):
    page = visit()
    for _ in range(3):
        bring_file(page, NETWORKS["keras_dense"]().SerializeToString())
    assert page.selectbox(key="draw_model").options[:3] == ["my net (3)", "my net (2)", "my net"]


def test_the_networks_of_all_visitors_share_one_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(cached, "_brought", PictureCache(70_000))
    first, second = visit(), visit()
    # 16,000 to 79,000 bytes each.
    bring_file(first, NETWORKS["keras_dense"]().SerializeToString())
    assert len(folders(tmp_path)) == 1
    bring_file(second, NETWORKS["keras_dense"]().SerializeToString())
    assert len(folders(tmp_path)) == 1
    assert not first.run().exception


def test_a_full_disk_is_said(monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(own_networks.Path, "mkdir", full)
    page = bring_file(visit(), NETWORKS["residual"]().SerializeToString())
    assert "no room" in said(page)


@pytest.mark.parametrize(
    ("file_name", "title"),
    [
        ("best_model-2.onnx", "best model-2"),
        ("C:\\nets\\mine.onnx", "mine"),
        ("../../etc/passwd.onnx", "passwd"),
        ("**bold** [a](b) <script>.onnx", "bold a (b) script"),
        ("$x$ `code` :red[x].onnx", "x code red x"),
        (".onnx", "Own network"),
        ("a" * 200 + ".onnx", "a" * 40),
    ],
)
def test_the_title_is_the_name_of_the_file_without_markup(file_name, title):
    shown = own_networks._title(file_name)
    assert shown == title


def test_it_is_looked_into_as_any_other(tmp_path):
    page = bring_file(visit(), NETWORKS["skips"]().SerializeToString())
    inside = visit("inside", before=page)
    assert not inside.exception
    (folder,) = folders(tmp_path)
    assert inside.selectbox(key="inside_model").value == folder.name
    # Behind its first activation.
    assert inside.selectbox(key="inside_layer").value == "conv_1"
    for layer in ("averagepool_1", "resize_1", "concat_2", "limit_2"):
        inside.selectbox(key="inside_layer").select(layer).run()
        assert not inside.exception


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("section", ["layers", "window"])
def test_every_section_that_asks_for_a_network_takes_it(name, section):
    page = bring_file(visit(), NETWORKS[name]().SerializeToString())
    inside = visit("inside", before=page)
    inside.session_state["inside"] = section
    inside.run()
    assert not inside.exception
    assert not inside.error
    if section == "window" and name in ("pytorch_dense", "keras_dense", "bottleneck"):
        assert "no convolution or pooling" in said(inside)


def test_windows_too_large_for_the_page_are_not_offered():
    pads = {"pads": [4] * 4}
    nodes = [node("Conv", "x w", "c", **pads), node("Relu", "c", "y")]
    page = bring_file(visit(), network(nodes, {"w": random(1, 1, 9, 9)}).SerializeToString())
    inside = visit("inside", before=page)
    inside.session_state["inside"] = "window"
    inside.run()
    assert not inside.exception
    assert "no convolution or pooling" in said(inside)


def test_an_answer_that_is_no_number_for_this_drawing_alone_is_black():
    nodes = [
        node("ReduceMean", "x", "m"),
        node("Sub", "limit m", "d"),
        node("Sqrt", "d", "s"),  # Of a number below zero, where most of the picture is white.
        node("Add", "x s", "y"),
    ]
    content = network(nodes, {"limit": np.array(0.6, np.float32)}).SerializeToString()
    white = np.ones((28, 28, 1), np.float32)
    page = page_of("draw", drawing=link.drawing_to_text(white), strength="0")
    bring_file(page.run(), content)
    assert page.metric[0].value.endswith("0.0 dB")
    inside = visit("inside", before=page)
    inside.session_state["inside_digit"], inside.session_state["inside_drawing"] = "drawing", white
    for layer in ("sqrt_1", "add_1"):
        inside.session_state["inside_layer"] = layer
        assert not inside.run().exception


def test_the_browser_runs_what_it_has_steps_for(tmp_path):
    page = visit()
    for name in ("keras_dense", "pytorch_unet"):
        bring_file(page, NETWORKS[name]().SerializeToString())
    for folder in folders(tmp_path):
        assert cached.get_packed(cached.read_card(folder)) is not None
    bring_file(page, NETWORKS["skips"]().SerializeToString())
    packed = [cached.get_packed(cached.read_card(folder)) for folder in folders(tmp_path)]
    assert packed.count(None) == 1


def test_the_words_for_the_file_name_are_those_that_are_checked():
    with pytest.raises(Refused, match="Only ONNX files"):
        brought.check(b"x", "cat.png")
    assert str(brought.LARGEST) in bring_network.WORDS
