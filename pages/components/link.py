"""The part of a page's state that lives in its link, beyond what widgets bind themselves.

A drawing travels as its 784 grey values, compressed: the same link gives the same pixels
in any browser.
"""

import base64
import binascii
import zlib
from collections.abc import Collection, Mapping

import numpy as np

from imaging.noise import NOISE_KINDS

SIDE = 28
LONGEST = 1600  # characters; incompressible grey values take 1,066


def drawing_to_text(digit: np.ndarray) -> str:
    """Return a ``(28, 28, 1)`` picture in [0, 1] as text that is safe in a link."""
    pixels = np.rint(digit * 255).astype(np.uint8).tobytes()
    return base64.urlsafe_b64encode(zlib.compress(pixels, 9)).decode().rstrip("=")


def drawing_from_text(text: str) -> np.ndarray:
    """Return the ``(28, 28, 1)`` float32 picture that ``drawing_to_text`` wrote.

    Raises:
        ValueError: if the text is no such picture.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters")
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        # A limit, because a few bytes can unpack to gigabytes.
        pixels = zlib.decompressobj().decompress(packed, SIDE * SIDE + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"not a drawing: {error}") from error
    if len(pixels) != SIDE * SIDE:
        raise ValueError(f"a drawing has {SIDE * SIDE} pixels, got {len(pixels)}")
    grey = np.frombuffer(pixels, np.uint8).astype(np.float32) / 255
    return grey.reshape(SIDE, SIDE, 1)


def problems_in_link(
    params: Mapping[str, str], choices: Mapping[str, Collection[str]]
) -> list[str]:
    """Return a sentence for each value of the link that no control can take.

    ``choices`` lists, for each parameter that is a choice, what can be chosen.
    """
    problems = [
        f"The link asks for {_quoted(params[name])} as {name}, which does not exist here. "
        f"The usual {name} is shown instead."
        for name, known in choices.items()
        if name in params and params[name] not in known
    ]
    kind = NOISE_KINDS.get(params.get("noise", "gaussian"))
    if kind and "strength" in params:
        number = _number(params["strength"])
        if number is None or not kind.low <= number <= kind.high:
            problems.append(
                f"The link asks for the strength {_quoted(params['strength'])}, but "
                f"{kind.title} noise goes from {kind.low:g} to {kind.high:g}. "
                f"It is set to {kind.default:g}."
            )
    if "seed" in params and not (params["seed"].isdecimal() and int(params["seed"]) <= 9999):
        problems.append(
            f"The link asks for the seed {_quoted(params['seed'])}, but a seed is a whole "
            "number from 0 to 9999. It is set to 0."
        )
    if "drawing" in params:
        try:
            drawing_from_text(params["drawing"])
        except ValueError:
            problems.append(
                "The drawing in the link is damaged, so a sample is shown instead. "
                "Was the link cut off when it was copied?"
            )
    return problems


def _quoted(value: str) -> str:
    """The value as inline code, short and with nothing that Markdown would interpret."""
    return "`" + "".join(c for c in value[:40] if c.isprintable() and c != "`") + " `"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
