"""The demos of lessons: each asks for one thing, computes, shows, and knows its own link.

``DEMOS`` names the kinds.  Each is a frozen dataclass of what a lesson file sets, with
``show(key)``, which draws it and returns the page and settings that show the same.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging import metrics
from imaging.digit_fit import SIDE, canvas_to_grey, fit_drawing
from imaging.noise import NOISE_KINDS, PHOTO_NOISE_KINDS
from imaging.pixels import to_image, to_pixels
from imaging.samples.not_digits import SAMPLES
from imaging.samples.photo_samples import PHOTO_SAMPLES
from imaging.samples.strokes import FIRST, fabric_drawing
from imaging.spectrum import period_two_share
from models.inspection.arithmetic import strongest_first
from models.methods import find_method
from models.studies.autoencoders import WIDTHS
from models.studies.pixel_order import ORDERS
from models.tasks import denoise_digits, denoise_photos
from pages.components import link, widgets
from pages.components.cached import (
    get_autoencoders,
    get_card,
    get_cards,
    get_catalogue,
    get_inside,
    get_order,
    get_predictor,
)
from pages.components.canvas import BRUSH, CANVAS_SIDE, drawing_pad
from pages.components.code_downloads import show_code_downloads
from pages.components.controls import DIGITS, FINE, ready_digit
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.layout import NAME_IN_LINES, show_chart
from pages.components.learn.numbers import CONDITION, FORMATS, filled, measured, recipe_of, written
from pages.components.live import preview_noise
from pages.components.scores import READER, captions, decibel, read_digits, read_thumbnails
from pages.components.viewer import compare
from train.recipes import recipe
from train.recorded import read_record

PHOTO_SIDE = 192
DRAWS = 24


@dataclass(frozen=True)
class Target:
    """A page of this app by its address, and the settings of its link."""

    page: str
    title: str
    settings: dict[str, str]


class Demo(Protocol):
    """A demo of a lesson."""

    def show(self, key: str) -> Target:
        """Draw it, with controls whose keys begin with ``key``; return where to go on."""


def _require(what: str, value: object, known: Collection[object]) -> None:
    if value not in known:
        raise ValueError(f"{what} must be one of {', '.join(map(str, known))}, got {value!r}")


def _require_noisy_digit(demo: Any) -> None:
    """Raise ``ValueError`` where there is no such digit or strength."""
    _require("picture", demo.picture, DIGITS)
    NOISE_KINDS["gaussian"].require_in_range(demo.strength)


@dataclass(frozen=True)
class Denoise:
    """A picture, its noisy version and what one method or several make of it; one slider.

    ``picture`` is a digit, the name of a sample that is not one, "nothing" for noise alone, or
    "draw" for a canvas.
    """

    methods: tuple[str, ...]
    picture: str = FIRST
    noise: str = "gaussian"
    strength: float = 0.5
    seed: int = 0
    slider: bool = True

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such method, picture or noise."""
        _require_methods(self.methods)
        _require("picture", self.picture, [*DIGITS, *SAMPLES, "nothing", "draw"])
        _require("noise", self.noise, NOISE_KINDS)
        NOISE_KINDS[self.noise].require_in_range(self.strength)

    def show(self, key: str) -> Target:
        """Draw the viewer and the slider below it."""
        kind, cards = NOISE_KINDS[self.noise], get_cards()[0]
        view = st.container()
        drawn = None
        if self.picture == "draw":
            with st.container(horizontal=True, gap="large"):
                with st.container(width=CANVAS_SIDE + 2):
                    drawn = _draw(key)
                view = st.container(width="stretch")
        clean = self._clean(drawn)
        strength = self.strength
        if self.slider:
            strength = widgets.slider(
                f"{kind.title} noise: {kind.unit}",
                kind.low,
                kind.high,
                self.strength,
                step=FINE,
                key=f"{key}-strength",
            )
            strength = _within(strength, kind.low, kind.high)
        noisy = np.clip(kind.corrupt(clean, strength, np.random.default_rng(self.seed)), 0, 1)
        sigma = metrics.rms(clean, noisy)
        task = denoise_digits.TASK
        methods = [
            find_method(task, name, cards, get_predictor, (kind.name, strength))
            for name in self.methods
        ]
        pictures = {"Original": clean, "Noisy": noisy}
        if self.picture == "nothing":
            del pictures["Original"]
        for method in methods:
            pictures["Denoised" if len(methods) == 1 else method.title] = method.run(noisy, sigma)
        preview = None
        if len(methods) == 1 and self.slider:
            card, reader = methods[0].card, cards.get(READER)
            slider = f"{key}-strength"
            preview = preview_noise(slider, kind, strength, self.seed, clean.shape, card, reader)
        with view:
            compare(
                pictures,
                key=f"{key}-viewer",
                captions=captions(pictures, read_digits(pictures, cards)),
                preview=preview,
            )
        return Target("", "the Draw page", self._settings(strength, drawn))

    def _clean(self, drawn: np.ndarray | None) -> np.ndarray:
        if drawn is not None:
            return drawn
        if self.picture in SAMPLES:
            return SAMPLES[self.picture].load()
        if self.picture == "nothing":
            return np.zeros((SIDE, SIDE, 1), np.float32)
        return ready_digit(self.picture if self.picture in DIGITS else FIRST)

    def _settings(self, strength: float, drawn: np.ndarray | None) -> dict[str, str]:
        if drawn is not None:
            picture = {"drawing": link.drawing_to_text(drawn)}
        elif self.picture in SAMPLES:
            picture = {"source": "other", "sample": self.picture}
        elif self.picture == "nothing":
            picture = {"source": "nothing"}
        else:
            picture = {"start": self.picture if self.picture in DIGITS else FIRST}
        noise = {"noise": self.noise, "strength": str(round(strength, 4)), "seed": str(self.seed)}
        return picture | noise | {"model": self.methods[0]}


