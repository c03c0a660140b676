"""The colours of both themes can be told apart by everyone."""

import tomllib
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[1] / ".streamlit" / "config.toml"
THEMES = ("light", "dark")


def theme(name: str) -> dict:
    return tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"][name]


def backgrounds(name: str) -> list[str]:
    places = (theme(name), theme(name)["sidebar"])
    return [
        place[key] for place in places for key in ("backgroundColor", "secondaryBackgroundColor")
    ]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_has_the_highest_contrast_there_is():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("role", ["textColor", "linkColor", "primaryColor"])
def test_text_is_readable_on_every_background(name: str, role: str):
    colour = theme(name)[role]
    too_faint = {b: contrast(colour, b) for b in backgrounds(name) if contrast(colour, b) < 4.5}
    assert not too_faint


def mixed(one: str, other: str, share: float) -> str:
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


@pytest.mark.parametrize("name", THEMES)
def test_small_print_is_readable_on_every_background(name: str):
    # Streamlit fades the text of captions and placeholders to 60 %.
    text = theme(name)["textColor"]
    found = {b: contrast(mixed(text, b, 0.6), b) for b in backgrounds(name)}
    assert not {b: value for b, value in found.items() if value < 4.5}


@pytest.mark.parametrize("name", THEMES)
def test_every_chart_line_stands_out_from_the_page(name: str):
    page = theme(name)["backgroundColor"]
    lines = theme(name)["chartCategoricalColors"]
    assert not {line: contrast(line, page) for line in lines if contrast(line, page) < 3}


def test_both_themes_set_the_same_colours():
    assert theme("light").keys() == theme("dark").keys()
