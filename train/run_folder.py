"""The run folder: the files through which a training and its watchers talk.

    config.json           the settings; written before the training starts
    drawing.png           a picture of the visitor's own to watch, 28x28, if there is one
    own.npz               pictures of the visitor's own to train on, if they are the data
    progress.jsonl        one line per event, only ever appended to
    checkpoint.keras      network and optimizer, to go on from
    probes/epoch-0003.png clean, noisy and denoised fixed pictures after epoch 3
    best.keras            the network of the best epoch, where early stopping is on
    model.keras           the finished network
    stop                  whoever creates it asks the training to stop; it can say why

Every event has ``event`` (status, batch, epoch, probe, stop, error), ``time`` (seconds since
1970) and ``step`` (batches trained so far).  A value that is not finite is null.  A file
that others read as a whole is written under a temporary name and renamed.
"""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from models.environment import folder
from train.config import TrainConfig

# A host can put them elsewhere, on a larger disk for instance.
RUNS = folder("DENOISE_RUNS_DIR") or Path(__file__).parent / "runs"


class Run:
    """One run folder; knows the names in it and how to write them safely."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.progress = self.folder / "progress.jsonl"
        self.checkpoint = self.folder / "checkpoint.keras"
        self.model = self.folder / "model.keras"
        self.stop = self.folder / "stop"
        self.drawing = self.folder / "drawing.png"
        self.own = self.folder / "own.npz"
        self.best = self.folder / "best.keras"
        # Of a training on an accelerator.
        self.weights = self.folder / "weights.npz"
        self.done = self.folder / "done.json"

    @classmethod
    def create(cls, folder: str | Path, config: TrainConfig) -> "Run":
        """Make the folder with its ``config.json``.

        Raises:
            FileExistsError: if a run with other settings lives there already.
        """
        run = cls(folder)
        run.folder.mkdir(parents=True, exist_ok=True)
        settings = run.folder / "config.json"
        if settings.exists() and run.read_config() != config:
            raise FileExistsError(
                f"{run.folder} holds a run with other settings; choose another folder or remove it"
            )
        write_whole(settings, lambda path: path.write_text(config.to_json() + "\n"))
        return run

    def read_config(self) -> TrainConfig:
        """Read ``config.json``.

        Raises:
            ValueError: if it is missing or makes no sense.
        """
        settings = self.folder / "config.json"
        try:
            return TrainConfig.from_json(settings.read_text())
        except OSError as error:
            raise ValueError(f"no settings in {self.folder}: {error.strerror}") from error
        except ValueError as error:
            raise ValueError(f"{settings}: {error}") from error

    def why_stop(self) -> str:
        """Return why somebody wants the training to stop, empty where nobody does."""
        try:
            return self.stop.read_text(errors="replace").strip() or "asked"
        except OSError:
            return ""

    def events(self) -> Iterator[dict]:
        """Yield the events of ``progress.jsonl`` so far, in order."""
        if not self.progress.exists():
            return
        with self.progress.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    continue  # It is still being written.
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # It was being written when the training was killed.
                yield event


class ProgressWriter:
    """Appends events to ``progress.jsonl``, at most a fifth of a second late."""

    def __init__(self, path: Path) -> None:
        before = path.read_bytes() if path.exists() else b""
        self._file = path.open("a")
        if before and not before.endswith(b"\n"):  # Killed in the middle of a line.
            self._file.write("\n")
        self._flushed = 0.0

    def write(self, event: str, step: int, **values: object) -> None:
        """Append one event; all but batches are on disk when this returns."""
        now = time.time()
        line = {"event": event, "time": round(now, 3), "step": step}
        line |= {name: _finite(value) for name, value in values.items()}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        if event != "batch" or now - self._flushed > 0.2:
            self._file.flush()
            self._flushed = now

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()


def _finite(value: object) -> object:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and rename it when it is complete."""
    # Two threads of a server may write the same file, as two tabs of a visitor do.
    writer = f"{os.getpid()}-{threading.get_ident()}"
    unfinished = path.with_name(f".{path.stem}-{writer}{path.suffix}")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