def _draw(key: str) -> np.ndarray | None:
    """Let the visitor draw; return the digit ``(28, 28, 1)``, None while the first one is there."""
    pixels = drawing_pad(fabric_drawing(FIRST, CANVAS_SIDE, BRUSH), None, key=f"{key}-canvas")
    if pixels is None:
        return None
    try:
        return to_image(to_pixels(fit_drawing(canvas_to_grey(pixels))))
    except ValueError:  # Nothing is drawn.
        return np.zeros((SIDE, SIDE, 1), np.float32)


@dataclass(frozen=True)
class Keep:
    """A digit squeezed into few numbers by PCA and by autoencoders; a slider says how many."""

    picture: str = FIRST
    numbers: int = 64

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such digit or number."""
        _require("picture", self.picture, DIGITS)
        _require("numbers", self.numbers, WIDTHS)

    def show(self, key: str) -> Target:
        """Draw the digit and what is left of it."""
        width: Any = widgets.select_slider(
            "Numbers to keep", WIDTHS, self.numbers, key=f"{key}-numbers"
        )
        digit = ready_digit(self.picture)
        networks, pca = get_autoencoders()
        pictures = {
            "Original, 784 numbers": digit,
            f"PCA, {width} numbers": pca.rebuild(digit[np.newaxis], width)[0],
            f"Autoencoder, {width} numbers": networks[width].rebuild(digit[np.newaxis])[0],
        }
        _show_pictures(pictures, digit)
        settings = {"inside": "pca", "pca_width": str(width), "inside_digit": self.picture}
        return Target("inside", "the Inside page", settings)


@dataclass(frozen=True)
class Shuffle:
    """A noisy digit through a dense and a convolutional network; a switch shuffles its pixels."""

    picture: str = FIRST
    strength: float = 0.5
    shuffled: bool = False

    __post_init__ = _require_noisy_digit

    def show(self, key: str) -> Target:
        """Draw what goes in and what comes out."""
        on = widgets.toggle("Shuffle the pixels", self.shuffled, key=f"{key}-shuffled")
        order, name = get_order(), ORDERS[on]
        digit = ready_digit(self.picture)
        noisy = _noisy(digit, self.strength)
        pictures = {
            "Original": digit,
            "What goes in": order.arrange(noisy[np.newaxis], name)[0],
            "Dense network": order.denoise(noisy[np.newaxis], "dense", name)[0],
            "Convolutional network": order.denoise(noisy[np.newaxis], "convolutional", name)[0],
        }
        _show_pictures(pictures, digit, "What goes in")
        return Target("inside", "the Inside page", _inside("order", self))


@dataclass(frozen=True)
class Skips:
    """A U-Net with all its skip connections on one switch."""

    picture: str = FIRST
    strength: float = 0.5

    __post_init__ = _require_noisy_digit

    def show(self, key: str) -> Target:
        """Draw the answer with the connections and without."""
        on = widgets.toggle("Skip connections", True, key=f"{key}-on")
        network = get_inside(get_card("unet"))
        digit = ready_digit(self.picture)
        noisy = _noisy(digit, self.strength)
        answer = network.denoise(noisy[np.newaxis], dict.fromkeys(network.skips, float(on)))[0]
        title = "With skip connections" if on else "Without"
        _show_pictures({"Original": digit, "Noisy": noisy, title: answer}, digit)
        settings = _inside("skips", self) | ({} if on else {"skips_on": "none"})
        return Target("inside", "the Inside page", settings)


@dataclass(frozen=True)
class Maps:
    """The maps of some layers of a network; a slider moves from layer to layer."""

    model: str
    layers: tuple[str, ...]
    picture: str = FIRST
    strength: float = 0.5
    shown: int = 8

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such network, layer or digit."""
        _require("picture", self.picture, DIGITS)
        _require("model", self.model, get_catalogue()[0])
        for layer in self.layers:
            _require("layer", layer, get_inside(get_card(self.model)).layers)

    def show(self, key: str) -> Target:
        """Draw the strongest maps of the chosen layer."""
        network = get_inside(get_card(self.model))
        layer: Any = widgets.select_slider(
            "Layer",
            self.layers,
            format_func=lambda name: f"{name} ({network.layers[name].shape[0]} pixels wide)",
            key=f"{key}-layer",
        )
        clean = ready_digit(self.picture)
        noisy = _noisy(clean, self.strength)
        both = network.feature_maps(np.stack([clean, noisy]), [layer])[layer]
        maps = both[1]
        span = max(float(np.abs(maps).max()), 1e-6)
        entries = [Thumbnail("What goes in", noisy, (), "The noisy digit")]
        for index in strongest_first(both)[: self.shown]:  # As on the Inside page.
            picture = np.clip(maps[..., index : index + 1] / span, 0, 1).astype(np.float32)
            side = f"{picture.shape[0]} × {picture.shape[1]}"
            entries.append(
                Thumbnail(f"Map {index + 1}", picture, (side,), f"Map {index + 1}, {side}")
            )
        with st.container(key="learn-maps"):
            show_gallery(entries)
        settings = {"inside_model": self.model, "inside_layer": layer}
        return Target("inside", "the Inside page", _inside("layers", self) | settings)


