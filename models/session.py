"""Opens a model file with onnxruntime, after a check that it is the one its card describes."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from models.catalogue import Card, ModelError
from models.host import (
    at_low_priority,
    cores,
    give_memory_back,
    keep_algebra_to_one_thread,
    keep_large_blocks_apart,
)
from models.tasks import find_task

SKIPS = "skips"  # Where a file keeps which skip connections it has.
# The maps that come from below where a skip connection ends, and those that come around the middle.
Skips = Mapping[str, tuple[int, int]]

_THREADS = min(2, cores())  # of a large network
# As many large networks answer at a time as have threads for themselves: more would do no more in a
# second, and each holds what a tile needs.
_turns = threading.BoundedSemaphore(cores() // _THREADS)


def open_session(card: Card, without: Skips | None = None) -> ort.InferenceSession:
    """Open the weights of a card, after a check that they are the ones it describes.

    ``without`` are skip connections, some of what ``skips_of`` returns, that pass nothing on.

    Raises:
        ModelError: if they are missing, damaged, or those of another network.
    """
    session = _open_undamaged(card, card.weights, card.sha256, without)
    shapes = [each.shape[1:] for each in session.get_inputs()]
    names = tuple(each.name for each in session.get_inputs())
    sides = [card.size, card.size] if card.size else shapes[0][:2]
    if names != find_task(card.task).inputs or shapes[0] != [*sides, card.channels]:
        raise ModelError(
            f"The weights of the model {card.name} do not belong to its card: they take {shapes}."
        )
    return session


def skips_of(session: ort.InferenceSession) -> dict[str, tuple[int, int]]:
    """Return the skip connections of a network for any size that can be cut, the finest first."""
    about = session.get_modelmeta().custom_metadata_map.get(SKIPS, "{}")
    return {name: (below, around) for name, (below, around) in json.loads(about).items()}


def open_parts(card: Card) -> dict[str, ort.InferenceSession]:
    """Open the smaller networks of a card, by name; errors are those of ``open_session``."""
    return {
        name: _open_undamaged(card, card.folder / f"{name}.onnx", sha256)
        for name, sha256 in card.parts.items()
    }


def run_session(
    session: ort.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Return these outputs for a batch; a network for one picture is run once for each.

    Inputs and outputs are ``(N, ...)``, of the types and shapes that the network says.
    """
    if session.get_session_options().enable_cpu_mem_arena:  # A small one.
        return _run(session, outputs, inputs)
    # Whoever calls works on a part, and spins until the threads of low priority have done theirs:
    # with a higher one it would take the processor from the very threads that it waits for.
    with _turns:
        return at_low_priority(lambda: _run(session, outputs, inputs))


def _run(
    session: ort.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    first = session.get_inputs()[0]
    count = len(inputs[first.name])
    if first.shape[0] != 1 or count == 1:
        return session.run(outputs, inputs)
    if not count:  # The answer to no pictures has the right shape.
        nothing = {
            name: np.zeros((1, *value.shape[1:]), value.dtype) for name, value in inputs.items()
        }
        return [each[:0] for each in session.run(outputs, nothing)]
    answers = [
        session.run(outputs, {name: value[place : place + 1] for name, value in inputs.items()})
        for place in range(count)
    ]
    return [np.concatenate(each) for each in zip(*answers, strict=True)]


def _open_undamaged(
    card: Card, path: Path, sha256: str, without: Skips | None = None
) -> ort.InferenceSession:
    try:
        weights = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"The weights of the model {card.name} are missing.") from None
    except OSError as error:
        raise ModelError(f"The weights of the model {card.name} cannot be read: {error}") from error
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise ModelError(
            f"The weights of the model {card.name} are damaged: "
            "their SHA-256 is not the one on its card."
        )
    del weights
    try:
        return open_small(path) if card.size else open_large(path, without)
    except Exception as error:  # onnxruntime raises many types that share no base class.
        raise ModelError(
            f"The weights of the model {card.name} cannot be loaded: {error}"
        ) from error


def open_small(weights: Path) -> ort.InferenceSession:
    """Open a network that answers in about a millisecond; onnxruntime's own errors come through.

    By its path: given the bytes, onnxruntime would keep them beside what it makes of them.
    """
    options = ort.SessionOptions()
    # Waking a second thread would take longer than the answer.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # It warns of inputs that have a default value: ours are meant.
    return ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def open_large(weights: Path, without: Skips | None = None) -> ort.InferenceSession:
    """Open a network whose work takes seconds, so that other visitors do not notice it.

    Its threads have a low priority, do not spin while they wait, and give the memory of a tile
    back after it.  ``without`` is that of ``open_session``.
    """
    keep_large_blocks_apart()
    keep_algebra_to_one_thread()
    options = ort.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    factors = {name: _factors(*maps) for name, maps in (without or {}).items()}
    for name, values in factors.items():
        options.add_initializer(name, values)
    session = at_low_priority(
        lambda: ort.InferenceSession(
            weights,
            options,
            providers=["CPUExecutionProvider"],
            # It would work with the factors of the file; without it a network is a third slower.
            disabled_optimizers=["ConstantFolding"] if without else None,
        )
    )
    vars(session)["factors"] = factors  # It reads them at every run, and does not keep them alive.
    give_memory_back()
    return session


def _factors(below: int, around: int) -> ort.OrtValue:
    factors = np.ones((1, below + around, 1, 1), np.float32)
    factors[:, below:] = 0
    return ort.OrtValue.ortvalue_from_numpy(factors)
