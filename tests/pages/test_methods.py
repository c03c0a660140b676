"""All methods on one picture: each is run, and its time is its own."""

import time

import numpy as np

from models.methods import Method, method_names
from models.tasks.denoise_digits import TASK
from pages.components import methods
from pages.components.methods import run_all

DIGIT = np.zeros((28, 28, 1), np.float32)


def test_the_time_of_a_method_is_that_of_its_faster_run(monkeypatch):
    def slow_at_first(task, name, *others):
        waits = iter((0.2, 0.0))

        def denoise(noisy, sigma):
            time.sleep(next(waits))
            return noisy

        return Method(name, name, "test", "", denoise)

    monkeypatch.setattr(methods, "load_method", slow_at_first)
    results = run_all(TASK, {}, ("gaussian", 0.5), DIGIT, 0.5)
    assert len(results) == len(method_names(TASK, {}))
    assert all(result.milliseconds < 150 for result in results)