@dataclass(frozen=True)
class Grid:
    """The last maps of two networks, of which one enlarges by transposed convolution."""

    picture: str = FIRST
    strength: float = 0.5

    __post_init__ = _require_noisy_digit

    def show(self, key: str) -> Target:
        """Draw the maps with the most checkerboard, and how much it is."""
        transposed = widgets.toggle("Transposed convolution", True, key=f"{key}-transposed")
        network = get_inside(get_card(f"conv-64-64-32{'-transposed' if transposed else ''}"))
        digit = ready_digit(self.picture)
        noisy, end = _noisy(digit, self.strength), list(network.layers)[-1]
        found = network.feature_maps(noisy[np.newaxis], ["decoder_conv_1", end])
        maps, answer = found["decoder_conv_1"][0], np.clip(found[end][0], 0, 1)
        shares = np.array([period_two_share(maps[..., i : i + 1]) for i in range(maps.shape[2])])
        strong = maps.var(axis=(0, 1))
        order = np.argsort(-(shares * strong), kind="stable")[:4]
        entries = [Thumbnail("Denoised", answer, (), "The answer of the network")]
        for index in order:
            each = maps[..., index : index + 1]
            picture = np.clip(each / max(float(each.max()), 1e-6), 0, 1).astype(np.float32)
            share = f"{shares[index]:.0%} is checkerboard"
            entries.append(Thumbnail(f"Last map {index + 1}", picture, (share,), f"A map; {share}"))
        show_gallery(entries)
        st.caption(f"{period_two_share(maps):.1%} of the energy in all last maps is checkerboard.")
        return Target("inside", "the Inside page", _inside("checkerboard", self))


