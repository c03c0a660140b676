"""Where data sets are looked for."""

import os
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder named by ``DENOISE_DATA_DIR``, None where it is unset or missing."""
    named = os.environ.get("DENOISE_DATA_DIR")
    folder = Path(named).expanduser() if named else None
    return folder if folder and folder.is_dir() else None


def keras_folder() -> Path:
    """Return where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
