import numpy as np
import pytest
from scipy import ndimage
from skimage import data, measure
from skimage import segmentation as skimage_segmentation
from sklearn import metrics as sklearn_metrics

from imaging import segmentation


def two_masks(rng):
    return rng.random((40, 50)) < 0.3, rng.random((40, 50)) < 0.4


def squares(*corners, side=10, shape=(60, 60)):
    """Numbered squares by the top left corner of each."""
    instances = np.zeros(shape, np.int32)
    for number, (row, column) in enumerate(corners, start=1):
        instances[row : row + side, column : column + side] = number
    return instances


def test_dice_and_iou_are_scikit_learns(rng):
    target, answer = two_masks(rng)
    truth, found = target.ravel(), answer.ravel()
    assert segmentation.dice(target, answer) == pytest.approx(
        sklearn_metrics.f1_score(truth, found)
    )
    counts = segmentation.overlap(target, answer)
    assert segmentation.jaccard(counts) == pytest.approx(
        sklearn_metrics.jaccard_score(truth, found)
    )


def test_nothing_found_where_nothing_is_counts_as_right():
    nothing, something = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    for share in (segmentation.f1, segmentation.jaccard):
        assert share(segmentation.overlap(nothing, nothing)) == 1
        assert share(segmentation.overlap(something, nothing)) == 0
    assert segmentation.average_precision(nothing.astype(int), nothing.astype(int)) == 1


def test_counts_of_two_pictures_add_up_to_those_of_both_in_one(rng):
    (a, b), (c, d) = two_masks(rng), two_masks(rng)
    both = segmentation.overlap(np.vstack([a, c]), np.vstack([b, d]))
    assert (segmentation.overlap(a, b) + segmentation.overlap(c, d) == both).all()
    assert both.sum() == a.size + c.size


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape are needed, got \(3, 3\), \(3, 4\)"):
        segmentation.dice(np.zeros((3, 3)), np.zeros((3, 4)))


def test_a_patch_is_road_above_a_quarter_not_at_it():
    mask = np.zeros((32, 40), bool)
    mask[:8, :8] = True  # 64 of 256 pixels: exactly a quarter
    mask[:8, 16:25] = True  # 72 of 256
    mask[31, 32:37] = True  # 5 pixels of the 16 x 8 that are left at the edge
    assert segmentation.patches(mask).tolist() == [[False, True, False], [False, False, False]]
    mask[28:31, 32:40] = True  # 29 of 128 pixels
    mask[27, 32:36] = True  # 33
    assert segmentation.patches(mask)[1, 2]


def test_patch_f1_by_hand():
    target, answer = np.zeros((32, 32), bool), np.zeros((32, 32), bool)
    target[:16] = True  # both upper patches
    answer[:, :16] = True  # both left patches: one right, one extra, one missed
    counts = segmentation.patch_overlap(target, answer)
    assert counts.tolist() == [1, 1, 1, 1]
    assert segmentation.f1(counts) == 0.5
    assert segmentation.jaccard(counts) == pytest.approx(1 / 3)


def test_the_confusion_matrix_is_scikit_learns_without_void(rng):
    target, answer = rng.integers(0, 6, (30, 30)), rng.integers(0, 5, (30, 30))
    known = target < 5
    ours = segmentation.confusion(target, answer, 5)
    theirs = sklearn_metrics.confusion_matrix(target[known], answer[known], labels=range(5))
    assert (ours == theirs).all()
    jaccard = sklearn_metrics.jaccard_score(target[known], answer[known], average="macro")
    assert segmentation.mean_iou(ours) == pytest.approx(jaccard)
    assert segmentation.accuracy(ours) == pytest.approx(np.mean(target[known] == answer[known]))
    assert segmentation.class_accuracy(ours) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(target[known], answer[known])
    )


def test_a_class_that_never_occurs_does_not_count():
    matrix = segmentation.confusion(np.array([[0, 0, 1, 3]]), np.array([[0, 1, 1, 2]]), 3)
    # 0: one of two; 1: one of two; 2: neither in the truth nor called where there is truth.
    assert segmentation.class_iou(matrix).tolist()[:2] == [0.5, 0.5]
    assert np.isnan(segmentation.class_iou(matrix)[2])
    assert segmentation.mean_iou(matrix) == 0.5
    assert np.isnan(segmentation.mean_iou(np.zeros((3, 3))))


def test_average_precision_by_hand():
    target = squares((0, 0), (0, 20), (0, 40))
    answer = squares((0, 0), (0, 23), (30, 30))
    # Shifted by 3 of 10: 70 pixels in both, 130 in one of them: IoU 0.54.  One right, one shifted,
    # one missed, one made up.
    assert segmentation.average_precision(target, answer, 0.5) == pytest.approx(2 / 4)
    assert segmentation.average_precision(target, answer, 0.6) == pytest.approx(1 / 5)
    assert segmentation.mean_average_precision(target, answer) == pytest.approx(
        (0.5 * 1 + 0.2 * 9) / 10
    )


def test_the_numbers_of_the_instances_do_not_matter(rng):
    target = squares((0, 0), (0, 20), (20, 0), (20, 20))
    names = np.array([0, 9000, 7, 31, 5])
    assert segmentation.average_precision(target, names[target], 0.95) == 1


