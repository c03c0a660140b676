"""The trust map: one digit under many draws of the noise, and what the answers have in common.

``clean (28, 28, 1) -> 32 noisy pictures -> 32 answers -> mean, spread, readings``

Pictures are ``(28, 28, 1)``, answers ``(32, 28, 28, 1)``, ``float32`` in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from imaging import metrics
from imaging.digit_fit import SIDE
from imaging.noise import NOISE_KINDS, NoiseKind
from models.catalogue import Card
from models.methods import find_method
from models.tasks.denoise_digits import TASK
from pages.components.cached import get_predictor
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.layout import GREY, show_chart
from pages.components.scores import Reading, as_text, read_digits

WORDS = (
    "The same digit was denoised 32 times, each time with freshly drawn noise. Where all answers "
    "are alike, the last picture is black: there the answer follows from the digit. Where it "
    "glows, the answer depends on chance, and a single answer should not be trusted, however "
    "clean it looks. Usually the edges of a stroke glow first; with stronger noise whole strokes "
    "do, because they are there in one answer and missing in the next. An answer can also be "
    "wrong in the same way every time. This map cannot show such an error, so compare the mean "
    "with the original too."
)
NOISE_WORDS = (
    "Here no digit was under the noise: whatever shows up is invented. A network that has seen "
    "nothing but digits answers with pieces of digits, because that is all it knows to look for. "
    "The reader cannot say “nothing” either: it must name a digit, and is often sure of it. Keep "
    "this in mind when a denoiser shows detail that you could not see before. A classical filter "
    "invents no strokes; it only makes the noise smoother."
)
DRAWS = 32
INVENTED = 8
WIDEST = 0.5  # No spread of values in [0, 1] is larger: half of them 0 and half of them 1.
# From black over red to a light yellow, rising in brightness: also readable without colour.
# Source: the ends and quarters of matplotlib's "inferno", by N. Smith and S. van der Walt, CC0.
HEAT = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))

# The scale belongs to the last picture: it stands below it, to the right.
STYLE = """
<style>
.st-key-trust-pictures .lab-gallery {grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr))}
.trust-legend {display: grid; grid-template-columns: repeat(3, auto);
  justify-content: space-between; max-width: 16.5rem; margin-left: auto; font-size: .8125rem;
  line-height: 1.3}
.trust-legend i {grid-column: 1 / -1; height: .8rem; border-radius: .2rem;
  outline: 1px solid rgb(128 128 128 / .35); margin-bottom: .25rem}
.trust-legend span:nth-of-type(2) {text-align: center}
.trust-legend span:nth-of-type(3) {text-align: right}
</style>
"""


@dataclass(frozen=True)
class Trust:
    """What became of one picture under many draws of the noise.

    ``noisy`` and ``answers`` are ``(N, H, W, 1)``, ``readings`` the digit and probability
    that the reader sees in each answer, empty without a reader; ``original`` is what it sees
    in the clean picture, ``first`` in the first noisy one.
    """

    clean: np.ndarray
    noisy: np.ndarray
    answers: np.ndarray
    readings: list[Reading]
    original: Reading | None
    first: Reading | None

    @property
    def mean(self) -> np.ndarray:
        """The mean answer."""
        return self.answers.mean(axis=0)

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation of the answers in each pixel."""
        return self.answers.std(axis=0)

    @property
    def psnr(self) -> np.ndarray:
        """The PSNR of each answer."""
        return metrics.batch_psnr(np.broadcast_to(self.clean, self.answers.shape), self.answers)

    @property
    def counts(self) -> dict[int, int]:
        """How many answers are read as each digit."""
        digits = [digit for digit, _ in self.readings]
        return {digit: digits.count(digit) for digit in range(10)}


@dataclass(frozen=True)
class Invented:
    """What was made of noise in which there was nothing; ``kind`` is the noise that was used."""

    kind: NoiseKind
    strength: float
    noisy: np.ndarray
    answers: np.ndarray
    readings: list[Reading]


