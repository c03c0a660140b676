"""A benchmark table says what was measured, no more and no less."""

import pytest

from tests.benchmarks.report import AGAIN, Budget, Row, number, renewed, table


def test_a_budget_is_kept_only_when_median_and_p95_are_under_it():
    samples = [10.0] * 30 + [300.0] * 10
    assert Row("x", "ms", samples, Budget(median=100)).verdict == "kept"
    assert Row("x", "ms", samples, Budget(median=100, p95=200)).verdict == "**missed**"
    assert Row("x", "ms", samples, Budget(median=5)).verdict == "**missed**"
    assert Row("x", "ms", samples).verdict == ""


def test_too_few_samples_have_no_p95_and_cannot_keep_a_budget_for_it():
    few = Row("x", "s", [1.0, 2.0, 3.0], Budget(p95=10))
    assert few.p95 is None
    assert few.verdict == "**missed**"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.123"),
        (1.236, "1.24"),
        (91.26, "91.3"),
        (345.6, "346"),
        (0, "0"),
        (-2.5, "-2.50"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str):
    assert number(value) == text


def test_nothing_is_zero():
    assert number(0) == "0"


def test_the_budget_stands_beside_the_value():
    row = Row("slider", "ms", [50.0] * 40, Budget(median=100, p95=200))
    assert table([row]).splitlines()[2] == (
        "| slider | 50.0 ms | 50.0 ms | median < 100, p95 < 200 | kept | 40 |"
    )


def test_rows_that_were_measured_again_stand_in_place_of_the_old_ones():
    old = f"Where.\n\n{table([Row('x', 'ms', [1.0]), Row('x, more', 'ms', [2.0])])}\n\nNote."
    new = renewed(old, [Row("x", "ms", [5.0])], ["x"], "here")
    said = f"\n\n{AGAIN}\n\n* `--only x`: here"
    assert new == old.replace("1.00 ms", "5.00 ms") + said
    both = [Row("x", "ms", [5.0]), Row("x, more", "ms", [2.0])]
    assert renewed(new, both[1:], ["y"], "there") == new + "\n* `--only y`: there"
    assert renewed(new, both, ["y", "x"], "there") == new.replace(
        "* `--only x`: here", "* `--only y`: there\n* `--only x`: there"
    )


def test_a_row_that_the_table_does_not_have_is_put_at_its_end():
    old = table([Row("x", "ms", [1.0])])
    there = renewed(f"{old}\n\nA note.", [Row("y", "ms", [2.0])], ["y"], "here")
    both = table([Row("x", "ms", [1.0]), Row("y", "ms", [2.0])])
    assert there == f"{both}\n\nA note.\n\n{AGAIN}\n\n* `--only y`: here"
    with pytest.raises(ValueError, match="no table"):
        renewed("A note.", [Row("y", "ms", [2.0])], ["y"], "here")
