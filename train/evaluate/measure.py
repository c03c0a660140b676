"""Measures models and filters on held-out digits; nobody types the numbers it writes.

All methods see the same noisy pictures: noise is drawn from a seed that depends on its kind
and strength alone, and clipped to [0, 1] as on the screen.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from imaging import metrics
from imaging.filters import CLASSICAL, with_digit_curve
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS, NoiseKind
from models.catalogue import Card, Measurement, find_card
from models.predictor import load_denoiser, load_reader
from train.config import DIGIT_SETS, data_folder
from train.evaluate.tables import MEASUREMENTS, PAPER_SIGMAS, UNCLIPPED, machine, markdown
from train.fit.data import load_pictures, to_unit
from train.run_folder import write_whole

SEED = 20_261_121
ALL_DIGITS, SOME_DIGITS = 10_000, 1_000
HEADLINE = ("gaussian", 0.5)  # The tutorials' noise factor, measured on all test digits.


@dataclass(frozen=True)
class Method:
    """A way to denoise a batch: ``run(noisy, clean)``; filters are told the true noise level."""

    name: str
    title: str
    family: str
    run: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    """One line of ``measurements.json``."""

    method: str
    family: str
    data: str
    noise: str
    strength: float
    pictures: int
    psnr: float
    ssim: float
    read: float | None
    seconds_per_picture: float


def conditions() -> list[tuple[str, float]]:
    """Return what is measured: Gaussian at 0.1 to 1.0, five levels of every other slider."""
    rows = [("gaussian", round(0.1 * step, 2)) for step in range(1, 11)]
    for kind in NOISE_KINDS.values():
        if kind.name != "gaussian":
            rows += [(kind.name, round(kind.high * step / 5, 3)) for step in range(1, 6)]
    return rows


def noisy_pictures(clean: np.ndarray, noise: str, strength: float) -> np.ndarray:
    """Return the batch with the noise that every method is measured on."""
    kind = list(NOISE_KINDS).index(noise)
    rng = np.random.default_rng((SEED, kind, round(strength * 1000)))
    return np.clip(NOISE_KINDS[noise].corrupt(clean, strength, rng), 0, 1)


def network(card: Card) -> Method:
    """Return a trained model as a method."""
    denoiser = load_denoiser(card)
    return Method(card.name, card.title, "network", lambda noisy, _: denoiser.denoise_batch(noisy))


def filters(noise: str, strength: float) -> Iterator[Method]:
    """Yield the classical filters, each as it is and with its clip bias undone."""
    for classical in CLASSICAL.values():
        fair = with_digit_curve(classical, noise, strength)
        yield Method(classical.name, classical.title, "filter", _one_by_one(classical))
        yield Method(
            f"{classical.name}+curve",
            f"{classical.title}, bias undone",
            "filter",
            _one_by_one(fair),
        )


def unchanged() -> Method:
    """Return the method that leaves the noise in."""
    return Method("noisy", "Noisy", "none", lambda noisy, _: noisy)


def measure(
    methods: Iterable[Method], data: str, noise: str, strength: float, count: int
) -> list[Row]:
    """Measure the methods on ``count`` test pictures.

    They are spread evenly: the first half of MNIST's test digits was written by other people
    than the second, and is easier.
    """
    pictures, labels = _test_pictures(data, data_folder())
    spread = slice(None, None, max(1, len(pictures) // count))
    clean, labels = to_unit(pictures[spread][:count]), labels[spread][:count]
    noisy = noisy_pictures(clean, noise, strength)
    reader = load_reader(find_card("digit-reader")) if data == "mnist" else None
    rows = []
    for method in methods:
        start = time.perf_counter()
        denoised = method.run(noisy, clean)
        seconds = (time.perf_counter() - start) / len(clean)
        read = None
        if reader is not None:
            read = float(np.mean(reader.read(denoised).argmax(axis=1) == labels))
        rows.append(
            Row(
                method=method.name,
                family=method.family,
                data=data,
                noise=noise,
                strength=strength,
                pictures=len(clean),
                psnr=round(float(metrics.batch_psnr(clean, denoised).mean()), 3),
                ssim=round(float(metrics.batch_ssim(clean, denoised).mean()), 4),
                read=None if read is None else round(read, 4),
                seconds_per_picture=float(f"{seconds:.3g}"),
            )
        )
    return rows


def evaluate_models(names: list[str], say: Callable[[str], None] = print) -> list[Row]:
    """Measure the named models, write the numbers into their cards, return all rows."""
    rows: list[Row] = []
    cards = [find_card(name) for name in names]
    for card in cards:
        if not card.denoises:
            write_card(card := _measure_reader(card))
            say(f"{card.name}: {headline(card)}")
    for data in DIGIT_SETS:
        models = [card for card in cards if card.denoises and card.data == data]
        if not models:
            continue
        measured = []
        for at in conditions():
            measured += _measure_at(at, [network(card) for card in models], data)
            say(f"{data}, {at[0]} {at[1]:g}: measured")
        rows += measured
        for card in models:
            write_card(card := _with_quality(card, measured))
            say(f"{card.name}: {headline(card)}")
    return rows


def evaluate_filters(say: Callable[[str], None] = print) -> list[Row]:
    """Measure the classical filters on digits and return all rows."""
    rows = []
    for noise, strength in conditions():
        rows += _measure_at((noise, strength), filters(noise, strength), "mnist")
        best = max((row for row in rows[-2 * len(CLASSICAL) :]), key=lambda row: row.psnr)
        say(f"{noise} {strength:g}: best filter {best.method} {best.psnr:.2f} dB")
    return rows


def write_measurements(rows: list[Row], path: Path = MEASUREMENTS) -> None:
    """Put the rows into the table of all measurements, in place of older ones of these methods.

    The noisy pictures are measured beside every method; they get one row for each noise.
    """
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = list({(row.method, row.data, row.noise, row.strength): row for row in rows}.values())
    measured = {(row.method, row.data) for row in rows}
    kept = [row for row in known if (row["method"], row["data"]) not in measured]
    table = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "rows": kept + [dataclasses.asdict(row) for row in rows],
    }
    lines = ",\n  ".join(json.dumps(row) for row in table.pop("rows"))
    head = json.dumps(table)[1:-1]
    text = f'{{{head}, "rows": [\n  {lines}\n]}}\n'
    write_whole(path, lambda unfinished: unfinished.write_text(text))


def write_card(card: Card) -> None:
    """Write ``card.json`` and, for people, ``card.md``."""
    write_whole(card.folder / "card.json", lambda path: path.write_text(card.to_json() + "\n"))
    write_whole(card.folder / "card.md", lambda path: path.write_text(card_for_people(card)))


def headline(card: Card) -> str:
    """Return the one number that says most about a model."""
    at_half = card.measured(*HEADLINE)
    if card.accuracy is not None:
        return f"reads {card.accuracy:.2%} of the clean test digits"
    if card.for_photos:
        return photo_headline(card)
    if at_half is None:
        return "nothing yet"
    read = "" if at_half.read is None else f", {at_half.read:.1%} of the digits read"
    return f"{at_half.psnr:.2f} dB, SSIM {at_half.ssim:.3f}{read} at noise factor 0.5"


def photo_headline(card: Card) -> str:
    """Return the numbers that papers report, or the gain on real camera noise."""
    at = {sigma: card.measured(UNCLIPPED, round(sigma / 255, 6)) for sigma in PAPER_SIGMAS}
    camera = card.measured("camera", 0)
    if all(at.values()):
        levels, values = " / ".join(map(str, at)), " / ".join(f"{m.psnr:.2f}" for m in at.values())
        return f"{values} dB on Kodak24 at sigma {levels}, unclipped"
    if camera:
        gain = camera.psnr - camera.noisy_psnr
        return f"{camera.psnr:.2f} dB on camera noise, {gain:.2f} above the noisy pictures"
    return "nothing yet"


def card_for_people(card: Card) -> str:
    """Return the card as Markdown."""
    kinds = _kinds_of(card)
    trained = ", ".join(
        f"{kinds[name].title} {kinds[name].on_slider(low)} to {kinds[name].on_slider(high)}"
        for name, (low, high) in card.trained_ranges.items()
    )
    epochs, crops = f"{card.epochs} epochs", ""
    if card.for_photos:
        epochs += f" of {card.epoch_batches} batches"
        crops = f" crops of {card.crop} x {card.crop} pixels"
    made_with = ", ".join(f"{name} {value}" for name, value in card.made_with.items())
    facts = {
        "Source": card.source,
        "Architecture": f"{card.architecture}, {json.dumps(card.settings)}",
        "Size": f"{card.parameters:,} parameters, {card.macs_per_pixel:,.0f} MACs per pixel",
        "Data": card.data,
        "Noise": trained or "none",
        "Noise drawn": "afresh each epoch" if card.fresh_noise else "once",
        "Loss": card.loss,
        "Optimizer": f"{card.optimizer}, learning rate {card.learning_rate:g}, {card.schedule}",
        "Training": f"{epochs}, batches of {card.batch}{crops}, seed {card.seed}",
        "Made with": made_with,
        "SHA-256 of model.onnx": card.sha256,
    }
    if card.start:
        start = "that it had before" if card.start == card.name else f"of `{card.start}`"
        facts["Training"] += f", begun with the weights {start}"
    if not card.noise:
        del facts["Noise drawn"]
    lines = [f"# {card.title}", "", card.purpose, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    if card.notice:
        lines += ["", card.notice]
    lines += ["", "Measured on held-out pictures: " + headline(card) + "."]
    if card.quality:
        lines += ["", _quality_table(card)]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1)
def _test_pictures(data: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """The test pictures and their labels; a new ``folder`` is a new look."""
    return load_pictures(data)[1]


def _measure_at(at: tuple[str, float], methods: Iterable[Method], data: str) -> list[Row]:
    return measure(
        [unchanged(), *methods], data, *at, ALL_DIGITS if at == HEADLINE else SOME_DIGITS
    )


def _with_quality(card: Card, rows: list[Row]) -> Card:
    """Pair each row of the model with that of the noisy pictures before it."""
    noisy = {(row.noise, row.strength): row for row in rows if row.method == "noisy"}
    quality = [
        Measurement(
            noise=row.noise,
            strength=row.strength,
            pictures=row.pictures,
            psnr=row.psnr,
            ssim=row.ssim,
            noisy_psnr=noisy[row.noise, row.strength].psnr,
            noisy_ssim=noisy[row.noise, row.strength].ssim,
            read=row.read,
            noisy_read=noisy[row.noise, row.strength].read,
        )
        for row in rows
        if row.method == card.name
    ]
    return dataclasses.replace(card, quality=tuple(quality))


def _measure_reader(card: Card) -> Card:
    pictures, labels = _test_pictures(card.data, data_folder())
    answers = load_reader(card).read(to_unit(pictures)).argmax(axis=1)
    return dataclasses.replace(card, accuracy=round(float(np.mean(answers == labels)), 5))


def _one_by_one(denoiser) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def run(noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                denoiser.denoise(picture, metrics.rms(truth, picture))
                for picture, truth in zip(noisy, clean, strict=True)
            ]
        )

    return run


def _quality_table(card: Card) -> str:
    """Return a table with strengths as the sliders show them; only digits are read."""
    head = ["noise", "strength", "pictures", "noisy PSNR", "PSNR", "noisy SSIM", "SSIM"]
    reads = [] if card.for_photos else ["read noisy", "read"]
    kinds, rows = _kinds_of(card), list(card.quality)
    if card.for_photos:
        order = list(dict.fromkeys(row.noise for row in rows))
        rows.sort(key=lambda row: (order.index(row.noise), row.strength))
    lines = []
    for row in rows:
        # "gaussian, unclipped" is on the slider of "gaussian"; a camera's noise is on none.
        kind = kinds.get(row.noise.partition(",")[0])
        cells = [
            row.noise,
            kind.on_slider(row.strength) if kind else "",
            f"{row.pictures:,}",
            f"{row.noisy_psnr:.2f}",
            f"{row.psnr:.2f}",
            f"{row.noisy_ssim:.3f}",
            f"{row.ssim:.3f}",
        ]
        if reads:
            cells += ["" if read is None else f"{read:.1%}" for read in (row.noisy_read, row.read)]
        lines.append(cells)
    return markdown([*head, *reads], lines)


def _kinds_of(card: Card) -> dict[str, NoiseKind]:
    return PHOTO_NOISE_KINDS if card.for_photos else NOISE_KINDS