def find_trust(
    name: str,
    cards: Mapping[str, Card],
    kind: NoiseKind,
    strength: float,
    clean: np.ndarray,
    seed: int,
) -> Trust:
    """Denoise ``clean`` under 32 draws of the noise.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    originals = np.repeat(clean[np.newaxis], DRAWS, axis=0)
    noisy = np.clip(kind.corrupt(originals, strength, np.random.default_rng(seed)), 0, 1)
    answers = _denoise(name, cards, kind, strength, noisy, clean)
    pictures = np.concatenate([clean[np.newaxis], noisy[:1], answers])
    original, first, *readings = _read(pictures, cards) or [None, None]
    return Trust(clean, noisy, answers, readings, original, first)


def invent(
    name: str, cards: Mapping[str, Card], kind: NoiseKind, strength: float, seed: int
) -> Invented:
    """Denoise eight draws of the noise on a black picture.

    Where the noise leaves black as it is, Gaussian noise of its default strength is taken.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    nothing = np.zeros((INVENTED, SIDE, SIDE, 1), np.float32)
    noisy = np.clip(kind.corrupt(nothing, strength, np.random.default_rng(seed)), 0, 1)
    if strength > 0 and not noisy.any():
        kind = NOISE_KINDS["gaussian"]
        return invent(name, cards, kind, kind.default, seed)
    answers = _denoise(name, cards, kind, strength, noisy, nothing[0])
    return Invented(kind, strength, noisy, answers, _read(answers, cards))


def show_trust(trust: Trust, method: str, noise: str) -> None:
    """Draw the original, one noisy picture, the mean answer, and where the answers differ."""
    entries = [
        Thumbnail("Original", trust.clean, (_reading(trust.original),), "The digit without noise"),
        Thumbnail(
            f"Noisy, 1 of {DRAWS}",
            trust.noisy[0],
            (_reading(trust.first),),
            f"The digit with {noise}",
        ),
        Thumbnail(
            f"Mean of {DRAWS} answers",
            trust.mean,
            (f"by {method}",),
            f"The mean of what {method} makes of {DRAWS} noisy versions",
        ),
        Thumbnail(
            "Where they disagree",
            heat(trust.spread),
            (f"most at one pixel: ±{trust.spread.max():.2f}",),
            f"Standard deviation of the answers in each pixel, at most {trust.spread.max():.2f}",
        ),
    ]
    with st.container(key="trust-pictures"):
        st.html(STYLE)
        show_gallery(entries)
        st.html(_legend())


def show_numbers(trust: Trust) -> None:
    """Draw how good the answers are, and how often the reader sees the digit of the original."""
    with st.container(horizontal=True):
        psnr = trust.psnr
        if np.isfinite(psnr).all():
            st.metric(
                "PSNR of an answer",
                f"{psnr.mean():.1f} dB",
                f"±{psnr.std():.1f} dB from draw to draw",
                delta_color="off",
                delta_arrow="off",
            )
            st.metric(
                "PSNR of the mean answer",
                f"{metrics.psnr(trust.clean, trust.mean):.1f} dB",
                help="Errors that differ from draw to draw cancel in the mean; what all answers "
                "get wrong stays.",
            )
        if trust.original is not None:
            st.metric(
                f"Read as {trust.original[0]}, like the original",
                f"{trust.counts[trust.original[0]]} of {len(trust.readings)}",
            )


