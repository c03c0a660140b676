"""All methods on one picture: each is run, and its time is its own."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.methods import Method, method_names
from models.tasks.denoise_digits import TASK
from pages.components import methods
from pages.components.methods import load_methods, run_all

DIGIT = np.zeros((28, 28, 1), np.float32)


def test_each_method_runs_once_and_its_time_is_its_own(monkeypatch):
    runs, clock = [], SimpleNamespace(now=0)

    def load(task, name, *others):
        def denoise(noisy, sigma):
            runs.append(name)
            clock.now += len(runs)
            return noisy

        return Method(name, name, "test", "", denoise)

    monkeypatch.setattr(methods, "find_method", load)
    monkeypatch.setattr(methods, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    results = run_all(TASK, {}, ("gaussian", 0.5), DIGIT, 0.5)
    assert runs == method_names(TASK, {})
    taken = [1000 * number for number in range(1, len(runs) + 1)]
    assert [result.milliseconds for result in results] == pytest.approx(taken)


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
