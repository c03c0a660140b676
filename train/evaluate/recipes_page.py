"""Writes ``docs/recipes.md``: what came of each recipe, beside what its tutorial reports."""

import json
from dataclasses import dataclass
from pathlib import Path

from models.tasks.digits import REPORTED
from train.evaluate.tables import MEASUREMENTS, PUBLISHED, ROOT, markdown
from train.recipes import TRAPS
from train.recorded import minutes_of
from train.run_folder import write_whole

PAGE = ROOT / "docs" / "recipes.md"


@dataclass(frozen=True)
class System:
    """A system, the recipes that train it here, and what its tutorial or publication reports.

    ``reported`` is empty where nobody reports anything.  What we say of it ourselves is ``ours``.
    """

    title: str
    reported: str
    recipes: tuple[str, ...]
    ours: str = ""


# PSNR in dB by method, at Gaussian noise of sigma 15 / 25 / 50.
_KODAK24 = {
    method: " / ".join(f"{value:.2f}" for value in values) for method, values, _ in PUBLISHED
}


SYSTEMS = (
    System(
        "Dense, clean to clean",
        "784 to 64 to 784 neurons. Shown are 5 test digits above their reconstructions: "
        "information is lost. No numbers.",
        ("dense-reconstruct-tutorial", "dense-reconstruct"),
    ),
    System(
        "Dense, denoising",
        "The same network on noisy digits, noise factor 0.5: clearly worse than convolution, "
        "traces of noise remain. No numbers.",
        ("dense-tutorial", "dense"),
    ),
    System(
        "Convolutional, clean to clean",
        "Filters 16, 8, 8, each with 2x2 max pooling; Adadelta, binary cross-entropy. Shown are "
        "the first 10 digits and their reconstructions. No numbers.",
        ("conv-reconstruct-tutorial", "conv-reconstruct"),
    ),
    System(
        "Convolutional 16-8-8, denoising",
        "The same network, noise factor 0.5. Shown are the first 10 noisy and denoised digits. No "
        "numbers.",
        ("conv-16-8-8-tutorial", "conv-16-8-8"),
    ),
    System(
        "Convolutional with a code of 10 numbers",
        "A figure with three convolutional blocks and 10 neurons in the middle. No numbers.",
        ("conv-code-10-tutorial", "conv-code-10"),
    ),
    System(
        "Convolutional 32-32, the network of 28,353 parameters",
        "Adadelta for 10 epochs, Adam for 100; three rows of digits: original, noisy, restored. "
        "keras.io's own example (noise 0.4, 50 epochs clean to clean, then 100 noisy) ends at a "
        "validation loss of 0.0839, after 0.0868 in epoch 10.",
        (
            "conv-32-32-adadelta-as-copied",
            "conv-32-32-adadelta",
            "conv-32-32-tutorial",
            "conv-32-32",
        ),
        "The tutorials were written when Adadelta's default rate was 1.0; in Keras 3 it is 0.001.",
    ),
    System(
        "Resize-convolution 64-64-32",
        "Smooth digits: resizing and then convolving avoids the checkerboard. No numbers.",
        ("conv-64-64-32-tutorial", "conv-64-64-32"),
    ),
    System(
        "Transposed convolution 64-64-32",
        "Its foil: checkerboard patterns. No numbers.",
        ("conv-64-64-32-transposed-tutorial", "conv-64-64-32-transposed"),
    ),
    System(
        "U-Net",
        "Double convolutions with batch normalisation, dropout 0.1, skip connections: sharper than "
        "the unconnected encoder-decoder, whose maps lose detail. No numbers.",
        ("unet-tutorial", "unet"),
    ),
    System(
        "Clothes",
        "The same idea on Fashion-MNIST: clothes in place of digits. No numbers.",
        ("fashion",),
    ),
    System(
        "Photos",
        "The tutorials: “for colour, binary cross-entropy no longer fits: use MSE, or scale to "
        "[0, 1]”; noise is taken out of real pictures, no numbers. The publications, on Kodak24 "
        "in colour with Gaussian noise of sigma 15 / 25 / 50: "
        f"FFDNet {_KODAK24['FFDNet colour']} dB (Zhang et al., TIP 2018), "
        f"DRUNet {_KODAK24['DRUNet colour']} dB (Zhang et al., TPAMI 2021).",
        ("photo",),
        "Its results on Kodak24 are in the [measurements](measurements.md#photos), beside those of "
        "the filters; how it came about is told in [photo-network.md](photo-network.md).",
    ),
    System(
        "Digit reader",
        "A small convolutional classifier reads over 99 % of the test digits.",
        ("digit-reader",),
    ),
    System(
        "Traps",
        "",
        tuple(TRAPS),
        "Trainings that go wrong, each for a reason that the Train page tells.",
    ),
)

