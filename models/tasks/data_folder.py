"""Where data sets are looked for."""

from pathlib import Path

from models.environment import folder

DATA, KERAS = "DENOISE_DATA_DIR", "KERAS_HOME"
# When the program starts: later it may start workers, from another folder.
for _name in (DATA, KERAS):
    folder(_name)


def data_folder() -> Path | None:
    """Return the folder named by ``DENOISE_DATA_DIR``, None where it is unset or missing."""
    named = folder(DATA)
    return named if named and named.is_dir() else None


def keras_folder() -> Path:
    """Return where Keras keeps what it downloads."""
    return folder(KERAS) or Path.home() / ".keras"
