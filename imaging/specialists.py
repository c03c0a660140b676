"""Classical filters that know one kind of noise."""

from imaging.classical import Classical

SPECIALISTS: dict[str, Classical] = {}