INTRODUCTION = """\
# Every recipe, run once in full

Each was trained from the command line, `python -m train recipe NAME`, to the end of its recipe.
Recipes with `-tutorial` behind their name repeat what the tutorial did; the others are ours, and
made the networks that ship. *Reported* is what the tutorial or the publication says; *ours* is what
there is to add. This page and the charts are written by `python -m train results`.

`python -m train code NAME` writes any of them, except the photo networks, as one file for Keras
alone. It has 60 to 120 lines; only that of `unet` is longer, because it spells out seven kinds of
noise.

*Loss* is that of the recipe, on training and validation pictures at the end; *validation PSNR* is
measured on 2,000 held-out pictures with the noise of the recipe itself, so it compares only within
a kind of noise. *Test* is the same for all: the 10,000 test pictures with Gaussian noise of
standard deviation 0.5, clipped to [0, 1], which have a PSNR of {noisy} dB on MNIST before anything
is denoised; *read* is the share of digits that our digit reader still reads, and for the reader
itself that of the clean ones. *Minutes* are all epochs as long as the median one. Most were taken
while the machine did other work too, and can be several times longer than on a quiet one.\
"""


def write_page(records: dict[str, dict], missing: list[str], page: Path = PAGE) -> None:
    """Write the page from the records; ``missing`` recipes are named with their command."""
    parts = [INTRODUCTION.format(noisy=f"{_noisy_psnr():.2f}")]
    parts += [_section(system, records) for system in SYSTEMS]
    if missing:
        names = "\n".join(f"python -m train recipe {name}" for name in missing)
        parts.append(f"## Still to be run\n\n```\n{names}\n```")
    parts.append(_circumstances(records))
    write_whole(page, lambda path: path.write_text("\n\n".join(parts) + "\n", encoding="utf-8"))


def _noisy_psnr() -> float:
    """The PSNR of the noisy test digits, as measured."""
    rows = json.loads(MEASUREMENTS.read_text(encoding="utf-8"))["rows"]
    return next(
        row["psnr"]
        for row in rows
        if (row["method"], row["data"]) == ("noisy", REPORTED)
        and (row["noise"], row["strength"]) == ("gaussian", 0.5)
    )


def _section(system: System, records: dict[str, dict]) -> str:
    rows = [_row(records[name]) for name in system.recipes if name in records]
    charts = [f"![Loss of {n}](recipes/{n}.svg)" for n in system.recipes if n in records]
    table = [markdown(HEAD, rows)] if rows else ["Not run yet."]
    notes = [note for name in system.recipes if name in records for note in _notes(records[name])]
    said = [f"**Reported:** {system.reported or '–'}"]
    if system.ours:
        said.append(f"**Ours:** {system.ours}")
    return "\n\n".join([f"## {system.title}", *said, *table, *notes, *charts])


HEAD = [
    "recipe",
    "noise",
    "learning",
    "parameters",
    "epochs",
    "loss, training / validation",
    "validation PSNR (dB)",
    "test PSNR (dB)",
    "test SSIM",
    "read",
    "minutes",
]


def _row(record: dict) -> list[str]:
    config = record["config"]
    last = record["epochs"][-1] if record["epochs"] else {}
    test = record["test"]
    return [
        f"`{record['recipe']}`",
        _noise(config),
        f"{config['optimizer']} {config['learning_rate']:g}, {config['schedule']}",
        f"{record['parameters']:,}" if record["parameters"] else "",
        f"{last.get('epoch', 0)}",
        f"{_number(last.get('loss'), 4)} / {_number(last.get('val_loss'), 4)}",
        _number(last.get("val_psnr"), 2),
        _number(test.get("psnr"), 2),
        _number(test.get("ssim"), 3),
        _share(test.get("read", test.get("accuracy"))),
        f"{minutes_of(record):.1f}",
    ]


def _noise(config: dict) -> str:
    kinds = config["noise"]
    if not kinds:
        return "none"
    if len({entry["kind"] for entry in kinds}) > 1:
        return "mixed"
    low, high = (f"{kinds[0][end]:.3g}" for end in ("low", "high"))
    span = low if low == high else f"{low} to {high}"
    return f"{kinds[0]['kind']} {span}{'' if config['fresh_noise'] else ', drawn once'}"


def _notes(record: dict) -> list[str]:
    """What has to be said of a run besides its numbers."""
    name, notes = record["recipe"], []
    if record["outcome"] == "diverged":
        notes.append(f"`{name}` diverged: {record['why']}.")
    elif record["why"]:
        notes.append(f"`{name}` ended early: {record['why']}.")
    if record["otherwise"]:
        changed = ", ".join(f"{key} {value}" for key, value in record["otherwise"].items())
        notes.append(f"`{name}` ran with other settings than its recipe has today: {changed}.")
    return notes


def _circumstances(records: dict[str, dict]) -> str:
    """Where, when and with which versions all of it was made."""
    made = [record["made"] for record in records.values()]
    dates = sorted({each["date"] for each in made if each["date"]})
    machines = sorted({f"{each['processor']}, {each['cores']} cores" for each in made})
    engines = sorted({f"Keras {each['keras']} on {each['backend']}" for each in made})
    when = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""
    return f"---\n\nMade {when}: {'; '.join(machines)}; {'; '.join(engines)}."


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
