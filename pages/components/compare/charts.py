"""The charts of the Compare page: networks in colour, filters grey and dashed, all by shape."""

import math
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from models.catalogue import Card
from models.digit_scores import FAIR
from models.tasks.digits import REPORTED
from pages.components.compare.measurements import (
    FILTER,
    NETWORK,
    NOISY,
    method_title,
    noise_kind,
    noise_title,
)
from pages.components.compare.selection import Selection, measured_name
from pages.components.draw_settings import DrawSettings
from pages.components.layout import GREY, show_chart

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
PRICE_WORDS = (
    "Up is better and left is cheaper: a method with another one above it and to its left is never "
    "the right choice. Filters have no learned parameters, so only networks have a size. The marks "
    "are those of the ranking above."
)
ROW = 25  # pixels for one method in the ranking


def show_curves(chosen: Selection, here: DrawSettings) -> None:
    """Draw the chosen measure against strength, a line for each method."""
    # What comes last is drawn on top: the best networks.
    rows = chosen.rows[::-1]
    x = alt.X(
        "shown:Q",
        title=_x_title(chosen),
        scale=alt.Scale(domain=[0, float(rows["shown"].max())], nice=False),
        axis=alt.Axis(tickCount=6, grid=False),
    )
    base = alt.Chart(rows).encode(x=x, y=_y(chosen))
    dashes = alt.Scale(domain=[NETWORK, FILTER, NOISY], range=[[1, 0], [6, 4], [2, 2]])
    lines = base.mark_line().encode(
        detail="method:N",
        color=_colour(chosen, GREY),
        strokeDash=alt.StrokeDash("family:N", scale=dashes, legend=None),
        strokeWidth=_bold(chosen, 3.5, 1.3),
    )
    points = base.transform_filter(alt.datum.family != NOISY).mark_point(opacity=1)
    layers = [
        *_shade(chosen, x),
        lines,
        points.encode(**_mark(chosen, 110, 45)),
        *_here(chosen, here, x),
    ]
    show_chart(
        alt.layer(*layers).properties(height=430),
        key="measured-curves",
        alt=f"{chosen.measure.title} against the strength of {_noise(chosen)} noise, a line for "
        f"each method. {summary(chosen)} The table below has all numbers.",
    )


def show_ranking(chosen: Selection) -> None:
    """Draw the methods in their order at the chosen strength; it is also the key to the charts."""
    rows = chosen.there
    words = [chosen.measure.words(value) for value in rows["value"]]
    rows = rows.assign(words=words, label=rows["title"] + " · " + words)
    y = alt.Y(
        "label:N",
        sort=rows["label"].tolist(),
        title=None,
        axis=alt.Axis(labelLimit=320, domain=False, ticks=False, labelPadding=8),
    )
    x = alt.X("value:Q", axis=None, scale=alt.Scale(zero=False, nice=False, padding=12))
    chart = alt.Chart(rows).mark_point(opacity=1).encode(x=x, y=y, **_mark(chosen, 150, 80))
    listed = "; ".join(f"{row.title} {row.words}" for row in rows.itertuples())
    show_chart(
        chart.properties(height=ROW * len(rows)),
        key="measured-ranking",
        alt=f"The methods by {chosen.measure.title}, the best first: {listed}.",
    )


def show_time(chosen: Selection) -> None:
    """Draw the chosen measure against the time for one picture."""
    rows = chosen.there[chosen.there["family"] != NOISY]
    seconds = rows["seconds_per_picture"]
    unit, per_second = ("s", 1) if seconds.median() > 0.1 else ("ms", 1000)
    rows = rows.assign(price=per_second * seconds)
    _show_price(chosen, rows, f"{unit} for one picture", "~g", "time")


def show_size(chosen: Selection, cards: Mapping[str, Card]) -> None:
    """Draw the chosen measure against the number of parameters, which only networks have."""
    rows = chosen.there[chosen.there["method"].isin(cards)]
    rows = rows.assign(price=[cards[name].parameters for name in rows["method"]])
    # A visitor's own network need not have learned anything, and nothing is on no logarithmic axis.
    _show_price(chosen, rows[rows["price"] > 0], "parameters", "~s", "size")


def has_curves(chosen: Selection) -> bool:
    """Return whether there is more than one strength to draw a line through."""
    return chosen.rows["strength"].nunique() > 1


def has_prices(chosen: Selection) -> bool:
    """Return whether there is more than one method to pay for."""
    return (chosen.there["family"] != NOISY).sum() > 1


