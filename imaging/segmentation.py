"""Regions in pictures: how well found, how separated, counted and measured.

A mask is ``bool (H, W)``.  Instances are whole numbers ``(H, W)``: 0 for the background and one
number for each thing.  Classes are whole numbers ``(H, W)``; in the truth, numbers beyond the last
class are void and count neither way.
"""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy import ndimage

STEPS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2))  # The contest's ten, 0.50 to 0.95.
PATCH, PATCH_SHARE = 16, 0.25  # The road course's: a patch above this share of road is road.
ONE_VALUE = 1 / 1020  # A quarter of a step of 8 bits.
SMALLEST = 20  # pixels; the smallest nucleus of the contest's training pictures has about as many


def overlap(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return pixels that are in both masks, in the answer only, in the target only, in neither.

    ``float64 (4,)``, so that counts of several pictures can be added up.
    """
    target, answer = _pair(target, answer)
    both = np.count_nonzero(target & answer)
    given, wanted = np.count_nonzero(answer), np.count_nonzero(target)
    return np.array([both, given - both, wanted - both, target.size - given - wanted + both], float)


def f1(counts: np.ndarray) -> float:
    """Return 2 TP / (2 TP + FP + FN) of ``overlap``, which is Dice; 1 where there was nothing."""
    both, extra, missed, _ = counts
    return float(2 * both / (2 * both + extra + missed)) if both + extra + missed else 1.0


def jaccard(counts: np.ndarray) -> float:
    """Return TP / (TP + FP + FN) of ``overlap``, which is IoU; 1 where there was nothing."""
    both, extra, missed, _ = counts
    return float(both / (both + extra + missed)) if both + extra + missed else 1.0


def dice(target: np.ndarray, answer: np.ndarray) -> float:
    """Return the Dice coefficient of two masks, 1 where both are empty.

    Source:
        Dice, Ecology 26, 1945, doi:10.2307/1932409.
    """
    return f1(overlap(target, answer))


def patches(mask: np.ndarray, side: int = PATCH, share: float = PATCH_SHARE) -> np.ndarray:
    """Return whether each patch of ``side`` pixels has more than ``share`` of the mask.

    ``bool (ceil(H / side), ceil(W / side))``; a patch at the edge counts the pixels it has.
    """
    rows = np.arange(0, mask.shape[0], side)
    columns = np.arange(0, mask.shape[1], side)
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.int64), rows, 0), columns, 1)
    heights = np.diff([*rows, mask.shape[0]])
    widths = np.diff([*columns, mask.shape[1]])
    return sums > share * np.outer(heights, widths)


def patch_overlap(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return ``overlap`` counted in patches of 16 x 16 pixels, as the road course does."""
    return overlap(patches(target), patches(answer))


def confusion(target: np.ndarray, answer: np.ndarray, classes: int) -> np.ndarray:
    """Return how many pixels of each true class (rows) were called each class (columns).

    ``float64 (classes, classes)``.  Pixels whose truth is void are left out.
    """
    target, answer = _pair(target, answer, None)
    known = (target >= 0) & (target < classes)
    pairs = target[known].astype(np.int64) * classes + answer[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(float)


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """Return the IoU of each class of a confusion matrix, NaN for one that never occurs."""
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    return np.divide(np.diag(matrix), union, out=np.full(len(matrix), np.nan), where=union > 0)


def mean_iou(matrix: np.ndarray) -> float:
    """Return the mean IoU of the classes that occur, NaN where none does."""
    each = class_iou(matrix)
    return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")


def accuracy(matrix: np.ndarray) -> float:
    """Return the share of pixels that were called right, NaN where there are none."""
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")


def class_accuracy(matrix: np.ndarray) -> float:
    """Return the mean over the classes in the truth of the share that was called right."""
    there = matrix.sum(1) > 0
    return float(np.mean(np.diag(matrix)[there] / matrix.sum(1)[there])) if there.any() else np.nan


def matching_iou(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return the IoU of each true instance (rows) with each found one (columns), ``float64``."""
    target, answer = _pair(target, answer, None)
    wanted, target_index = np.unique(target, return_inverse=True)
    found, answer_index = np.unique(answer, return_inverse=True)
    both = np.zeros((len(wanted), len(found)))
    np.add.at(both, (target_index.ravel(), answer_index.ravel()), 1)
    union = both.sum(1)[:, None] + both.sum(0)[None] - both
    return (both / union)[wanted > 0][:, found > 0]


def average_precision(target: np.ndarray, answer: np.ndarray, threshold: float = 0.5) -> float:
    """Return TP / (TP + FP + FN) over the instances of a picture, 1 where both have none.

    A found instance is right where its IoU with a true one is above ``threshold``; from 0.5 on, no
    instance can match two.

    Source:
        The 2018 Data Science Bowl (Caicedo et al., Nature Methods 2019,
        doi:10.1038/s41592-019-0612-7); StarDist reports the same number as AP.
    """
    return _precision(matching_iou(target, answer), threshold)


def mean_average_precision(target: np.ndarray, answer: np.ndarray) -> float:
    """Return the mean of ``average_precision`` at 0.50, 0.55 ... 0.95, the contest's score."""
    matches = matching_iou(target, answer)
    return float(np.mean([_precision(matches, step) for step in STEPS]))


def otsu(grey: np.ndarray) -> np.ndarray:
    """Return where a grey picture is bright: above Otsu's threshold, tidied up; ``bool (H, W)``.

    The picture is blurred by a pixel; specks and holes are taken away.  Nothing is found in a
    picture of one value.

    Source:
        Otsu, IEEE TSMC 1979, doi:10.1109/TSMC.1979.4310076.
    """
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(np.asarray(grey, np.float32), 1)
    # Where sums are rounded differs from place to place, on some processors.
    if smooth.max() - smooth.min() < ONE_VALUE:
        return np.zeros(smooth.shape, bool)
    mask = ndimage.binary_opening(
        smooth > threshold_otsu(smooth), ndimage.generate_binary_structure(2, 1)
    )
    return without_specks(ndimage.binary_fill_holes(mask))


def without_specks(mask: np.ndarray, smallest: int = SMALLEST) -> np.ndarray:
    """Return the mask without its pieces of fewer than ``smallest`` pixels."""
    numbered, _ = ndimage.label(mask, np.ones((3, 3)))
    keep = np.bincount(numbered.ravel()) >= smallest
    keep[0] = False
    return keep[numbered]


def watershed_instances(mask: np.ndarray) -> np.ndarray:
    """Cut a mask where its pieces have waists, ``int32`` instances.

    Basins are the maxima of the smoothed distance to the background, 5 pixels apart or more.

    Source:
        Beucher and Lantuejoul 1979; the distance map as relief is the standard recipe.
    """
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.5)
    peaks = peak_local_max(distance, min_distance=5, exclude_border=False, labels=mask.astype(int))
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, seeds, mask=mask).astype(np.int32)


def grow(seeds: np.ndarray, relief: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Grow numbered ``seeds`` into the mask, the low places of ``relief`` first; ``int32``.

    Pieces of the mask without a seed become instances of their own.
    """
    numbered, count = ndimage.label(mask, np.ones((3, 3)))
    numbers = np.arange(count + 1, dtype=np.int32) + np.int32(seeds.max(initial=0))
    numbers[0] = 0
    numbers[numbered[seeds > 0]] = 0
    seeds = np.add(seeds, np.take(numbers, numbered, out=numbered, mode="clip"), out=numbered)

    pieces, count = ndimage.label(mask)
    there = seeds > 0
    own, theirs = pieces[there], seeds[there]
    only = np.zeros(count + 1, np.int32)
    only[own] = theirs
    shared = np.unique(own[only[own] != theirs])
    only[shared] = 0
    grown = only[pieces]
    _part(grown, shared, pieces, seeds, relief)
    return grown


def _part(
    grown: np.ndarray,
    shared: np.ndarray,
    pieces: np.ndarray,
    seeds: np.ndarray,
    relief: np.ndarray,
) -> None:
    """Part in ``grown`` the pieces of these numbers, each of several seeds, by a watershed.

    Each by itself: of a whole photo it would take hundreds of megabytes.
    """
    from skimage.segmentation import watershed

    boxes = ndimage.find_objects(pieces) if len(shared) else []
    for number in shared:
        box = boxes[number - 1]
        inside = pieces[box] == number
        grown[box][inside] = watershed(relief[box], seeds[box] * inside, mask=inside)[inside]


def borders(instances: np.ndarray, reach: int = 2) -> np.ndarray:
    """Return where an instance is within ``reach`` pixels of another one, ``bool (H, W)``."""
    result = np.zeros(instances.shape, bool)
    height, width = instances.shape
    for down in range(reach + 1):
        for right in range(-reach if down else 1, reach + 1):
            here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
            there = slice(down, height), slice(max(0, right), width - max(0, -right))
            one, other = instances[here], instances[there]
            close = (one != other) & (one > 0) & (other > 0)
            result[here] |= close
            result[there] |= close
    return result


def outlines(regions: np.ndarray) -> np.ndarray:
    """Return the inner edge of each region, ``bool (H, W)``: its pixels with another neighbour."""
    padded = np.pad(regions, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    sides = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return (middle > 0) & np.logical_or.reduce([middle != side for side in sides])


def renumbered(
    instances: np.ndarray, smallest: int = 1, largest: float = float("inf")
) -> np.ndarray:
    """Number the instances of ``smallest`` to ``largest`` pixels from 1 on, ``int32``.

    The others are dropped.
    """
    sizes = np.bincount(instances.ravel())
    keep = (sizes >= smallest) & (sizes <= largest)
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[instances]


@dataclass(frozen=True)
class Region:
    """What is measured of an instance: pixels, and its middle in pixels from the top left."""

    number: int
    area: int
    row: float
    column: float
    diameter: float
    brightness: float


def regions(instances: np.ndarray, grey: np.ndarray) -> list[Region]:
    """Measure each instance; ``brightness`` is the mean of ``grey`` in it.

    ``diameter`` is that of the circle of the same area.
    """
    numbers = np.unique(instances)
    numbers = numbers[numbers > 0]
    sizes = np.bincount(instances.ravel())[numbers] if len(numbers) else []
    middles = ndimage.center_of_mass(np.ones(instances.shape), instances, numbers)
    means = ndimage.mean(grey, instances, numbers)
    return [
        Region(int(n), int(area), float(row), float(column), 2 * sqrt(area / pi), float(mean))
        for n, area, (row, column), mean in zip(numbers, sizes, middles, means, strict=True)
    ]


def centre_line_length(mask: np.ndarray) -> float:
    """Return the length in pixels of the mask's centre lines; a diagonal step counts 1.41.

    Source:
        Zhang and Suen, CACM 1984, doi:10.1145/357994.358023, thin the mask, as in scikit-image.
    """
    from skimage.morphology import skeletonize

    line = skeletonize(mask)
    straight = np.count_nonzero(line[1:] & line[:-1]) + np.count_nonzero(line[:, 1:] & line[:, :-1])
    # A diagonal step counts only where no straight path joins its ends.
    falling = line[1:, 1:] & line[:-1, :-1] & ~line[1:, :-1] & ~line[:-1, 1:]
    rising = line[1:, :-1] & line[:-1, 1:] & ~line[1:, 1:] & ~line[:-1, :-1]
    return float(straight + np.sqrt(2) * (np.count_nonzero(falling) + np.count_nonzero(rising)))


def _precision(matches: np.ndarray, threshold: float) -> float:
    right = np.count_nonzero(matches > threshold)
    total = sum(matches.shape) - right
    return right / total if total else 1.0


def _pair(
    target: np.ndarray, answer: np.ndarray, kind: type | None = bool
) -> tuple[np.ndarray, np.ndarray]:
    if target.shape != answer.shape or target.ndim != 2:
        raise ValueError(f"two (H, W) of one shape are needed, got {target.shape}, {answer.shape}")
    return (target, answer) if kind is None else (target.astype(kind), answer.astype(kind))
