"""Small pictures decoded from codes, as many as fit on the map of codes side by side."""

import numpy as np

from models.inspection.network import OpenedNetwork
from models.studies.codes import CodeMap
from pages.components.gallery import data_url, png

CELLS = 16  # to a side of the map, one thumbnail in each at most


def make_thumbnails(network: OpenedNetwork, code_map: CodeMap, method: str) -> dict[int, str]:
    """Return pictures as data URLs, by the index of their code, for the map "pca" or "tsne"."""
    chosen = spread_over_cells(code_map.places(method), CELLS)
    pictures = network.decode(code_map.codes[chosen])
    return {
        int(index): data_url(png(picture), "png")
        for index, picture in zip(chosen, pictures, strict=True)
    }


def spread_over_cells(places: np.ndarray, cells: int) -> np.ndarray:
    """Return the indices of points ``(N, 2)``, one for each cell of a grid that has any.

    It is the one nearest to the middle of its cell, so that pictures there overlap little.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - low) / (high - low) * cells
    cell = np.minimum(scaled.astype(int), cells - 1)
    off_centre = np.square(scaled - cell - 0.5).sum(axis=1)
    order = np.lexsort((off_centre, cell[:, 1], cell[:, 0]))
    _, first = np.unique(cell[order], axis=0, return_index=True)
    return order[first]