def test_iou_of_instances_is_scikit_images_contingency(rng):
    target, answer = measure.label(two_masks(rng)[0]), measure.label(two_masks(rng)[1])
    from skimage.metrics import contingency_table

    both = contingency_table(target, answer).toarray()
    union = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    assert segmentation.matching_iou(target, answer) == pytest.approx((both / union)[1:, 1:])


def test_otsu_finds_the_coins():
    coins = data.coins().astype(float)
    found = segmentation.watershed_instances(segmentation.otsu(coins[:, :250]))
    assert 12 <= found.max() <= 24  # Sixteen coins lie there, on an uneven background.


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (40, 40)])
def test_nothing_is_found_in_a_picture_of_one_value(shape):
    mask = segmentation.otsu(np.full(shape, 3.0))
    assert not mask.any()
    assert segmentation.watershed_instances(mask).max() == 0
    assert segmentation.regions(np.zeros(shape, int), np.zeros(shape)) == []


def test_what_rounding_does_to_one_value_is_no_difference():
    almost = np.full((40, 50), 90 / 255, np.float32)
    almost[::3, ::2] = np.nextafter(almost[0, 0], np.float32(1))
    assert not segmentation.otsu(almost).any()


def test_watershed_cuts_two_discs_at_their_waist():
    rows, columns = np.mgrid[:40, :60]
    discs = [(rows - 20) ** 2 + (columns - middle) ** 2 < 121 for middle in (20, 38)]
    found = segmentation.watershed_instances(discs[0] | discs[1])
    assert found.max() == 2
    assert len({found[20, 20], found[20, 38]}) == 2
    assert segmentation.dice(found > 0, discs[0] | discs[1]) == 1


def test_seeds_grow_to_the_border_and_what_has_no_seed_stays():
    touching = squares((10, 10), (10, 20), (40, 40))
    borders = segmentation.borders(touching)
    seeds = ndimage.label((touching > 0) & ~borders)[0]
    seeds[touching == 3] = 0
    found = segmentation.grow(seeds, borders.astype(float), touching > 0)
    assert segmentation.average_precision(touching, found, 0.9) == 1


def test_borders_are_where_two_things_are_close():
    touching = squares((10, 10), (10, 20), (10, 33))
    borders = segmentation.borders(touching, reach=2)
    # Two pixels on either side of the line between 1 and 2; 3 pixels of gap are too far.
    assert borders.sum() == 10 * 4
    assert borders[10:20, 18:22].all()
    assert not segmentation.borders(touching * 0 + 1).any()
    assert segmentation.borders(squares((10, 10), (20, 20)), 1)[[19, 20], [19, 20]].all()


def test_outlines_are_scikit_images_inner_boundaries(rng):
    instances = squares((5, 5), (5, 15), (30, 3))
    theirs = skimage_segmentation.find_boundaries(instances, connectivity=1, mode="inner")
    assert (segmentation.outlines(instances) == theirs).all()


def test_regions_are_measured_as_scikit_image_does(rng):
    instances = measure.label(ndimage.gaussian_filter(rng.random((60, 60)), 3) > 0.51)
    grey = rng.random((60, 60))
    theirs = measure.regionprops(instances, grey)
    ours = segmentation.regions(instances, grey)
    assert [each.number for each in ours] == [each.label for each in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.area == other.area
        assert (mine.row, mine.column) == pytest.approx(other.centroid)
        assert mine.diameter == pytest.approx(other.equivalent_diameter_area)
        assert mine.brightness == pytest.approx(other.intensity_mean)


def test_small_instances_are_dropped_and_the_others_numbered_from_one():
    instances = squares((0, 0), (20, 20), (40, 40)) * 7
    instances[0:9, 0:10] = 0  # ten pixels are left of the first
    numbered = segmentation.renumbered(instances, smallest=11)
    assert np.unique(numbered).tolist() == [0, 1, 2]
    assert numbered[25, 25] == 1


def test_the_centre_line_of_a_bar_is_as_long_as_the_bar():
    mask = np.zeros((40, 120), bool)
    mask[15:22, 10:110] = True
    # Thinning shortens each end by up to half of the bar's width.
    assert segmentation.centre_line_length(mask) == pytest.approx(100, abs=8)
    assert segmentation.centre_line_length(np.eye(50, dtype=bool)) == pytest.approx(49 * 2**0.5)
    assert segmentation.centre_line_length(np.zeros((9, 9), bool)) == 0


def test_specks_go():
    mask = squares((10, 10)) > 0
    mask[0, :19] = mask[30, :20] = True
    assert segmentation.without_specks(mask, 20).sum() == 100 + 20


def test_seeds_grow_as_in_a_watershed_of_the_whole_picture(rng):
    relief = ndimage.gaussian_filter(rng.random((90, 120)), 2).astype(np.float32)
    mask = ndimage.gaussian_filter(rng.random((90, 120)), 3) > 0.5
    seeds, count = ndimage.label(mask & (relief < np.quantile(relief, 0.1)))
    numbered, _ = ndimage.label(mask, np.ones((3, 3)))
    seeded = np.isin(numbered, numbered[seeds > 0])
    assert len(np.unique(numbered[seeded])) < count  # So some share a piece,
    assert (mask & ~seeded).any()  # and some pieces have none.
    grown = segmentation.grow(seeds, relief, mask)
    whole = skimage_segmentation.watershed(relief, seeds, mask=mask)
    np.testing.assert_array_equal(grown[seeded], whole[seeded])
    assert grown[mask & ~seeded].min() > count
    assert not grown[~mask].any()
