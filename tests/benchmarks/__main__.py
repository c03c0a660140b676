"""Measure the app against its budgets: `python -m tests.benchmarks [--write]`."""

import argparse
import sys
from functools import partial

from playwright.sync_api import sync_playwright

from tests.benchmarks import (
    measure,
    measure_jobs,
    measure_live,
    measure_photo,
    measure_training,
    measure_visitors,
    report,
)
from tests.chromium import find_chromium, launch
from train.evaluate.tables import read_between, write_between

IN_A_BROWSER = {
    "start": measure.start_up,
    "slider": measure.slider_to_pixels,
    "live": measure_live.live_preview,
    "memory": measure.memory,
    "photo-memory": measure_photo.photo_memory,
    "train-page": measure_training.training_page,
}
PLAIN = {
    "digits": measure.per_digit,
    "photo": measure_photo.photo_speed,
    "jobs": measure_jobs.jobs,
    "training": measure_training.speed,
    "visitors": measure_visitors.many_visitors,
    "own-pictures": measure_visitors.own_pictures,
}
TENSORFLOW_PROOF = (
    "The server's memory map was searched after the last move: files of onnxruntime are in it, "
    "none of TensorFlow or Keras."
)


def main() -> int:
    """Run the measurements that were asked for; the exit status is 1 if a budget was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=[*IN_A_BROWSER, *PLAIN], help="may be repeated"
    )
    parser.add_argument(
        "--recipe",
        action="append",
        choices=measure_training.MEASURED,
        help="of the training, measure this one alone; may be repeated",
    )
    parser.add_argument(
        "--task",
        action="append",
        choices=measure_jobs.MEASURED,
        help="of the jobs, measure this one alone; may be repeated",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="put the table into docs/measurements.md; with --only, its new rows",
    )
    options = parser.parse_args()
    if options.recipe and options.only != ["training"]:
        parser.error("--recipe needs --only training")
    if options.task and options.only != ["jobs"]:
        parser.error("--task needs --only jobs")
    wanted = options.only or [*IN_A_BROWSER, *PLAIN]
    plain = PLAIN | {
        "jobs": partial(measure_jobs.jobs, options.task or ()),
        "training": partial(measure_training.speed, options.recipe or ()),
    }

    rows: list[report.Row] = []
    with sync_playwright() as playwright:
        chromium = launch(playwright, find_chromium(playwright) or sys.exit("no Chromium found"))
        where = report.machine(chromium.version)
        for name in [each for each in wanted if each in IN_A_BROWSER]:
            _say(name)
            rows += IN_A_BROWSER[name](chromium)
        chromium.close()
    # Afterwards: Playwright has an event loop of its own, beside which no other can be run.
    for name in [each for each in wanted if each in plain]:
        _say(name)
        rows += plain[name]()

    parts = [where, report.table(rows)]
    if "memory" in wanted:
        parts.append(TENSORFLOW_PROOF)
    text = "\n\n".join(parts)
    print(text)
    if options.write and options.only:
        there = read_between("benchmarks")
        text = report.renewed(there, rows, options.only, where.removeprefix("Measured by "))
    if options.write:
        write_between("benchmarks", text)
    return int(any("missed" in row.verdict for row in rows))


def _say(name: str) -> None:
    print(f"measuring: {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
