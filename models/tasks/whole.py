"""How far a picture is reduced for a network that must see all of it at once."""

import math

MOST_PIXELS = 800_000  # Of what the network gets.


def seen_size(
    height: int, width: int, share: float, multiple: int = 1, margin: int = 0
) -> tuple[int, int]:
    """Return height and width at which a network sees a picture, ``share`` of its own at most.

    What is laid around it counts: a ``margin`` to each side, and more to the next ``multiple``.  A
    picture that is long and thin is reduced further, until that has ``MOST_PIXELS`` or fewer.
    """
    while True:
        seen = max(1, round(height * share)), max(1, round(width * share))
        given = math.prod(side + 2 * margin + -side % multiple for side in seen)
        if given <= MOST_PIXELS:
            return seen
        share *= math.sqrt(MOST_PIXELS / given)