@dataclass(frozen=True)
class Bars:
    """Measured numbers of methods and recipes as bars; a recipe is written "recipe NAME".

    Titles are filled in as texts are.  The first recipe, if there is one, can be trained from here.
    """

    what: str
    rows: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such number."""
        _require("what", self.what, FORMATS)
        for title, method in self.rows:
            try:
                measured(self.what, method)
            except KeyError:
                raise ValueError(f"{title}: {method!r} was not measured") from None
            filled(title)

    def show(self, key: str) -> Target:
        """Draw the bars with their numbers."""
        values = [(filled(title), measured(self.what, method)) for title, method in self.rows]
        table = pd.DataFrame(values, columns=["title", "value"])
        table["label"] = [written(self.what, value) for value in table["value"]]
        bars = alt.Chart(table).encode(
            x=alt.X("value:Q", title=AXES[self.what], scale=alt.Scale(zero=True)),
            y=alt.Y("title:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
        )
        labels = bars.mark_text(align="left", dx=5, fontSize=13).encode(text="label:N")
        listed = "; ".join(f"{row.title}: {row.label}" for row in table.itertuples())
        show_chart(
            (bars.mark_bar() + labels).properties(height=alt.Step(34)),
            key=f"{key}-bars",
            alt=f"{AXES[self.what]}. {listed}.",
        )
        for _, method in self.rows:
            if name := recipe_of(method):
                return Target("train", "the Train page", {"recipe": name})
        _, noise, strength = CONDITION
        asked = {"measured_by": self.what, "measured_noise": noise, "measured_at": str(strength)}
        return Target("compare", "the Compare page", asked)


AXES = {
    "psnr": "PSNR on 10,000 test digits, dB",
    "read": "Share of digits read",
}


@dataclass(frozen=True)
class Training:
    """The curves of recipes as they were run in full; the first can be trained from here.

    ``first_epoch`` is where they begin.
    """

    recipes: tuple[str, ...]
    what: str = "val_psnr"
    first_epoch: int = 1

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where a recipe has no record, or two cannot be compared."""
        _require("what", self.what, CURVES)
        for name in self.recipes:
            if read_record(recipe(name).name) is None:
                raise ValueError(f"the recipe {name} was not run yet")
        configs = [recipe(name).config for name in self.recipes]
        if len({(config.data, config.noise, config.loss) for config in configs}) > 1:
            raise ValueError("recipes in one chart must have the same data, noise and loss")
        _require("first_epoch", self.first_epoch, range(1, 1 + min(c.epochs for c in configs)))

    def show(self, key: str) -> Target:
        """Draw the curves, and offer the first recipe as code."""
        axis, kinds = CURVES[self.what]
        rows = [
            {
                "curve": f"{recipe(name).title}{addition}",
                "epoch": epoch["epoch"],
                "value": epoch[value],
            }
            for name in self.recipes
            for value, addition in kinds.items()
            for epoch in (read_record(name) or {"epochs": []})["epochs"]
            if value in epoch and epoch["epoch"] >= self.first_epoch
        ]
        last = {row["curve"]: f"{row['value']:.3g} after epoch {row['epoch']}" for row in rows}
        chart = alt.Chart(pd.DataFrame(rows)).encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("value:Q", title=axis, scale=alt.Scale(zero=False)),
            color=alt.Color("curve:N", title=None, sort=None, legend=LEGEND),
            strokeDash=alt.StrokeDash("curve:N", title=None, sort=None, legend=LEGEND),
            tooltip=["curve", "epoch", alt.Tooltip("value", format=".4g")],
        )
        show_chart(
            chart.mark_line(point=True).properties(height=240 + 60 * len(last)),
            key=f"{key}-curves",
            alt=f"{axis} by epoch. "
            + "; ".join(f"{title}: {value}" for title, value in last.items()),
        )
        first = recipe(self.recipes[0])
        with st.popover("This training as code", icon=":material/code:"):
            show_code_downloads(first.config, first.title, f"{key}-code", first.purpose)
        return Target("train", "the Train page", {"recipe": first.name})


# By what is shown: the title of the axis, and the values of an epoch with what tells them apart.
CURVES: dict[str, tuple[str, dict[str, str]]] = {
    "val_psnr": ("PSNR on held-out digits, dB", {"val_psnr": ""}),
    "val_loss": ("Loss on held-out digits", {"val_loss": ""}),
    "losses": ("Loss", {"loss": ", on its training digits", "val_loss": ", on held-out digits"}),
}
LEGEND = alt.Legend(orient="top", columns=1, labelLimit=400, labelExpr=NAME_IN_LINES)


