"""Trains, measures and ships what the Inside page shows of codes, PCA, pixel order and anomalies.

``python -m train lab`` does all of it, in four parts that can be named.  Networks train in run
folders, as everywhere, and one that is finished is not trained again.

    autoencoders  dense autoencoders of 2 to 128 hidden units, and PCA with as many components
    order         a dense and a convolutional denoiser, each on digits as they are and on digits
                  whose pixels are all shuffled in one fixed way
    codes         2,000 test digits as the 10 numbers of ``conv-code-10``, and maps of these
    anomaly       how badly digits, letters, clothes and noise are rebuilt; needs ``autoencoders``

Everything lands in ``models/studies/data``: arrays in half precision, convolutional networks as
ONNX, and the measured numbers in ``card.json``.  No picture of a data set is among it.
"""

import json
from collections.abc import Callable
from pathlib import Path

from models.studies.storage import LAB
from train.run_folder import RUNS
from train.studies.anomaly import make_anomaly
from train.studies.autoencoders import make_autoencoders
from train.studies.codes import make_codes
from train.studies.pixel_order import make_order
from train.studies.shared import write_numbers


def make_lab(
    parts: list[str], folder: Path = LAB, runs: Path = RUNS, say: Callable[[str], None] = print
) -> None:
    """Make the named parts, and put their numbers into the card, beside those of the others.

    Raises:
        ValueError: if there is no such part.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise ValueError(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    folder.mkdir(parents=True, exist_ok=True)
    for part, make in PARTS.items():
        if part in parts:
            numbers = make(folder, runs)
            write_numbers(folder, part, numbers)
            say(f"{part}: {json.dumps(numbers)}")


PARTS: dict[str, Callable[[Path, Path], dict]] = {
    "autoencoders": make_autoencoders,
    "order": make_order,
    "codes": make_codes,
    "anomaly": make_anomaly,
}
