"""Which digit is it?  The reader that tells whether a digit survived the noise or its removal.

picture (28, 28, 1) --network--> probabilities (10,) of the digits 0 to 9
"""

import numpy as np

from imaging.digit_fit import SIDE
from models.tasks.contract import Examples, Metric, Network, Settings, Signal, Task, Watch
from models.tasks.digits import DIGIT_SETS, noisy_and_clean, validation


def batch(
    examples: Examples, chosen: np.ndarray, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures ``(N, 28, 28, 1)`` with some noise, and their labels ``(N,)``."""
    noisy, _ = noisy_and_clean(examples, chosen, settings, rng)
    return noisy, examples.labels[chosen]


def labelled_validation(
    examples: Examples, settings: Settings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return all pictures ``(N, 28, 28, 1)`` with noise that is drawn once, and their labels."""
    return validation(examples, settings, rng)[0], examples.labels


def solve(
    network: Network, picture: np.ndarray, hint: None = None, watch: Watch | None = None
) -> np.ndarray:
    """Return the probabilities ``(10,)`` of the digits for one picture ``(28, 28, 1)``."""
    return network(image=np.asarray(picture, np.float32)[np.newaxis])[0]


DIGIT = Signal("label", labels=tuple("0123456789"))


def accuracy(description: str) -> Metric:
    """Return the share of examples whose likeliest label is the true one."""
    return Metric(
        "accuracy",
        "Accuracy",
        "",
        lambda target, answer: float(np.argmax(answer) == target),
        description,
        decimals=4,
    )


TASK = Task(
    name="read-digits",
    title="Read digits",
    description="Says which digit it sees, and how sure it is.",
    input=Signal("image", channels=1, size=SIDE),
    target=DIGIT,
    words=("Digit", "Picture", "Read"),
    metrics=(accuracy("The share of digits that are read correctly."),),
    losses=("sparse_categorical_crossentropy",),
    watch=("accuracy",),
    data={name: data for name, data in DIGIT_SETS.items() if not data.uploaded},
    batch=batch,
    validation=labelled_validation,
    solve=solve,
)
