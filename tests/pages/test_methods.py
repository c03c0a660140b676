"""All methods on one picture: each is run, and its time is its own."""

import time

import numpy as np

from models.methods import Method, method_names
from models.tasks.denoise_digits import TASK
from pages.components import methods
from pages.components.methods import load_methods, run_all

DIGIT = np.zeros((28, 28, 1), np.float32)


def test_each_method_runs_once_and_its_time_is_its_own(monkeypatch):
    runs = []

    def load(task, name, *others):
        def denoise(noisy, sigma):
            runs.append(name)
            time.sleep(0.1 if len(runs) == 1 else 0)
            return noisy

        return Method(name, name, "test", "", denoise)

    monkeypatch.setattr(methods, "find_method", load)
    first, *others = run_all(TASK, {}, ("gaussian", 0.5), DIGIT, 0.5)
    assert runs == method_names(TASK, {})
    assert first.milliseconds >= 100
    assert all(result.milliseconds < 80 for result in others)


def test_methods_of_one_name_are_told_apart_by_numbers(monkeypatch):
    def find(task, name, *others):
        return Method(name, "Mine", "test", "", lambda noisy, sigma: noisy)

    monkeypatch.setattr(methods, "find_method", find)
    monkeypatch.setattr(methods, "method_names", lambda *_: ["a", "b", "c"])
    found, problems = load_methods(TASK, {})
    assert [(each.name, each.title) for each in found] == [
        ("a", "Mine"),
        ("b", "Mine (2)"),
        ("c", "Mine (3)"),
    ]
    assert not problems
