"""Measures how well speech is understood: ``python -m train.evaluate.speech [METHOD ...]``.

STOI needs the package ``pystoi``, PESQ ``pesq``, whose licence allows measuring and no more; what
is not installed is left out.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module

import numpy as np

from imaging.audio import RATE, si_sdr
from models.catalogue import load_catalogue
from models.methods import find_method, method_names
from models.tasks.data_folder import data_folder
from models.tasks.denoise_speech import TASK
from models.tasks.spoken_digits import load_mixtures

Measure = Callable[[np.ndarray, np.ndarray], float]


def measures() -> dict[str, Measure]:
    """Return the measures that are installed, by title."""
    found: dict[str, Measure] = {"SI-SDR": si_sdr}
    for title, package, call in (
        ("STOI", "pystoi", lambda module, a, b: module.stoi(a, b, RATE)),
        ("PESQ", "pesq", lambda module, a, b: module.pesq(RATE, a, b, "nb")),
    ):
        try:
            module = import_module(package)
        except ModuleNotFoundError:
            continue
        found[title] = lambda a, b, module=module, call=call: float(call(module, a, b))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print a line for the noisy recordings and for each method."""
    cards = load_catalogue()
    known = method_names(TASK, cards)
    parser = argparse.ArgumentParser(prog="python -m train.evaluate.speech")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(known))
    names = parser.parse_args(arguments).methods or known
    if unknown := set(names) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}")
    examples = load_mixtures(data_folder(), "test")
    methods = {"noisy": lambda noisy: noisy}
    for name in names:
        methods[name] = find_method(TASK, name, cards).run
    for name, run in methods.items():
        answers = [(clean, run(noisy)) for clean, noisy, _ in examples]
        means = {
            title: np.mean([measure(*pair) for pair in answers])
            for title, measure in measures().items()
        }
        print(name, ", ".join(f"{title} {value:.3f}" for title, value in means.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
