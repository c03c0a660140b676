"""The settings of a training as text, for people."""

from imaging.noise import NOISE_KINDS
from train.config import Noise


def title_of(setting: str) -> str:
    """Return the name of a setting, for people."""
    return setting.replace("_", " ")


def as_text(value: object) -> str:
    """Return the value of a setting, for people."""
    match value:
        case None | () | "":
            return "none"
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case [Noise(), *_]:
            return ", ".join(_noise_as_text(entry) for entry in value)
        case list() | tuple():
            return "-".join(map(str, value))
    return str(value)


def _noise_as_text(entry: Noise) -> str:
    title = NOISE_KINDS[entry.kind].title if entry.kind in NOISE_KINDS else entry.kind
    span = f"{entry.low:g}" if entry.low == entry.high else f"{entry.low:g} to {entry.high:g}"
    return f"{title} {span}"