def show_readings(trust: Trust) -> None:
    """Draw what the reader reads in the answers, and one answer for each digit it reads."""
    if trust.original is None:
        st.info("The digit reader is missing, so the results cannot be read.")
        return
    counts, own = trust.counts, trust.original[0]
    table = pd.DataFrame(
        {
            "digit": [str(digit) for digit in counts],
            "answers": list(counts.values()),
            "same": [digit == own for digit in counts],
            "unit": "answers",  # Gives the numbers a colour of the theme, dark or light.
        }
    )
    x = alt.X("digit:N", title="read as", axis=alt.Axis(labelAngle=0))
    y = alt.Y(
        "answers:Q",
        title="answers",
        scale=alt.Scale(domain=[0, DRAWS]),
        axis=alt.Axis(values=list(range(0, DRAWS + 1, 8)), tickMinStep=1),
    )
    bars = alt.Chart(table).encode(x=x, y=y, tooltip=["digit:N", "answers:Q"])
    chart = alt.layer(
        bars.transform_filter(alt.datum.same).mark_bar(),
        bars.transform_filter(~alt.datum.same).mark_bar(color=GREY),
        bars.transform_filter(alt.datum.answers > 0)
        .mark_text(dy=-8, fontSize=12)
        .encode(text="answers:Q", color=alt.Color("unit:N", legend=None)),
    )
    listed = ", ".join(f"{digit} in {count}" for digit, count in counts.items() if count)
    chart_box, answers_box = st.columns([3, 2], gap="large")
    with chart_box:
        show_chart(
            chart.properties(height=220),
            key="trust-readings",
            alt=f"What the reader reads in {DRAWS} answers: {listed}. "
            f"The original is read as {own}.",
        )
    entries = []
    for digit, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        if count:
            surest = max(
                (i for i, reading in enumerate(trust.readings) if reading[0] == digit),
                key=lambda i: trust.readings[i][1],
            )
            entries.append(
                Thumbnail(
                    f"Read as {digit}",
                    trust.answers[surest],
                    (f"{count} of {DRAWS} answers",),
                    f"The answer that is most surely read as {digit}",
                    chosen=digit == own,
                )
            )
    with answers_box:
        st.caption("For each digit that was read, the answer in which the reader was surest of it.")
        show_gallery(entries)


def show_invented(invented: Invented, method: str, wanted: NoiseKind) -> None:
    """Draw what was made of noise alone, and say so where it is not the wanted one."""
    if invented.kind != wanted:
        st.caption(
            f"{wanted.title} noise leaves a black picture black; the noise here is "
            f"{invented.kind.title} of strength {invented.strength:g}."
        )
    noise = f"{invented.kind.title} noise, strength {invented.strength:g}"
    readings = invented.readings or [None] * len(invented.answers)
    show_gallery(
        Thumbnail(
            f"Draw {number}",
            answer,
            (_reading(reading), f"brightest: {answer.max():.2f}"),
            f"What {method} makes of {noise} alone, draw {number}; {_reading(reading)}",
        )
        for number, (answer, reading) in enumerate(zip(invented.answers, readings, strict=True), 1)
    )


def heat(spread: np.ndarray) -> np.ndarray:
    """Return standard deviations ``(H, W, 1)`` as colours ``(H, W, 3)``, 0 to 0.5 on the scale."""
    share = np.clip(spread[..., 0] / WIDEST, 0, 1)
    places = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(share, places, channel) for channel in zip(*HEAT, strict=True)]
    return (np.stack(channels, axis=-1) / 255).astype(np.float32)


def _denoise(
    name: str,
    cards: Mapping[str, Card],
    kind: NoiseKind,
    strength: float,
    noisy: np.ndarray,
    clean: np.ndarray,
) -> np.ndarray:
    """Denoise a batch; a filter takes its pictures one by one and is told their noise level."""
    if name in cards:
        return get_predictor(cards[name]).predict_batch(noisy)
    method = find_method(TASK, name, cards, condition=(kind.name, strength))
    return np.stack([method.run(each, metrics.rms(clean, each)) for each in noisy])


def _read(pictures: np.ndarray, cards: Mapping[str, Card]) -> list[Reading]:
    """What the reader sees in each picture; empty where there is no reader."""
    return list(read_digits(dict(enumerate(pictures)), cards).values())


def _reading(reading: Reading | None) -> str:
    return "no reader" if reading is None else f"reader: {as_text(reading)}"


def _legend() -> str:
    colours = ", ".join(f"rgb{colour}" for colour in HEAT)
    return (
        '<div class="trust-legend" role="img" aria-label="Scale of the last picture: black means '
        'no difference, light yellow a standard deviation of 0.5, the largest there can be">'
        f'<i style="background: linear-gradient(to right, {colours})"></i>'
        "<span>0<br>all agree</span><span>0.25</span><span>0.5<br>black or white</span></div>"
    )
