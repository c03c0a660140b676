"""Puts measured numbers where people read them: docs/measurements.md and the README.

``models/measurements.json`` holds the rows, one in each line; nothing here measures anything.
"""

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from models.catalogue import UNCLIPPED, load_catalogue
from models.host import cores
from models.tasks.denoise_photos.data import KODAK24, POLYU
from models.tasks.digits import REPORTED
from train.run_folder import write_whole

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "measurements.md"
# The smallest network that denoises and the best small one stand in the README beside the best.
IN_README = ("conv-16-8-8", "conv-32-32")
MEASUREMENTS = ROOT / "models" / "measurements.json"


def processor() -> str:
    """Return the name of this machine's processor."""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """Return what numbers were measured on."""
    return {
        "processor": processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
        "scikit-image": version("scikit-image"),
    }


def write_rows(path: Path, rows: Iterable[dict], same: tuple[str, ...]) -> None:
    """Put rows into a file of measurements, in place of those that are alike in ``same``."""
    rows = list(rows)
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    measured = {tuple(row[name] for name in same) for row in rows}
    kept = [row for row in known if tuple(row[name] for name in same) not in measured]
    head = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    lines = ",\n  ".join(map(json.dumps, kept + rows))
    text = f'{{{json.dumps(head)[1:-1]}, "rows": [\n  {lines}\n]}}\n'
    write_whole(path, lambda unfinished: unfinished.write_text(text))


