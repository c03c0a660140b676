"""What the sections on codes, PCA, pixel order and anomalies put into the link of the page.

Each setting has a usual value and a parser, by the key of its control.  (They stand apart from
the sections, which need the rest of the page.)
"""

from collections.abc import Sequence

from models.studies.lab import WIDTHS
from pages.components import link

NUMBERS = 10  # of the code
HIGHEST = 100  # No digit's code has a number as large.
BETWEEN = "_"
MAPS = {"tsne": "t-SNE", "pca": "PCA"}
PICTURES = {
    "digit": "This digit",
    "letter-a": "A",
    "letter-k": "K",
    "letter-r": "R",
    "smiley": "Smiley",
    "shirt": "Shirt",
    "boot": "Boot",
    "cat": "Cat",
    "noise": "Noise",
}
KINDS = {"letters": "Letters", "clothes": "Clothes", "noise": "Noise", "drawn": "Drawn digits"}
DETECTORS = {
    **{f"dense-{width}": f"Autoencoder, {width} hidden units" for width in WIDTHS},
    "conv-reconstruct": "Convolutional autoencoder",
    "brightness": "Brightness alone, no network",
}
FALSE_ALARMS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def usual() -> dict[str, object]:
    """Return what the controls show on arrival."""
    return {
        "code_values": None,
        "code_goal": "4",
        "code_map": "tsne",
        "pca_width": 8,
        "anomaly_picture": "cat",
        "anomaly_detector": "dense-16",
        "anomaly_kind": "letters",
        "anomaly_allowed": 0.05,
    }


def parsers() -> dict[str, link.Parser]:
    """Return the parser of each setting."""
    return {
        "code_values": _parse_code,
        "code_goal": link.one_of("digit to walk to", [*"0123456789"]),
        "code_map": link.one_of("map", MAPS),
        "pca_width": _one_of_numbers("number of components", WIDTHS),
        "anomaly_picture": link.one_of("picture", PICTURES),
        "anomaly_detector": link.one_of("detector", DETECTORS),
        "anomaly_kind": link.one_of("kind of picture", KINDS),
        "anomaly_allowed": _one_of_numbers("share of false alarms", FALSE_ALARMS),
    }


def code_to_text(code: Sequence[float]) -> str:
    """Return a code as the link carries it, to tenths."""
    return BETWEEN.join(f"{value:.1f}" for value in code)


def code_from_text(text: str) -> list[float]:
    """Return the code that ``code_to_text`` wrote; raise ``ValueError`` where it is none."""
    code = [float(value) for value in text.split(BETWEEN)]
    if len(code) != NUMBERS or not all(abs(value) < HIGHEST for value in code):
        raise ValueError(f"a code is {NUMBERS} numbers below {HIGHEST}, got {text!r}")
    return code


def _parse_code(text: str) -> str:
    try:
        return code_to_text(code_from_text(text))
    except ValueError as error:
        raise ValueError(
            f"The link asks for the code {link.quoted(text)}, but a code is {NUMBERS} numbers. "
            "The digit's own is shown instead."
        ) from error


def _one_of_numbers(what: str, known: tuple[float, ...]) -> link.Parser:
    by_text = {f"{value:g}": value for value in known}
    parse = link.one_of(what, by_text)
    return lambda text: by_text[parse(text)]
