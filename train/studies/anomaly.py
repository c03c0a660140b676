"""How badly digits, letters, clothes and noise are rebuilt; needs ``autoencoders``.

Pictures are ``(N, 28, 28, 1)``, ``float32`` in [0, 1]; scores are ``(N,)``.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imaging.digit_fit import SIDE
from imaging.pixels import to_image
from imaging.samples.synthetic_digits import draw_digit
from models.catalogue import find_card
from models.digit_scores import evenly, noisy_pictures
from models.predictor import load_predictor
from models.studies.anomaly import area, brightness, rebuild_error, roc
from models.studies.autoencoders import read_autoencoders
from train.fit.data import load_pictures
from train.studies.pixel_order import DRAWN, LETTERS, TEST_NOISE
from train.studies.shared import SEED, rounded, write_arrays

OF_EACH_KIND = 1_000  # pictures that a detector is measured on


LETTER_NAMES = "AKR"  # An S looks too much like a 5 to be called no digit.


def make_anomaly(folder: Path, runs: Path) -> dict:
    """Score pictures of every kind by every detector, and measure the area under each ROC curve."""
    kinds = anomaly_pictures()
    scores = {
        detector: {kind: score(pictures) for kind, pictures in kinds.items()}
        for detector, score in detectors(folder).items()
    }
    write_arrays(
        folder / "scores.npz",
        {
            f"{detector}/{kind}": np.sort(values)
            for detector, by_kind in scores.items()
            for kind, values in by_kind.items()
        },
    )
    return {
        "pictures": OF_EACH_KIND,
        "letters": LETTER_NAMES,
        "area": {
            detector: {
                kind: rounded(area(*roc(by_kind["digits"], values)))
                for kind, values in by_kind.items()
                if kind != "digits"
            }
            for detector, by_kind in scores.items()
        },
    }


def detectors(folder: Path) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what scores pictures by name: errors of rebuilding, and brightness to compare with."""
    networks, _ = read_autoencoders(folder)
    convolutional = load_predictor(find_card("conv-reconstruct")).predict_batch
    rebuilders = {f"dense-{width}": network.rebuild for width, network in networks.items()}
    rebuilders["conv-reconstruct"] = convolutional

    def scorer(rebuild: Callable[[np.ndarray], np.ndarray]):
        return lambda pictures: rebuild_error(pictures, rebuild(pictures))

    errors = {name: scorer(rebuild) for name, rebuild in rebuilders.items()}
    return errors | {"brightness": brightness}


def anomaly_pictures() -> dict[str, np.ndarray]:
    """Return pictures by kind, as many of each.

    "drawn" are digits by the program that also draws the letters: they show whether a detector
    reacts to the letter or to the pen.
    """
    digits, _ = load_pictures("mnist")[1]
    clothes, _ = load_pictures("fashion-mnist")[1]
    return {
        "digits": to_image(evenly(OF_EACH_KIND, digits)),
        "drawn": draw("0123456789", DRAWN),
        "letters": draw(LETTER_NAMES, LETTERS),
        "clothes": to_image(evenly(OF_EACH_KIND, clothes)),
        "noise": pure_noise(),
    }


def draw(names: str, stream: int) -> np.ndarray:
    """Draw the named digits or letters in turn, each in a random hand."""
    rng = np.random.default_rng((SEED, stream))
    return np.stack([draw_digit(names[i % len(names)], rng) for i in range(OF_EACH_KIND)])


def pure_noise() -> np.ndarray:
    """Return pictures of nothing but noise, of the strength that denoisers are tested with."""
    nothing = np.zeros((OF_EACH_KIND, SIDE, SIDE, 1), np.float32)
    return noisy_pictures(nothing, *TEST_NOISE)
