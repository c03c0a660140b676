import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from models import __main__ as command_line
from models.catalogue import ModelError, find_card, load_catalogue, read_card, read_catalogue
from models.command_line import run_command
from models.predictor import load_predictor
from models.tasks.denoise_photos.level import AsFound
from tests.command_lines import assert_refused
from tests.models.networks import identity, means, ship

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The command line sees this catalogue only: its models answer with the picture itself."""
    folder = tmp_path / "shelf"
    ship(folder, "echo", identity(), parameters=1234)
    ship(folder, "colour-echo", identity(channels=3), channels=3)
    ship(folder, "reader", means(), task="read-digits")
    monkeypatch.setattr(command_line, "find_card", lambda name: find_card(name, folder))
    monkeypatch.setattr(command_line, "read_catalogue", lambda: read_catalogue(folder))
    return folder


@pytest.fixture
def run(shelf, capsys):
    """Run a command in this process; returns (exit status, stdout, stderr)."""

    def run(*arguments):
        status = command_line.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def grey(tmp_path, rng):
    """Write a grey picture and return its pixels: ``grey(path, size)``."""

    def write(path: Path, size=(28, 28)):
        pixels = rng.integers(0, 256, size, dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return pixels

    return write


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)


def test_list_names_every_model_with_its_size_and_purpose(run):
    status, out, err = run("list")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(lines) == {"echo", "colour-echo", "reader"}
    assert "1,234 parameters" in lines["echo"]
    assert lines["echo"].endswith("Shows what a test wants to see.")


def test_list_as_json_holds_whole_cards(run, shelf):
    status, out, err = run("list", "--json")
    assert (status, err) == (0, "")
    cards = {card["name"]: card for card in json.loads(out)}
    assert set(cards) == {"echo", "colour-echo", "reader"}
    assert cards["echo"] == json.loads(read_card(shelf / "echo").to_json())


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_list_goes_on_past_a_broken_card_and_says_so(run, shelf, how):
    (shelf / "reader" / "card.json").write_text("{")
    status, out, err = run("list", *how)
    assert status == 1
    assert "colour-echo" in out
    assert "card of the model reader" in err
    assert err.count("\n") == 1


def test_a_picture_becomes_a_png(run, tmp_path, grey):
    pixels = grey(tmp_path / "in.png", (40, 33))
    status, out, err = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert (status, err) == (0, "")
    assert "1 of 1 pictures" in out
    assert np.array_equal(pixels_of(tmp_path / "out.png"), pixels)


def test_a_picture_into_a_folder_keeps_its_name(run, tmp_path, grey):
    pixels = grey(tmp_path / "in.bmp")
    (tmp_path / "results").mkdir()
    run("denoise", tmp_path / "in.bmp", tmp_path / "results", "--model", "echo")
    assert np.array_equal(pixels_of(tmp_path / "results" / "in.png"), pixels)


def test_folders_that_the_result_needs_are_made(run, tmp_path, grey):
    grey(tmp_path / "in.png")
    assert run("denoise", tmp_path / "in.png", tmp_path / "a/b/out.png", "--model", "echo")[0] == 0
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["out.png"]


def test_the_result_is_what_the_model_makes_of_the_picture(tmp_path, grey, capsys):
    card = next(card for card in load_catalogue().values() if card.task != "read-digits")
    pixels = grey(tmp_path / "in.png")
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", card.name]
    assert command_line.main([str(argument) for argument in arguments]) == 0
    expected = load_predictor(card).predict(pixels[..., None].astype(np.float32) / 255)
    # Half a level of rounding to 8 bits.
    result = pixels_of(tmp_path / "out.png")[..., None] / 255
    np.testing.assert_allclose(result, expected, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("options", "level", "careful"),
    [([], None, False), (["--sigma", "20"], 20, False), (["--sigma", "20", "--careful"], 20, True)],
)
def test_a_photo_is_denoised_as_found_as_told_and_with_care(
    tmp_path, rng, capsys, options, level, careful
):
    noisy = np.clip(rng.normal(128, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "in.png")
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "photo"]
    assert command_line.main([str(argument) for argument in [*arguments, *options]]) == 0
    predictor = load_predictor(find_card("photo"))
    predictor = predictor.careful() if careful else predictor
    expected = predictor.predict(noisy, level and AsFound(level / 255))
    assert np.array_equal(pixels_of(tmp_path / "out.png"), expected)
    # Even noise around grey leaves little behind.
    assert expected.std() < noisy.std() / 4


@pytest.mark.parametrize("option", [["--sigma", "20"], ["--careful"]])
def test_what_photos_alone_need_is_refused_for_digits(run, tmp_path, grey, option):
    grey(tmp_path / "in.png")
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo", *option)
    assert_refused(outcome, option[0], "photos", "echo")


def test_colour_is_read_as_grey_by_a_grey_model_and_as_colour_by_a_colour_model(run, tmp_path, rng):
    pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    run("denoise", tmp_path / "in.png", tmp_path / "grey.png", "--model", "echo")
    run("denoise", tmp_path / "in.png", tmp_path / "colour.png", "--model", "colour-echo")
    # ITU-R BT.601; Pillow rounds to whole levels.
    luma = pixels @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(pixels_of(tmp_path / "grey.png"), luma, atol=1)
    assert np.array_equal(pixels_of(tmp_path / "colour.png"), pixels)


def test_sixteen_bits_are_scaled_and_not_cut_off(run, tmp_path, rng):
    pixels = rng.integers(0, 2**16, (28, 28), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    np.testing.assert_allclose(pixels_of(tmp_path / "out.png"), pixels / 257, atol=1)


def test_a_photo_taken_sideways_comes_out_upright(run, tmp_path, grey):
    pixels = grey(tmp_path / "upright.png", (30, 20))
    turned = Image.fromarray(np.rot90(pixels))  # EXIF 6: to be turned clockwise to be upright.
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "in.png", exif=exif)
    run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert np.array_equal(pixels_of(tmp_path / "out.png"), pixels)


def test_a_folder_is_denoised_with_its_subfolders(run, tmp_path, grey):
    names = ["a.png", "sub/b.tif", "sub/deep/c.BMP"]
    pixels = {name: grey(tmp_path / "in" / name) for name in names}
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    status, out, err = run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")
    assert (status, err) == (0, "")
    assert "3 of 3 pictures" in out
    written = {path.relative_to(tmp_path / "out").as_posix() for path in files_in(tmp_path / "out")}
    assert written == {"a.png", "sub/b.png", "sub/deep/c.png"}
    for name in names:
        result = tmp_path / "out" / Path(name).with_suffix(".png")
        assert np.array_equal(pixels_of(result), pixels[name])


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_bad_picture_is_named_at_the_end_and_the_others_are_denoised(run, tmp_path, grey):
    for name in ("a.png", "c.png"):
        grey(tmp_path / "in" / name)
    good = (tmp_path / "in" / "c.png").read_bytes()
    (tmp_path / "in" / "b-text.png").write_text("no picture")
    (tmp_path / "in" / "b-torn.png").write_bytes(good[:40])
    (tmp_path / "in" / "b-empty.jpg").write_bytes(b"")
    status, out, err = run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")
    assert status == 1
    assert "2 of 5 pictures" in out
    lines = err.splitlines()
    assert len(lines) == 3
    for name in ("b-text.png", "b-torn.png", "b-empty.jpg"):
        assert sum(name in line for line in lines) == 1
    assert [path.name for path in files_in(tmp_path / "out")] == ["a.png", "c.png"]


def test_a_folder_with_nothing_but_a_bad_picture_fails_like_any_folder(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_text("no picture")
    status, out, err = run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")
    assert status == 1
    assert "0 of 1" in out
    assert "bad.png: This file is not an image" in err


@pytest.mark.parametrize(
    "error", [SyntaxError("broken chunk"), MemoryError(), RuntimeError("two\nlines")]
)
def test_whatever_a_picture_makes_a_reader_raise_the_others_are_denoised(
    run, tmp_path, grey, monkeypatch, error
):
    for name in ("a.png", "b.png"):
        grey(tmp_path / "in" / name)
    read = command_line._read

    def stumble(path, options):
        if path.name == "a.png":
            raise error
        return read(path, options)

    monkeypatch.setattr(command_line, "_read", stumble)
    status, _, err = run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")
    assert status == 1
    assert err.count("\n") == 1
    assert "a.png" in err
    assert (tmp_path / "out" / "b.png").exists()


def test_a_single_bad_picture_is_bad_input(run, tmp_path):
    (tmp_path / "in.png").write_text("no picture")
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert_refused(outcome, tmp_path / "in.png", "not an image")
    assert not (tmp_path / "out.png").exists()


def test_names_that_some_disks_take_for_one_are_kept_apart(run, tmp_path, monkeypatch):
    found = [tmp_path / "in" / name for name in ("A.png", "a.jpg", "a.png", "b.png", "sub/B.png")]
    named = command_line._targets(found, tmp_path / "in", tmp_path / "out", ".png")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in named] == [
        *("A-png.png", "a-jpg.png", "a-png-2.png", "b.png", "sub/B.png")
    ]


def test_names_that_differ_in_their_ending_alone_are_kept_apart(run, tmp_path, grey):
    pixels = {name: grey(tmp_path / "in" / name) for name in ("a.png", "a.bmp", "b.png")}
    assert run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")[0] == 0
    results = {path.name: pixels_of(path) for path in files_in(tmp_path / "out")}
    assert set(results) == {"a-png.png", "a-bmp.png", "b.png"}
    assert np.array_equal(results["a-png.png"], pixels["a.png"])
    assert np.array_equal(results["a-bmp.png"], pixels["a.bmp"])


def test_two_pictures_that_would_get_one_name_are_kept_apart_by_a_number(run, tmp_path, grey):
    names = ("a-bmp.png", "a.bmp", "a.png")
    pixels = [grey(tmp_path / "in" / name) for name in names]
    assert run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")[0] == 0
    for name, each in zip(("a-bmp.png", "a-bmp-2.png", "a-png.png"), pixels, strict=True):
        assert np.array_equal(pixels_of(tmp_path / "out" / name), each)


def test_a_second_call_overwrites_its_results(run, tmp_path, grey):
    grey(tmp_path / "in.png")
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo"]
    run(*arguments)
    pixels = grey(tmp_path / "in.png")
    assert run(*arguments)[0] == 0
    assert np.array_equal(pixels_of(tmp_path / "out.png"), pixels)


def test_results_below_the_input_are_not_denoised_again(run, tmp_path, grey):
    grey(tmp_path / "in" / "a.png")
    arguments = ["denoise", tmp_path / "in", tmp_path / "in" / "out", "--model", "echo"]
    for _ in range(2):
        status, out, _ = run(*arguments)
        assert status == 0
        assert "1 of 1" in out
    assert len(files_in(tmp_path / "in")) == 2


def test_the_input_may_lie_below_the_output(run, tmp_path, grey):
    pixels = grey(tmp_path / "out" / "in" / "a.png")
    status, out, _ = run("denoise", tmp_path / "out" / "in", tmp_path / "out", "--model", "echo")
    assert status == 0
    assert "1 of 1" in out
    assert np.array_equal(pixels_of(tmp_path / "out" / "a.png"), pixels)


@pytest.mark.parametrize("out", ["in.png", ".", "link.png", "../{}/in.png"])
def test_a_picture_is_never_overwritten_by_its_result(run, tmp_path, grey, out):
    pixels = grey(tmp_path / "in.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "in.png")
    target = tmp_path / out.format(tmp_path.name)
    assert_refused(run("denoise", tmp_path / "in.png", target, "--model", "echo"), "overwrite")
    assert np.array_equal(pixels_of(tmp_path / "in.png"), pixels)


def test_a_folder_is_never_denoised_into_itself(run, tmp_path, grey):
    grey(tmp_path / "in" / "a.bmp")
    outcome = run("denoise", tmp_path / "in", tmp_path / "in" / ".." / "in", "--model", "echo")
    assert_refused(outcome, "give another OUT")
    assert len(files_in(tmp_path / "in")) == 1


@pytest.mark.parametrize("format", [[], ["--format", "jpeg"]])
def test_a_result_that_ends_in_no_format_is_refused(run, tmp_path, grey, format):
    grey(tmp_path / "in.png")
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.bmp", "--model", "echo"]
    assert_refused(run(*arguments, *format), ".jpg", "out.bmp")


def test_an_ending_that_is_not_that_of_the_format_is_refused(run, tmp_path, grey):
    grey(tmp_path / "in.png")
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo"]
    assert_refused(run(*arguments, "--format", "tiff"), ".tif", "out.png")


@pytest.mark.parametrize(
    ("name", "format", "written"),
    [
        ("out.jpg", None, "JPEG"),
        ("out.tiff", None, "TIFF"),
        ("out.webp", "webp", "WEBP"),
        ("", "tiff", "TIFF"),
    ],
)
def test_the_format_of_a_result_is_that_of_its_ending_or_as_asked(
    run, tmp_path, grey, name, format, written
):
    grey(tmp_path / "in.png")
    (tmp_path / "out").mkdir()
    asked = ["--format", format] if format else []
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out" / name, "--model", "echo"]
    status, _, err = run(*arguments, *asked)
    assert (status, err) == (0, "")
    (path,) = files_in(tmp_path / "out")
    with Image.open(path) as file:
        assert file.format == written


def test_a_folder_gets_results_of_one_format(run, tmp_path, grey):
    for name in ("a.png", "b.bmp"):
        grey(tmp_path / "in" / name)
    arguments = ["denoise", tmp_path / "in", tmp_path / "out", "--model", "echo"]
    assert run(*arguments, "--format", "jpeg", "--quality", "70")[0] == 0
    assert [path.name for path in files_in(tmp_path / "out")] == ["a.jpg", "b.jpg"]


def test_every_ending_is_taken_from_a_folder_and_what_macs_leave_there_is_not(run, tmp_path, rng):
    folder = tmp_path / "in"
    folder.mkdir()
    picture = Image.fromarray(rng.integers(0, 256, (28, 28), dtype=np.uint8))
    for name, kind in (("a.jfif", "JPEG"), ("b.JPE", "JPEG"), ("c.gif", "GIF"), ("d.png", "PNG")):
        picture.save(folder / name, kind)
    (folder / "._d.png").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    status, out, err = run("denoise", folder, tmp_path / "out", "--model", "echo")
    assert (status, err) == (0, "")
    assert "4 of 4 pictures" in out


@pytest.mark.parametrize(
    "values",
    [
        lambda digit: (digit / 255).astype(np.float32),
        lambda digit: digit.astype(np.int32) * 257,
        lambda digit: digit.astype(np.uint16) * 257,
        lambda digit: digit.astype(np.float64),
    ],
    ids=["f4", "i4", "u2", "f8 to 255"],
)
def test_a_digit_is_the_same_in_whatever_numbers_it_comes(run, tmp_path, rng, values):
    digit = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    digit[0, :2] = 0, 255
    tifffile.imwrite(tmp_path / "in.tif", values(digit))
    assert run("denoise", tmp_path / "in.tif", tmp_path / "out.png", "--model", "echo")[0] == 0
    assert np.array_equal(pixels_of(tmp_path / "out.png"), digit)


def test_ink_on_transparent_is_ink_on_paper(run, tmp_path, grey):
    ink = grey(tmp_path / "ink.png")
    for name, colour, expected in (("black", 0, 255 - ink), ("white", 255, ink)):
        pixels = np.dstack([np.full((28, 28, 3), colour, np.uint8), ink])
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        run("denoise", tmp_path / f"{name}.png", tmp_path / f"{name}-out.png", "--model", "echo")
        np.testing.assert_allclose(pixels_of(tmp_path / f"{name}-out.png"), expected, atol=1)


def test_of_a_stack_the_plane_that_was_asked_for_is_denoised(run, tmp_path, rng):
    stack = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack")
    arguments = ["denoise", tmp_path / "in.tif", tmp_path / "out.png", "--model", "echo"]
    status, out, _ = run(*arguments, "--plane", "2")
    assert status == 0
    assert "holds 3 images; number 2 is shown" in out
    assert np.array_equal(pixels_of(tmp_path / "out.png"), stack[1])


@pytest.mark.parametrize(("count", "told"), [(3, "holds 3 images"), (1, "holds one image")])
def test_a_plane_that_the_file_does_not_have_is_refused(run, tmp_path, count, told):
    stack = np.zeros((count, 28, 28), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack")
    arguments = ["denoise", tmp_path / "in.tif", tmp_path / "out.png", "--model", "echo"]
    assert_refused(run(*arguments, "--plane", "4"), told, "--plane 4")
    assert not (tmp_path / "out.png").exists()


def test_what_was_changed_to_open_a_picture_is_said(run, tmp_path, rng):
    tifffile.imwrite(tmp_path / "in.tif", rng.normal(1000, 300, (28, 28)).astype(np.float32))
    _, out, _ = run("denoise", tmp_path / "in.tif", tmp_path / "out.png", "--model", "echo")
    assert "in.tif: Its values from" in out


def test_a_folder_cannot_become_a_file(run, tmp_path, grey):
    grey(tmp_path / "in" / "a.png")
    grey(tmp_path / "out.png")
    outcome = run("denoise", tmp_path / "in", tmp_path / "out.png", "--model", "echo")
    assert_refused(outcome, "must be one")


def test_a_folder_without_pictures_is_bad_input(run, tmp_path):
    (tmp_path / "in").mkdir()
    outcome = run("denoise", tmp_path / "in", tmp_path / "out", "--model", "echo")
    assert_refused(outcome, "no pictures in")


def test_a_missing_picture_is_bad_input(run, tmp_path):
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert_refused(outcome, "there is no", tmp_path / "in.png")


def test_an_unknown_model_is_refused_with_the_names_there_are(run, tmp_path, grey):
    grey(tmp_path / "in.png")
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "nope")
    assert_refused(outcome, "'nope'", "echo")


@pytest.mark.parametrize(("model", "job"), [("reader", "Read digits"), ("monet", "Paint")])
def test_a_model_that_does_not_denoise_is_refused(run, shelf, tmp_path, grey, model, job):
    ship(shelf, "monet", identity(), task="paint", data="photos-and-monet", size=0, channels=3)
    grey(tmp_path / "in.png")
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", model)
    assert_refused(outcome, "does not denoise", job)


def test_damaged_weights_are_refused(run, shelf, tmp_path, grey):
    grey(tmp_path / "in.png")
    (shelf / "echo" / "model.onnx").write_bytes(b"x")
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert_refused(outcome, "damaged")


def test_no_half_written_result_is_left_when_writing_fails(run, tmp_path, grey, monkeypatch):
    grey(tmp_path / "in.png")

    def fail(path, file):
        with path.open("wb") as half:
            half.write(file[: len(file) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    (tmp_path / "out").mkdir()
    outcome = run("denoise", tmp_path / "in.png", tmp_path / "out", "--model", "echo")
    assert_refused(outcome, "disk full")
    assert files_in(tmp_path / "out") == []


@pytest.mark.parametrize("arguments", [[], ["fly"], ["denoise", "in.png", "out.png"]])
def test_a_command_that_is_not_understood_explains_itself(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m models" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_a_sentence(run, tmp_path, grey, monkeypatch):
    grey(tmp_path / "in.png")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(command_line.DENOISED, "denoise-digits", interrupt)
    status, _, err = run("denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", "echo")
    assert status == 130
    assert "interrupted" in err


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (ModelError("It is broken."), 2, "lab: It is broken.\n"),
        (OSError("There is no room."), 2, "lab: There is no room.\n"),
        (ModuleNotFoundError("No module named 'jax'"), 2, "lab: No module named 'jax'\n"),
        (KeyboardInterrupt(), 130, "lab: all is kept\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_command_that_ends_early_is_a_line_and_a_status(raised, status, said, capsys):
    def command(options):
        raise raised

    parser = argparse.ArgumentParser(prog="python -m lab")
    parser.set_defaults(command=command)
    expected = (ModuleNotFoundError,)
    assert run_command(parser, [], expected, at_interrupt="all is kept") == status
    assert capsys.readouterr() == ("", said)


def test_a_fault_in_a_command_is_not_hidden():
    parser = argparse.ArgumentParser(prog="python -m lab")
    parser.set_defaults(command=lambda options: options.missing)
    with pytest.raises(AttributeError):
        run_command(parser, [])


def test_denoising_never_loads_keras_or_tensorflow(tmp_path, grey):
    card = next(card for card in load_catalogue().values() if card.task != "read-digits")
    grey(tmp_path / "in.png")
    program = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('models', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    status = end.code\n"
        "loaded = {'tensorflow', 'keras', 'streamlit'} & set(sys.modules)\n"
        "assert 'onnxruntime' in sys.modules\n"
        "sys.exit(f'loaded {loaded}' if loaded else status)\n"
    )
    arguments = ["denoise", tmp_path / "in.png", tmp_path / "out.png", "--model", card.name]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").exists()


def test_python_m_models_ends_bad_input_with_status_2_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "models", "denoise", "in.png", "out.png", "--model", "nope"],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("models: There is no model 'nope'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "limits"),
    [
        ("sigma", "99", "0 to 75"),
        ("strength", "1.5", "0 to 1"),
        ("quality", "best", "a whole number, 1 to 100"),
        ("quality", "85.7", "a whole number, 1 to 100"),
        ("quality", "101", "a whole number, 1 to 100"),
        ("plane", "0", "a whole number, 1 or more"),
        ("plane", "1.5", "a whole number, 1 or more"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_with_the_limits(capsys, option, value, limits):
    with pytest.raises(SystemExit):
        command_line.main(["denoise", "in.png", "out.png", f"--{option}", value])
    assert f"--{option}: expected {limits}, got '{value}'" in capsys.readouterr().err


@pytest.mark.parametrize("files", [("", "out.png"), ("in.png", "")])
def test_an_empty_name_is_not_the_working_folder(capsys, files):
    with pytest.raises(SystemExit):
        command_line.main(["denoise", *files, "--model", "echo"])
    assert "expected a file or a folder, got nothing" in capsys.readouterr().err


def test_where_nobody_reads_on_it_ends_without_a_word():
    """As of ``| head -1``: 128 and the number of the signal that ends other programs then."""
    program = [sys.executable, "-m", "models", "list"]
    with subprocess.Popen(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