def summary(chosen: Selection) -> str:
    """Return the main result at the chosen strength, in a sentence."""
    rows = chosen.there
    networks, filters, noisy = (
        rows[rows["family"] == family] for family in (NETWORK, FILTER, NOISY)
    )
    words = chosen.measure.words
    parts = []
    for best, what in ((networks, "the best network"), (filters, "the best filter")):
        if len(best):
            first = best.iloc[0]
            parts.append(f"{what} is {first['title']} with {words(first['value'])}")
    if len(noisy):
        parts.append(f"the noisy input has {words(noisy.iloc[0]['value'])}")
    sentence = "; ".join(parts)
    strength = f", strength {chosen.at * chosen.per_unit:.3g}" if chosen.at else ""
    return f"{_noise(chosen)}{strength}: {sentence}."


def legend_words(chosen: Selection, here: DrawSettings, cards: Mapping[str, Card]) -> str:
    """Return what the signs in the charts mean, in sentences."""
    title = method_title(chosen.highlight, cards)
    card = cards.get(chosen.highlight)
    parts = ["Filled marks in colour are networks, hollow grey ones are filters."]
    if has_curves(chosen):
        parts.append(
            f"The lines have the marks of the ranking; the bold one is {title}, the dotted one "
            "without marks the noisy input."
        )
    if chosen.trained is not None and has_curves(chosen):
        low, high = (edge * chosen.per_unit for edge in chosen.trained)
        parts.append(
            f"The shaded range shows the strengths on which it was trained, {low:.3g} to "
            f"{high:.3g}."
            if low < high
            else f"It was trained on the strength {low:.3g} alone."
        )
    elif chosen.trained is None and card is not None and card.training:
        saw = "this noise" if card.noise else "any noise"
        parts.append(f"{title} never saw {saw} in training.")
    if chosen.rows["method"].str.endswith(FAIR).any():
        parts.append(
            "For a fair comparison, the filters are given the true noise level, and the "
            "brightness bias that clipping adds to dark areas is removed (“bias undone”)."
        )
    if is_here(chosen, here):
        parts.append("The ring marks the method and noise strength set on the Draw page.")
    elif chosen.data == REPORTED:
        noise = noise_title(here.noise, chosen.data)
        parts.append(f"The Draw page is set to {noise} noise, which this chart does not show.")
    return " ".join(parts)


def _show_price(chosen: Selection, rows: pd.DataFrame, price: str, pattern: str, key: str) -> None:
    if len(rows) < 2:  # Nothing to compare.
        return
    x = alt.X(
        "price:Q",
        title=price,
        # Room to both sides, so that no point stands on the frame.
        scale=alt.Scale(
            type="log",
            nice=False,
            domain=[float(rows["price"].min()) / 2, float(rows["price"].max()) * 2],
        ),
        axis=alt.Axis(format=pattern, values=_ticks(rows["price"]), grid=False),
    )
    points = (
        alt.Chart(rows).mark_point(opacity=1).encode(x=x, y=_y(chosen), **_mark(chosen, 190, 95))
    )
    listed = "; ".join(
        f"{row.title} {chosen.measure.words(row.value)} at {_in_full(row.price)} {price}"
        for row in rows.itertuples()
    )
    show_chart(
        points.properties(height=280),
        key=f"measured-{key}",
        alt=f"{chosen.measure.title} against {price}: {listed}.",
    )


def _in_full(price: float) -> str:
    """Return a price for ears: "483,857", "0.0123"."""
    return f"{price:,.0f}" if price >= 1000 else f"{price:.4g}"


def _ticks(prices: pd.Series) -> list[float]:
    """Powers of ten and thrice these, from half of the lowest to twice the highest price."""
    powers = range(
        math.floor(math.log10(prices.min())) - 1, math.ceil(math.log10(prices.max())) + 1
    )
    ticks = [digit * 10.0**power for power in powers for digit in (1, 3)]
    return [tick for tick in ticks if prices.min() / 2 <= tick <= prices.max() * 2]


def _y(chosen: Selection) -> alt.Y:
    return alt.Y(
        "value:Q",
        title=chosen.measure.axis,
        scale=alt.Scale(zero=False, padding=8),
        axis=alt.Axis(tickCount=5, format=chosen.measure.axis_pattern),
    )


def _x_title(chosen: Selection) -> str:
    kinds = chosen.pictures.kinds
    name = noise_kind(chosen.noise)
    unit = f" ({kinds[name].unit})" if name in kinds else ""
    return f"strength{unit}"