@dataclass(frozen=True)
class Photo:
    """A piece of a sample photo with noise and without; one slider."""

    sample: str = "cat"
    noise: str = "gaussian"
    strength: float = 25 / 255
    methods: tuple[str, ...] = ("photo",)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such photo, noise or method."""
        _require("sample", self.sample, PHOTO_SAMPLES)
        _require("noise", self.noise, PHOTO_NOISE_KINDS)
        PHOTO_NOISE_KINDS[self.noise].require_in_range(self.strength)
        for name in self.methods:
            _require("method", name, [*get_catalogue()[0], *denoise_photos.TASK.baselines])

    def show(self, key: str) -> Target:
        """Draw the viewer and the slider below it."""
        kind, task, cards = PHOTO_NOISE_KINDS[self.noise], denoise_photos.TASK, get_cards()[0]
        view, scale = st.container(), kind.shown_per_unit
        shown = widgets.slider(
            f"{kind.title} noise: {kind.unit}",
            float(kind.low * scale),
            float(kind.high * scale),
            float(self.strength * scale),
            step=float(kind.step * scale),
            key=f"{key}-strength",
        )
        pixels = PHOTO_SAMPLES[self.sample].load()
        top, left = ((side - PHOTO_SIDE) // 2 for side in pixels.shape[:2])
        clean = to_image(pixels[top : top + PHOTO_SIDE, left : left + PHOTO_SIDE])
        strength = _within(shown / scale, kind.low, kind.high)
        noisy = np.clip(kind.corrupt(clean, strength, np.random.default_rng(0)), 0, 1)
        sigma = metrics.rms(clean, noisy)
        pictures = {"Original": clean, "Noisy": noisy}
        for name in self.methods:
            method = find_method(task, name, cards, get_predictor, (kind.name, strength))
            title = "Denoised" if len(self.methods) == 1 else method.title
            pictures[title] = method.run(noisy, sigma)
        lines = {
            title: decibel(metrics.psnr(clean, picture))
            for title, picture in pictures.items()
            if title != "Original"
        }
        with view:
            compare(pictures, key=f"{key}-viewer", captions=lines)
        settings = {"photo_sample": self.sample, "photo_noise": self.noise}
        settings |= {"photo_strength": str(round(shown, 4)), "photo_method": self.methods[0]}
        return Target("photo", "the Photo page", settings)


@dataclass(frozen=True)
class Spread:
    """One digit under many draws of the noise: mean and spread of the answers; one slider."""

    method: str
    picture: str = FIRST
    strength: float = 0.5

    def __post_init__(self) -> None:
        """Raise ``ValueError`` where there is no such network, digit or strength."""
        _require("method", self.method, get_catalogue()[0])
        _require_noisy_digit(self)

    def show(self, key: str) -> Target:
        """Draw the first answer, the mean of all and where they differ."""
        kind = NOISE_KINDS["gaussian"]
        strength: float = widgets.slider(
            f"{kind.title} noise: {kind.unit}",
            kind.low,
            kind.high,
            self.strength,
            step=FINE,
            key=f"{key}-strength",
        )
        strength = _within(strength, kind.low, kind.high)
        clean = ready_digit(self.picture)
        many = np.repeat(clean[np.newaxis], DRAWS, axis=0)
        noisy = np.clip(kind.corrupt(many, strength, np.random.default_rng(0)), 0, 1)
        answers = get_predictor(get_card(self.method)).predict_batch(noisy)
        spread = np.clip(2 * answers.std(axis=0), 0, 1)
        show_gallery(
            [
                Thumbnail("Original", clean, (), "The digit without noise"),
                Thumbnail("One of the noisy", noisy[0], (), "The digit with noise"),
                Thumbnail("Its answer", answers[0], (), "What the network makes of it"),
                Thumbnail(f"Mean of {DRAWS}", answers.mean(axis=0), (), "The mean of all answers"),
                Thumbnail(
                    "Where they differ", spread, ("white: chance",), "The spread of all answers"
                ),
            ]
        )
        settings = {"compare": "trust", "trust_strength": f"{strength:g}"}
        settings |= {"trust_digit": self.picture, "trust_model": self.method}
        return Target("compare", "the Compare page", settings)


DEMOS: dict[str, type] = {
    "denoise": Denoise,
    "keep": Keep,
    "shuffle": Shuffle,
    "skips": Skips,
    "maps": Maps,
    "grid": Grid,
    "bars": Bars,
    "training": Training,
    "photo": Photo,
    "spread": Spread,
}


def _show_pictures(pictures: dict[str, np.ndarray], clean: np.ndarray, *unmeasured: str) -> None:
    """Draw pictures with their PSNR and what the reader reads."""
    with st.container(key="learn-pictures"):
        show_gallery(read_thumbnails(pictures, clean, unmeasured))


def _within(value: float, low: float, high: float) -> float:
    """Return the value of a slider; what no slider could have sent becomes the lowest."""
    return value if low <= value <= high else low


def _noisy(digit: np.ndarray, strength: float) -> np.ndarray:
    noisy = NOISE_KINDS["gaussian"].corrupt(digit, strength, np.random.default_rng(0))
    return np.clip(noisy, 0, 1)


def _inside(section: str, demo: Shuffle | Skips | Maps | Grid) -> dict[str, str]:
    """The link of a section of the Inside page with this digit and noise."""
    settings = {"inside": section, "inside_digit": demo.picture}
    return settings | {"inside_strength": f"{demo.strength:g}"}


def _require_methods(names: Iterable[str]) -> None:
    for name in names:
        _require("method", name, [*get_catalogue()[0], *denoise_digits.TASK.baselines])
