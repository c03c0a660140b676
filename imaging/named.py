"""Things that have a name, in tables: kinds of noise, filters, samples, tasks, recipes."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """What it is listed under."""


HasName = TypeVar("HasName", bound=Named)
Thing = TypeVar("Thing")


def by_name(things: Iterable[HasName]) -> dict[str, HasName]:
    """Return a table of things by their ``name``, in their order."""
    return {thing.name: thing for thing in things}


def found(table: Mapping[str, Thing], name: str, what: str) -> Thing:
    """Return the entry of that name; raise ``ValueError`` that lists the known names.

    ``what`` is what the entries are, as in "unknown noise".
    """
    try:
        return table[name]
    except (KeyError, TypeError):
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}") from None
