"""Things that have a name, in tables: kinds of noise, filters, samples, tasks, recipes."""

from collections.abc import Iterable, Mapping
from typing import Any


def by_name(things: Iterable[Any]) -> dict[str, Any]:
    """Return a table of things by their ``name``, in their order."""
    return {thing.name: thing for thing in things}


def found(table: Mapping[str, Any], name: str, what: str) -> Any:
    """Return the entry of that name; raise ``ValueError`` that lists the known names.

    ``what`` is what the entries are, as in "unknown noise".
    """
    try:
        return table[name]
    except (KeyError, TypeError):
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}") from None