def _noise(chosen: Selection) -> str:
    return noise_title(chosen.noise, chosen.data)


def _names(chosen: Selection, family: str) -> list[str]:
    """The methods of a family in the order of the rows."""
    return chosen.rows[chosen.rows["family"] == family]["method"].unique().tolist()


def _mark(chosen: Selection, highlighted: float, other: float) -> dict:
    """What makes the mark of a method: colour, shape, hollow or filled, size, and its tooltip.

    Six colours are soon used up; with its shape, every method has its own mark.
    """
    groups = [_names(chosen, NETWORK), _names(chosen, FILTER)]
    names = [name for group in groups for name in group]
    shapes = [SHAPES[i % len(SHAPES)] for group in groups for i in range(len(group))]
    scale = alt.Scale(domain=[*names, "noisy"], range=[*shapes, "stroke"])
    return {
        "color": _colour(chosen, GREY),
        "fill": _colour(chosen, "transparent"),
        "shape": alt.Shape("method:N", scale=scale, legend=None),
        "size": _bold(chosen, highlighted, other),
        "tooltip": _tooltip(chosen),
    }


def _colour(chosen: Selection, others: str) -> dict:
    """A colour of the theme for each network, the first one's that of the accents."""
    scale = alt.Scale(domain=_names(chosen, NETWORK))
    of_networks = alt.Color("method:N", scale=scale, legend=None)
    return alt.condition(alt.datum.family == NETWORK, of_networks, alt.value(others))


def _bold(chosen: Selection, highlighted: float, other: float) -> dict:
    return alt.condition(
        alt.datum.method == chosen.highlight, alt.value(highlighted), alt.value(other)
    )


def _tooltip(chosen: Selection) -> list[alt.Tooltip]:
    tips = [
        alt.Tooltip("title:N", title="method"),
        alt.Tooltip("shown:Q", title="strength", format=".3~g"),
        alt.Tooltip("psnr:Q", title="PSNR (dB)", format=".2f"),
        alt.Tooltip("ssim:Q", title="SSIM", format=".3f"),
    ]
    if chosen.rows["read"].notna().any():
        tips.append(alt.Tooltip("read:Q", title="digits read", format=".1%"))
    return [*tips, alt.Tooltip("pictures:Q", title="pictures", format=",")]


def _shade(chosen: Selection, x: alt.X) -> list[alt.Chart]:
    """The strengths on which the highlighted model was trained."""
    if chosen.trained is None:
        return []
    low, high = (edge * chosen.per_unit for edge in chosen.trained)
    high = min(high, float(chosen.rows["shown"].max()))
    edges = pd.DataFrame({"shown": [low], "high": [high]})
    return [alt.Chart(edges).mark_rect(color=GREY, opacity=0.14).encode(x=x, x2="high:Q")]


def _here(chosen: Selection, here: DrawSettings, x: alt.X) -> list[alt.Chart]:
    """A line at the visitor's strength, and a ring on the curve of the visitor's model."""
    if not is_here(chosen, here):
        return []
    value = value_here(chosen, here)
    place = pd.DataFrame({"shown": [here.strength * chosen.per_unit], "value": [value]})
    at = alt.Chart(place).encode(x=x)
    words = at.mark_text(text="you are here", align="left", dx=5, baseline="top", fontSize=12)
    # The theme has no colour for words in a chart, dark or light; a category's is legible.
    accent = alt.datum(next(iter(_names(chosen, NETWORK)), ""))
    layers = [
        at.mark_rule(strokeDash=[2, 2], color=GREY),
        words.encode(y=alt.value(2), color=accent),
    ]
    if not math.isnan(value):
        ring = at.mark_point(shape="circle", size=420, strokeWidth=2.5, color=GREY)
        layers.append(ring.encode(y=_y(chosen)))
    return layers


def is_here(chosen: Selection, here: DrawSettings) -> bool:
    """Return whether the charts show the pictures and the noise of the Draw page."""
    return chosen.data == REPORTED and chosen.noise == here.noise


def value_here(chosen: Selection, here: DrawSettings) -> float:
    """Return the measure of the visitor's model at the visitor's strength, between two measured.

    NaN where the model or so weak a noise was not measured.
    """
    name = measured_name(here.model, chosen.rows["method"].tolist())
    rows = chosen.rows[chosen.rows["method"] == name].sort_values("strength")
    if rows.empty:
        return float("nan")
    return float(
        np.interp(here.strength, rows["strength"], rows["value"], left=np.nan, right=np.nan)
    )
