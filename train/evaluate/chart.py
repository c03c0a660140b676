"""Draws the curve of one training as a small SVG, for pages that only show files."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 28, 34
FAINT, TRAINING, VALIDATION, INK, RULE = "#b9d4d1", "#0f766e", "#c2410c", "#1b2322", "#d3dbd9"
LEGEND = (("each batch", FAINT, ""), ("training", TRAINING, ""), ("validation", VALIDATION, "5 3"))
STEPS = (1, 2, 3, 5, 7)  # of a logarithmic axis, in each power of ten

Points = Sequence[tuple[float, float]]  # (epoch, loss)


@dataclass(frozen=True)
class Axes:
    """The part of the plane that is drawn: epochs from 0 on, losses above 0 on a log scale."""

    epochs: float
    low: float
    high: float

    @classmethod
    def around(cls, *curves: Points) -> "Axes":
        """Return axes that hold all points of the curves."""
        points = [point for curve in curves for point in curve if point[1] > 0]
        losses = [loss for _, loss in points] or [1.0]
        low, high = min(losses) * 0.97, max(losses) * 1.03
        return cls(max([epoch for epoch, _ in points], default=1) or 1, low, high)

    def x(self, epoch: float) -> float:
        """Return where an epoch stands, in pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / self.epochs

    def y(self, loss: float) -> float:
        """Return where a loss stands, in pixels from the top."""
        share = math.log(loss / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def loss_chart(title: str, batches: Points, training: Points, validation: Points) -> str:
    """Return an SVG: batches faint, epochs of training bold, those of validation dashed."""
    axes = Axes.around(batches, training, validation)
    curves = [
        _curve(axes, batches, FAINT, 1, ""),
        _curve(axes, training, TRAINING, 2, ""),
        _curve(axes, validation, VALIDATION, 2, "5 3"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" '
            f'font-size="11" fill="{INK}" role="img">',
            f"<title>{_escaped(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            *_losses(axes),
            *_epochs(axes),
            *curves,
            *_legend(),
            "</svg>\n",
        ]
    )


def _curve(axes: Axes, points: Points, colour: str, width: int, dashes: str) -> str:
    places = " ".join(f"{axes.x(e):.1f},{axes.y(v):.1f}" for e, v in points if v > 0)
    dots = f' stroke-dasharray="{dashes}"' if dashes else ""
    if len(points) == 1:  # A line of one point cannot be seen.
        x, y = places.split(",")
        return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linejoin="round"{dots}/>'
    )


def _losses(axes: Axes) -> Iterable[str]:
    """Rules across the chart, each with its loss."""
    for loss in ticks(axes.low, axes.high):
        y = axes.y(loss)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{RULE}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{loss:g}</text>'


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers between ``low`` and ``high``, at most eight, evenly spread as logs."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first > 3:
        every = -(-(last - first) // 7)
        return [10.0**power for power in range(first, last + 1, every) if low <= 10**power <= high]
    steps = [step / 10 for step in range(10, 100)] if high / low < 1.6 else STEPS
    found = [
        float(f"{step * 10.0**power:.3g}")
        for power in range(first, last + 1)
        for step in steps
        if low <= step * 10.0**power <= high
    ]
    return found[:: -(-len(found) // 8)] if found else []


def _epochs(axes: Axes) -> Iterable[str]:
    """The line below, and the number of the epoch at some places."""
    bottom = HEIGHT - BOTTOM
    yield f'<path d="M{LEFT} {bottom}H{WIDTH - RIGHT}" stroke="{INK}"/>'
    step = next((s for s in (1, 2, 5, 10, 20, 50) if axes.epochs / s <= 10), 100)
    for epoch in range(0, int(axes.epochs) + 1, step):
        yield (
            f'<text x="{axes.x(epoch):.1f}" y="{bottom + 15}" text-anchor="middle">{epoch}</text>'
        )
    yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">epoch</text>'


def _legend() -> Iterable[str]:
    yield f'<text x="{LEFT - 6}" y="18" text-anchor="end">loss</text>'
    for index, (name, colour, dashes) in enumerate(LEGEND):
        x = LEFT + 105 * index
        yield (
            f'<path d="M{x} 14h22" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dashes or "none"}"/>'
        )
        yield f'<text x="{x + 27}" y="18">{name}</text>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
