"""A ZIP of a visitor's own pictures: what is taken, what is refused, and nothing is trusted."""

import io
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from pages.components.training import upload
from pages.components.training.upload import read_zip


def picture(rng, width=300, height=200, mode="RGB", form="PNG") -> bytes:
    pixels = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    file = io.BytesIO()
    pixels.convert(mode).save(file, form)
    return file.getvalue()


def packed(files: dict[str, bytes], **options) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "LA", "I;16", "CMYK"])
def test_pictures_of_every_kind_become_grey_patches(rng, mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    files = {f"{n}.png": picture(rng, 620, 340, mode, form) for n in range(2)}
    own = read_zip(packed(files))
    # Halved, 310 by 170: eleven by six patches.
    assert own.patches.shape == (2 * 11 * 6, 28, 28, 1)
    assert own.patches.dtype == np.uint8
    assert (own.used, own.skipped) == (2, 0)


def test_a_patch_is_the_picture_at_half_size():
    pixels = np.arange(56 * 4, dtype=np.uint8).repeat(56 * 4).reshape(56 * 4, -1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    own = read_zip(packed({f"{n}.png": file.getvalue() for n in range(4)}))
    assert own.patches.shape[0] == 4 * 16
    # Two rows of one grey after the other: the mean of 2 k and 2 k + 1, rounded to one of them.
    rows = own.patches[0, :, 0, 0].astype(int)
    assert np.abs(rows - (2 * np.arange(28) + 0.5)).max() <= 0.5


def test_small_pictures_become_one_patch_each(rng):
    files = {f"{n}.png": picture(rng, 28, 28, "L") for n in range(70)}
    own = read_zip(packed(files))
    assert len(own.patches) == 70
    with Image.open(io.BytesIO(files["3.png"])) as digit:
        assert np.array_equal(own.patches[3, ..., 0], np.asarray(digit))


def test_a_picture_turned_by_its_camera_is_turned_back(rng):
    bright_left = np.zeros((400, 400), np.uint8)
    bright_left[:, :200] = rng.integers(150, 256, (400, 200))
    bright_left[:, 200:] = rng.integers(0, 50, (400, 200))
    exif = Image.Exif()
    exif[274] = 6  # "turn right to show"
    file = io.BytesIO()
    Image.fromarray(bright_left).save(file, "JPEG", exif=exif)
    own = read_zip(packed({f"{n}.jpg": file.getvalue() for n in range(2)}))
    first, last = own.patches[0].mean(), own.patches[48].mean()
    assert first > 150 > last  # What was on the left is now on top.


def test_what_is_no_picture_is_skipped_and_counted(rng):
    files = {f"{n}.png": picture(rng, 600, 600) for n in range(2)}
    files |= {
        "readme.txt": b"hello",
        "torn.png": picture(rng)[:2000],
        "empty.jpg": b"",
        "page.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "inner.zip": packed({"a.png": picture(rng)}).getvalue(),
    }
    own = read_zip(packed(files))
    assert (own.used, own.skipped) == (2, 5)


@pytest.mark.parametrize("comment", [b"", 65_000 * b"x"])
def test_an_archive_with_a_long_list_of_files_is_refused_unread(comment, monkeypatch):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(70_000):  # So many need the long form of the end.
            archive.writestr(f"{number}", b"")
        archive.comment = comment
    monkeypatch.setattr(upload.zipfile, "ZipFile", None)
    with pytest.raises(ValueError, match="too many files in this archive; at most 2,000 can"):
        read_zip(file)


def test_paths_in_the_archive_lead_nowhere(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["../../escaped.png", "/etc/escaped.png", "a/b/../c.png", "C:\\escaped.png"]
    own = read_zip(packed({name: picture(rng, 600, 600) for name in names}))
    assert own.used == 4
    assert list(tmp_path.rglob("*")) == []


def test_flat_patches_are_left_out(rng):
    half = np.zeros((560, 560), np.uint8)
    half[:, :280] = rng.integers(0, 256, (560, 280))
    file = io.BytesIO()
    Image.fromarray(half).save(file, "PNG")
    own = read_zip(packed({f"{n}.png": file.getvalue() for n in range(2)}))
    assert len(own.patches) == 2 * 50


def test_one_picture_does_not_fill_the_set(rng):
    own = read_zip(packed({"large.jpg": picture(rng, 2000, 1500, form="JPEG")}))
    assert len(own.patches) == upload.MOST_PATCHES_A_PICTURE


def test_so_many_patches_and_no_more(rng, monkeypatch):
    monkeypatch.setattr(upload, "MOST_PATCHES", 150)
    own = read_zip(packed({f"{n}.png": picture(rng, 600, 600) for n in range(5)}))
    assert len(own.patches) == 150
    assert own.used == 2


def test_what_cannot_be_read_in_time_is_left_out_and_counted(rng, monkeypatch):
    files = {"a.png": picture(rng, 600, 600), "b.png": picture(rng, 600, 600), "c.txt": b"hello"}
    clock = iter([5.0, 5.0, 6.0, 7.0])  # When it begins, and before each file.
    monkeypatch.setattr(upload.time, "thread_time", lambda: next(clock))
    monkeypatch.setattr(upload, "MOST_SECONDS", 1.5)
    own = read_zip(packed(files))
    assert (own.used, own.skipped, own.unread) == (2, 0, 1)
    assert "200 patches from 2 pictures. The last file was left out" in upload._what_was_taken(own)


def test_a_small_archive_of_huge_pictures_is_given_up_in_time(monkeypatch):
    file = io.BytesIO()
    Image.new("1", (4990, 5000)).save(file, "PNG", compress_level=9)
    bomb = packed({f"{n}.png": file.getvalue() for n in range(200)})
    assert len(bomb.getvalue()) < 100_000
    monkeypatch.setattr(upload, "MOST_SECONDS", 0.2)
    began = time.thread_time()
    with pytest.raises(ValueError, match="take too long to read"):
        read_zip(bomb)
    assert time.thread_time() - began < 3  # All of them would take about half a minute.


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"])
def test_what_is_no_archive_is_refused(content):
    with pytest.raises(ValueError, match="not a ZIP archive, or it is damaged"):
        read_zip(io.BytesIO(content))


def test_a_damaged_file_in_a_whole_archive_is_skipped(rng):
    file = packed({f"{n}.png": picture(rng, 600, 600) for n in range(3)})
    content = bytearray(file.getvalue())
    content[5000:5050] = bytes(50)
    own = read_zip(io.BytesIO(content))
    assert (own.used, own.skipped) == (2, 1)


def test_too_few_pictures_are_refused_with_the_numbers(rng):
    with pytest.raises(ValueError, match=r"At least 64 patches .* the 1 pictures .* give 15"):
        read_zip(packed({"a.png": picture(rng)}))
    with pytest.raises(ValueError, match="the 0 pictures in this archive give 0"):
        read_zip(packed({}))


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(monkeypatch):
    bomb = packed({"a.png": bytes(15_000_000)})
    assert len(bomb.getvalue()) < 20_000
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("was unpacked"))
    with pytest.raises(ValueError, match="unpacks to far more than pictures do"):
        read_zip(bomb)


def test_too_many_bytes_are_refused(rng, monkeypatch):
    monkeypatch.setattr(upload, "MOST_BYTES", 3_000_000)
    monkeypatch.setattr(upload, "MOST_BYTES_A_FILE", 1_000_000)
    with pytest.raises(ValueError, match="would have 4 MB; at most 3 MB are allowed"):
        read_zip(packed({f"{n}.bin": rng.bytes(1_000_000) for n in range(4)}, compresslevel=0))
    with pytest.raises(ValueError, match="and 1 MB a file"):
        read_zip(packed({"a.bin": rng.bytes(1_000_001)}, compresslevel=0))


def test_too_many_files_are_refused():
    with pytest.raises(ValueError, match="There are 2,001 files in this archive"):
        read_zip(packed({f"{n}.png": b"" for n in range(2001)}))


def test_an_archive_that_lies_about_a_size_gives_nothing_more(rng, monkeypatch):
    file = packed({f"{n}.png": picture(rng, 600, 600) for n in range(2)})
    content = bytearray(file.getvalue())
    # The size of the last file in the directory at the end: 24 bytes into its entry.
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (10).to_bytes(4, "little")
    own = read_zip(io.BytesIO(content))
    assert (own.used, own.skipped) == (1, 1)


def test_a_locked_archive_is_refused(rng):
    content = bytearray(packed({"a.png": picture(rng)}).getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    with pytest.raises(ValueError, match="locked with a password"):
        read_zip(io.BytesIO(content))


def test_a_picture_of_too_many_pixels_is_reduced(rng, monkeypatch):
    monkeypatch.setattr(upload, "MOST_PIXELS", 40_000)
    own = read_zip(packed({f"{n}.png": picture(rng, 800 + n, 800) for n in range(8)}))
    assert (own.used, own.skipped) == (8, 0)
    # 200 by 199 at most, halved: three by three patches of each.
    assert len(own.patches) == 8 * 9


def digits(count, ink, paper, alpha=False) -> dict[str, bytes]:
    """Files of 28 by 28 pixels with a stroke across."""
    files = {}
    for number in range(count):
        grey = np.full((28, 28), paper, np.uint8)
        grey[8:20, 6 + number % 12 : 10 + number % 12] = ink
        pixels = grey
        if alpha:
            opacity = np.where(grey == ink, 255, 0).astype(np.uint8)
            pixels = np.dstack([np.full((28, 28, 3), ink, np.uint8), opacity])
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files[f"{number}.png"] = file.getvalue()
    return files


def test_ink_on_transparent_is_ink_on_white():
    own = read_zip(packed(digits(70, 0, 99, alpha=True)))
    np.testing.assert_array_equal(own.patches[:, 0, 0, 0], 255)
    assert own.patches[0, 10, 7, 0] == 0


@pytest.mark.parametrize(
    ("ink", "paper", "asked"),
    [(0, 255, True), (20, 200, True), (255, 0, False), (200, 90, False)],
)
def test_digits_that_are_dark_on_light_are_asked_about(ink, paper, asked):
    assert read_zip(packed(digits(70, ink, paper))).dark_on_light == asked


def test_light_photos_are_not_taken_for_digits(rng):
    photos = {f"{n}.png": picture(rng, 620, 340) for n in range(2)}
    assert not read_zip(packed(photos)).dark_on_light


def test_what_systems_leave_in_an_archive_is_not_counted():
    left = {
        "__MACOSX/._0.png": b"\0\5\x16\7",
        "__MACOSX/0.png": b"",
        "more/._1.png": b"\0\5\x16\7",
        ".DS_Store": b"\0\0\0\1Bud1",
        "more/.DS_Store": b"",
        "Thumbs.db": b"",
    }
    own = read_zip(packed(left | digits(70, 255, 0)))
    assert (own.used, own.skipped) == (70, 0)
