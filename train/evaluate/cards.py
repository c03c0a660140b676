"""Writes what is known of a model: ``card.json`` for programs, ``card.md`` for people."""

import json

from imaging.noise import NOISE_KINDS
from models.catalogue import UNCLIPPED, Card
from models.tasks import find_task
from train.evaluate.tables import PAPER_SIGMAS, markdown
from train.run_folder import write_whole


def write_card(card: Card) -> None:
    """Write ``card.json`` and, for people, ``card.md``."""
    write_whole(card.folder / "card.json", lambda path: path.write_text(card.to_json() + "\n"))
    write_whole(card.folder / "card.md", lambda path: path.write_text(card_for_people(card)))


def headline(card: Card) -> str:
    """Return the one number that says most about a model."""
    task = find_task(card.task)
    score = card.score_at(*task.headline)
    if score is None:
        return photo_headline(card)
    answer = score.answer
    if score.degradation:
        read = f", {answer['read']:.1%} of the digits read" if "read" in answer else ""
        at = f"noise factor {score.strength:g}"
        return f"{answer['psnr']:.2f} dB, SSIM {answer['ssim']:.3f}{read} at {at}"
    if "accuracy" in answer:
        return f"reads {answer['accuracy']:.2%} of the clean test digits"
    return ", ".join(
        f"{each.title} {answer[each.name]:.{each.decimals}f} {each.unit}".rstrip()
        for each in task.metrics
        if each.name in answer
    )


def photo_headline(card: Card) -> str:
    """Return the numbers that papers report, or the gain on camera noise, or "nothing yet"."""
    at = {
        sigma: card.score_at("gaussian", round(sigma / 255, 6), clipped=False)
        for sigma in PAPER_SIGMAS
    }
    camera = card.score_at("camera", 0)
    if all(at.values()):
        levels = " / ".join(map(str, at))
        values = " / ".join(f"{score.answer['psnr']:.2f}" for score in at.values())
        return f"{values} dB on Kodak24 at sigma {levels}, unclipped"
    if camera:
        after, before = camera.answer["psnr"], camera.input["psnr"]
        return f"{after:.2f} dB on camera noise, {after - before:.2f} above the noisy pictures"
    return "nothing yet"


def card_for_people(card: Card) -> str:
    """Return the card as Markdown."""
    task, training = find_task(card.task), card.training
    kinds = task.degradations or NOISE_KINDS
    trained = ", ".join(
        f"{kinds[name].title} {kinds[name].on_slider(low)} to {kinds[name].on_slider(high)}"
        for name, (low, high) in card.trained_ranges.items()
    )
    epochs, crops = f"{training['epochs']} epochs", ""
    if task.walk == "crops":
        epochs += f" of {training['epoch_batches']} batches"
        if not card.settings.get("size"):  # Else it learns from whole examples, brought to that.
            crops = f" crops of {training['crop']} x {training['crop']} pixels"
    made_with = ", ".join(f"{name} {value}" for name, value in card.made_with.items())
    facts = {
        "Source": card.source,
        "Architecture": f"{card.architecture}, {json.dumps(card.settings)}",
        "Size": f"{card.parameters:,} parameters, {card.macs_per_pixel:,.0f} MACs per pixel",
        "Data": card.data,
        "Noise": trained or "none",
        "Noise drawn": "afresh each epoch" if training["fresh_noise"] else "once",
        "Loss": training["loss"],
        "Optimizer": f"{training['optimizer']}, learning rate {training['learning_rate']:g}, "
        f"{training['schedule']}",
        "Training": f"{epochs}, batches of {training['batch']}{crops}, seed {training['seed']}",
        "Made with": made_with,
        "SHA-256 of model.onnx": card.sha256,
    }
    if start := training.get("start"):
        start = "that it had before" if start == card.name else f"of `{start}`"
        facts["Training"] += f", begun with the weights {start}"
    if not card.noise:
        del facts["Noise drawn"]
    lines = [f"# {card.title}", "", card.purpose, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    if card.notice:
        lines += ["", card.notice]
    lines += ["", "Measured on held-out pictures: " + headline(card) + "."]
    if any(score.degradation for score in card.scores):
        lines += ["", _quality_table(card)]
    return "\n".join(lines) + "\n"


def _quality_table(card: Card) -> str:
    """Return a table with strengths as the sliders show them, of answers that are read too."""
    task = find_task(card.task)
    head = ["noise", "strength", "pictures", "noisy PSNR", "PSNR", "noisy SSIM", "SSIM"]
    reads = ["read noisy", "read"] if task.reader else []
    order = list(dict.fromkeys((s.degradation, s.clipped) for s in card.scores))
    lines = []
    for score in sorted(
        card.scores, key=lambda s: (order.index((s.degradation, s.clipped)), s.strength)
    ):
        kind = task.degradations.get(score.degradation)  # A camera's noise is on no slider.
        cells = [
            score.degradation + ("" if score.clipped else UNCLIPPED),
            kind.on_slider(score.strength) if kind and score.strength else "",
            f"{score.examples:,}",
            *(
                f"{values[name]:.{digits}f}"
                for name, digits in (("psnr", 2), ("ssim", 3))
                for values in (score.input, score.answer)
            ),
        ]
        if reads:
            cells += [
                f"{values['read']:.1%}" if "read" in values else ""
                for values in (score.input, score.answer)
            ]
        lines.append(cells)
    return markdown([*head, *reads], lines)
