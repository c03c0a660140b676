"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIGHT = ("imaging/**/*.py", "models/*.py", "models/tasks/**/*.py", "train/*.py")
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for pattern in LIGHT
    for path in ROOT.glob(pattern)
    if ">>>" in path.read_text(encoding="utf-8")
)


def test_a_noise_and_a_network_have_an_example():
    assert {"imaging.noise", "models.predictor"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_it_says(name):
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0