def write_between(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` of a page.

    Raises:
        ValueError: if it does not have each marker once.
    """
    head, _, tail = _around(name, page)
    page.write_text(f"{head}\n{text}\n{tail}", encoding="utf-8")


def read_between(name: str, page: Path = PAGE) -> str:
    """Return what stands between ``<!-- name -->`` and ``<!-- /name -->`` of a page.

    Raises:
        ValueError: if it does not have each marker once.
    """
    return _around(name, page)[1].strip("\n")


def _around(name: str, page: Path) -> tuple[str, str, str]:
    """The page up to a marker and with it, what is between it and its end, and the rest."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{page.name} must have {begin} and {end} once each")
    head, _, rest = text.partition(begin)
    between, _, tail = rest.partition(end)
    return head + begin, between, end + tail


def write_digit_tables(
    page: Path = PAGE, readme: Path = README, measurements: Path = MEASUREMENTS
) -> None:
    """Write the two tables on digits into the page, and five rows of them into the README."""
    table = json.loads(measurements.read_text(encoding="utf-8"))
    rows = [row for row in table["rows"] if row["data"] == REPORTED]
    on = table["machine"]
    source = (
        f"Measured by `python -m train evaluate --filters` on {table['date']}: "
        f"{on['processor']}, {on['cores']} cores, Python {on['python']}, "
        f"onnxruntime {on['onnxruntime']}, scikit-image {on['scikit-image']}."
    )
    text = "\n\n".join(
        [
            at_half(rows),
            "<details><summary>Every noise: the best network against the best filter</summary>",
            against_filters(rows),
            "</details>",
            source,
        ]
    )
    write_between("digits", text, page)
    write_between("results", in_short(rows), readme)


# Kodak24, colour, Gaussian noise of sigma 15 / 25 / 50, unclipped.
PUBLISHED = (
    ("CBM3D", (34.28, 31.68, 28.46), "Zhang et al., FFDNet, TIP 2018, table 2"),
    ("DnCNN colour, blind", (34.48, 32.03, 28.85), "the same"),
    ("FFDNet colour", (34.63, 32.13, 28.98), "the same"),
    ("DRUNet colour", (35.31, 32.89, 29.86), "Zhang et al., TPAMI 2021"),
)
PAPER_NOISE, PAPER_SIGMAS = f"gaussian{UNCLIPPED}", (15, 25, 50)


def write_photo_tables(page: Path = PAGE, measurements: Path = MEASUREMENTS) -> None:
    """Write the tables on photos into the page."""
    table = json.loads(measurements.read_text(encoding="utf-8"))
    rows = [row for row in table["rows"] if row["data"] == KODAK24]
    on = table["machine"]
    source = (
        "Measured by `python -m train evaluate --set kodak24 --filters`, and `--set polyu`, on "
        f"{table['date']}: {on['processor']}, {on['cores']} cores, "
        f"onnxruntime {on['onnxruntime']}, scikit-image {on['scikit-image']}. Seconds are the "
        "median over the pictures of 0.25 megapixels; they count all of an answer, and vary with "
        "what else the machine does."
    )
    parts = [as_in_papers(rows), "As a screen shows it, clipped and in 8 bits:", on_screen(rows)]
    camera = [row for row in table["rows"] if row["data"] == POLYU]
    if camera:
        parts += ["Real camera noise, the scenes of PolyU that were held out:", on_camera(camera)]
    write_between("photos", "\n\n".join([*parts, source]), page)


def as_in_papers(rows: list[dict]) -> str:
    """Return PSNR and SSIM on unclipped Gaussian noise beside published numbers, as Markdown."""
    by_method: dict[str, list[dict]] = {}
    for sigma in PAPER_SIGMAS:
        for row in _at(rows, PAPER_NOISE, round(sigma / 255, 6)):
            by_method.setdefault(row["method"], []).append(row)
    lines = [
        (
            [row["psnr"] for row in given],
            [f"{row['ssim']:.3f}" for row in given],
            f"`{method}`" if method != "noisy" else "noisy",
            f"{given[0]['seconds_per_picture'] / PICTURE_MEGAPIXELS:.2f}"
            if method != "noisy"
            else "",
        )
        for method, given in by_method.items()
    ]
    lines += [
        (list(values), ["", "", ""], f"{name} ({source})", "") for name, values, source in PUBLISHED
    ]
    lines.sort(key=lambda line: line[0][1])
    return markdown(
        ["method", "PSNR 15 / 25 / 50 (dB)", "SSIM 15 / 25 / 50", "s per megapixel"],
        [
            [
                name,
                " / ".join(f"{value:.2f}" for value in psnr),
                " / ".join(ssim) if all(ssim) else "",
                seconds,
            ]
            for psnr, ssim, name, seconds in lines
        ],
    )


PICTURE_MEGAPIXELS = 0.25  # Kodak24 as the papers crop it: 500 x 500.


def on_screen(rows: list[dict]) -> str:
    """Return `photo` against the best filter for every kind and strength, as Markdown."""
    lines = []
    for kind in PHOTO_NOISE_KINDS.values():
        for strength in sorted({row["strength"] for row in rows if row["noise"] == kind.name}):
            here = _at(rows, kind.name, strength)
            network = next((row for row in here if row["method"] == "photo"), None)
            rival = _best(here, "filter")
            if network is None:
                continue
            lines.append(
                [
                    kind.name,
                    kind.on_slider(strength),
                    str(network["pictures"]),
                    f"{_best(here, 'none')['psnr']:.2f}",
                    f"{rival['psnr']:.2f} (`{rival['method']}`)" if rival else "not measured",
                    f"{network['psnr']:.2f}",
                    f"{network['psnr'] - rival['psnr']:+.2f}" if rival else "",
                ]
            )
    head = ["noise", "strength", "photos", "noisy (dB)", "best filter (dB)", "`photo` (dB)", "gain"]
    return markdown(head, lines)


def on_camera(rows: list[dict]) -> str:
    """Return every method on real camera noise, the worst first, as Markdown.

    Filters that leave a photo as it is come behind the noisy one, not before it.
    """
    lines = [
        [row["method"], str(row["pictures"]), f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"]
        for row in sorted(rows, key=lambda row: (round(row["psnr"], 2), row["method"] != "noisy"))
    ]
    return markdown(["method", "photos", "PSNR (dB)", "SSIM"], lines)


def at_half(rows: list[dict]) -> str:
    """Return every method at Gaussian noise of 0.5, the worst first, as a Markdown table."""
    cards = load_catalogue()
    lines = []
    for row in sorted(_at(rows, "gaussian", 0.5), key=lambda row: row["psnr"]):
        card = cards.get(row["method"])
        lines.append(
            [
                f"`{row['method']}`",
                f"{card.parameters:,}" if card else "",
                str(card.training["epochs"]) if card else "",
                f"{row['psnr']:.2f}",
                f"{row['ssim']:.3f}",
                f"{row['read']:.1%}",
            ]
        )
    return markdown(["method", "parameters", "epochs", "PSNR (dB)", "SSIM", "digits read"], lines)


def in_short(rows: list[dict]) -> str:
    """Return five rows of ``at_half``: noisy, the best filter, two small networks, the best."""
    there = _at(rows, "gaussian", 0.5)
    best = [_best(there, family) for family in ("none", "filter", "network")]
    wanted = {row["method"] for row in best if row is not None} | set(IN_README)
    return at_half([row for row in rows if row["method"] in wanted])


def against_filters(rows: list[dict]) -> str:
    """Return best network against best filter for each noise and strength, as Markdown.

    Filters come with and without their output curve; the better one counts.
    """
    lines = []
    for kind in NOISE_KINDS:
        for strength in sorted({row["strength"] for row in rows if row["noise"] == kind}):
            here = _at(rows, kind, strength)
            network, rival = _best(here, "network"), _best(here, "filter")
            if network is None or rival is None:
                continue
            lines.append(
                [
                    kind,
                    f"{strength:g}",
                    f"{_best(here, 'none')['psnr']:.2f}",
                    f"{rival['psnr']:.2f} (`{rival['method']}`)",
                    f"{network['psnr']:.2f} (`{network['method']}`)",
                    f"{network['psnr'] - rival['psnr']:+.2f}",
                ]
            )
    return markdown(
        ["noise", "strength", "noisy (dB)", "best filter (dB)", "best network (dB)", "gain"], lines
    )


def markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ruler, *lines))


def _at(rows: list[dict], noise: str, strength: float) -> list[dict]:
    return [row for row in rows if row["noise"] == noise and row["strength"] == strength]


def _best(rows: list[dict], family: str) -> dict | None:
    return max(
        (row for row in rows if row["family"] == family),
        key=lambda row: row["psnr"],
        default=None,
    )
