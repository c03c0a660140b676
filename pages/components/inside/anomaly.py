"""Anomalies: what is badly rebuilt was never seen in training, or so one hopes.

``picture -> autoencoder -> rebuilt picture -> mean squared error -> alarm above a threshold``

Pictures are ``(28, 28, 1)``, ``float32`` in [0, 1]; scores of many are ``(N,)``.
"""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from skimage.color import rgb2gray

from imaging.digit_fit import SIDE
from imaging.noise import NOISE_KINDS
from imaging.samples.not_digits import SAMPLES
from imaging.samples.photo_samples import PHOTO_SAMPLES
from models.catalogue import ModelError
from models.studies.anomaly import brightness, rebuild_error, roc
from pages.components import widgets
from pages.components.cached import (
    get_autoencoders,
    get_card,
    get_measured,
    get_predictor,
    get_scores,
)
from pages.components.explain import explain, measured_on
from pages.components.gallery import Thumbnail, show_gallery
from pages.components.inside.settings import DETECTORS, FALSE_ALARMS, KINDS, PICTURES, write_link
from pages.components.layout import GREY, show_chart
from pages.components.scores import read_thumbnails

Scores = Mapping[str, Mapping[str, np.ndarray]]

DIGIT = "digit"
CONVOLUTIONAL, BRIGHTNESS = "conv-reconstruct", "brightness"
BINS = 40
LOWEST = 1e-6  # A logarithm has no place for 0.
CURVE = 101  # points of a ROC curve
CAT = np.s_[10:290, 110:390]  # Chelsea's face, 280 pixels square
SOURCE = (
    "Japkowicz et al., IJCAI 1995, A novelty detection approach to classification; ROC: Fawcett, "
    "Pattern Recognition Letters 2006, doi:10.1016/j.patrec.2005.10.010. Clothes: Fashion-MNIST, "
    "Xiao et al., arXiv:1708.07747."
)

STYLE = """
<style>
.st-key-anomaly-pictures .lab-gallery {grid-template-columns: repeat(3, minmax(0, 11rem))}
</style>
"""


def show(digit: np.ndarray) -> None:
    """Draw how well pictures of all kinds, a clean digit ``(28, 28, 1)`` first, are rebuilt."""
    scores, measured = get_scores(), get_measured("anomaly")
    st.html(STYLE)
    _show_detector(digit, scores)
    explain(
        "These networks were trained to rebuild digits and have seen nothing else. Show them "
        "anything else, and they build it from pieces of digits. The result differs a lot from "
        "the picture, and this error can serve as an alarm. The threshold is a trade-off: a lower "
        "one finds more, and raises more false alarms. The width matters too: with two hidden "
        "units even digits come back badly, and with many of them letters are copied as well, so "
        "letters are found best in between. Beware of easy victories. Clothes and noise are "
        "brighter than digits, so a detector that only adds up the brightness is included as the "
        "one to beat. The letters were drawn by a program, so digits drawn by the same program "
        "are included too.",
        {
            "Anomaly": "A picture unlike those on which the network was trained.",
            "Reconstruction error": "The mean squared difference between a picture and what the "
            "autoencoder makes of it; the score of this detector.",
            "Threshold": "A score above it raises the alarm.",
            "False alarm": "An alarm at a normal picture, here a handwritten test digit.",
            "ROC curve": "Receiver operating characteristic: the share of anomalies found against "
            "the share of false alarms, for every threshold.",
            "Area under the curve": "How often, of one anomaly and one digit, the anomaly scores "
            "higher: 1 is perfect, 0.5 is tossing a coin.",
        },
        SOURCE,
    )
    st.header("Area under the ROC curve, all detectors", anchor=False)
    st.dataframe(as_table(measured["area"]), width="stretch")
    st.caption(
        f"{measured['pictures']:,} pictures of each kind against as many test digits of MNIST: "
        f"letters {', '.join(measured['letters'])} in random hands, Fashion-MNIST, Gaussian noise "
        "of strength 0.5 on black, and digits drawn by the program that drew the letters, at "
        f"which no alarm should be raised: 0.5 or less is right for them. {measured_on(measured)}"
    )


@st.fragment
def _show_detector(digit: np.ndarray, scores: Scores) -> None:
    name = widgets.by_title(
        widgets.pills,
        "Show it",
        PICTURES,
        "anomaly_picture",
        wrap=True,
        help="The tutorials show a photo of a dog to a network for digits; here it is a cat.",
    )
    detector_box, kind_box, alarm_box = st.columns(3, gap="medium")
    with detector_box:
        detector = widgets.by_title(widgets.selectbox, "Detector", DETECTORS, "anomaly_detector")
    with kind_box:
        kind = widgets.by_title(widgets.selectbox, "Compare digits with", KINDS, "anomaly_kind")
    with alarm_box:
        allowed = widgets.select_slider(
            "False alarms allowed",
            FALSE_ALARMS,
            format_func=lambda share: f"{share:.1%}",
            key="anomaly_allowed",
            help="Sets the threshold so that this share of the test digits is above it.",
        )
    picture = load_picture(name, digit)
    threshold = float(np.quantile(scores[detector]["digits"], 1 - allowed))
    try:
        score, rebuilt = judge(detector, picture)
    except ModelError as problem:
        st.error(f"{problem} Choose another detector.", icon=":material/heart_broken:")
        return
    _show_verdict(PICTURES[name], picture, rebuilt, score, threshold)
    found = float(np.mean(scores[detector][kind] > threshold))
    st.markdown(
        f"At this threshold {allowed:.1%} of the test digits raise a false alarm, and "
        f"**{found:.1%}** of the pictures of {KINDS[kind].lower()} are found."
    )
    spread_box, roc_box = st.columns([3, 2], gap="large")
    with spread_box:
        _draw_spread(scores[detector], kind, threshold, score, PICTURES[name])
    with roc_box:
        _draw_roc(scores[detector], kind, allowed, found)
    write_link()


def load_picture(name: str, digit: np.ndarray) -> np.ndarray:
    """Return the picture of this name, ``(28, 28, 1)``; the visitor's is ``digit``."""
    if name == DIGIT:
        return digit
    if name == "cat":
        grey = rgb2gray(PHOTO_SAMPLES["cat"].load()[CAT])
        return (
            grey.reshape(SIDE, 10, SIDE, 10).mean(axis=(1, 3)).astype(np.float32)[..., np.newaxis]
        )
    if name == "noise":
        nothing = np.zeros((SIDE, SIDE, 1), np.float32)
        noise = NOISE_KINDS["gaussian"].corrupt(nothing, 0.5, np.random.default_rng(0))
        return np.clip(noise, 0, 1)
    return SAMPLES[name].load().astype(np.float32)


def judge(detector: str, picture: np.ndarray) -> tuple[float, np.ndarray | None]:
    """Return the score of a picture, and the rebuilt picture where the detector makes one.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    batch = picture[np.newaxis]
    if detector == BRIGHTNESS:
        return float(brightness(batch)[0]), None
    if detector == CONVOLUTIONAL:
        rebuilt = get_predictor(get_card(CONVOLUTIONAL)).predict_batch(batch)
    else:
        networks, _ = get_autoencoders()
        rebuilt = networks[int(detector.removeprefix("dense-"))].rebuild(batch)
    return float(rebuild_error(batch, rebuilt)[0]), rebuilt[0]


def roc_table(scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return a curve for each kind: found against false alarms, from 0 to 1."""
    grid = np.linspace(0, 1, CURVE) ** 2  # Dense where few false alarms are allowed.
    curves = []
    for kind, title in KINDS.items():
        false, true = roc(scores["digits"], scores[kind])
        found = np.interp(grid, false, true)
        curves.append(pd.DataFrame({"kind": title, "false": grid, "found": found}))
    return pd.concat(curves)


def spread_table(scores: Mapping[str, np.ndarray], kind: str) -> pd.DataFrame:
    """Return the share of digits, and of the other kind, in bins of equal width of log score."""
    shown = {"Test digits": scores["digits"], KINDS[kind]: scores[kind]}
    shown = {title: np.maximum(values, LOWEST) for title, values in shown.items()}
    every = np.concatenate(list(shown.values()))
    edges = np.geomspace(every.min() * 0.99, every.max() * 1.01, BINS + 1)
    return pd.concat(
        pd.DataFrame(
            {
                "kind": title,
                "low": edges[:-1],
                "high": edges[1:],
                "share": np.histogram(values, edges)[0] / len(values),
                "none": 0,
            }
        )
        for title, values in shown.items()
    )


def as_table(areas: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return the areas with a line for each detector and a column for each kind."""
    table = pd.DataFrame(areas).T.reindex(index=DETECTORS, columns=KINDS)
    return table.rename(index=DETECTORS, columns=KINDS).map("{:.3f}".format)


def _show_verdict(
    title: str, picture: np.ndarray, rebuilt: np.ndarray | None, score: float, threshold: float
) -> None:
    pictures = {title: picture}
    if rebuilt is not None:
        pictures["Rebuilt"] = rebuilt
    entries = read_thumbnails(pictures)
    if rebuilt is not None:
        error = np.abs(picture - rebuilt)
        entries.append(Thumbnail("Difference", error, (f"MSE {score:.4f}",), "Where they differ"))
    alarm = score > threshold
    with st.container(key="anomaly-pictures"):
        show_gallery(entries)
    verdict = "**Alarm:** this is not a digit." if alarm else "**No alarm:** it passes for a digit."
    relation = "above" if alarm else "not above"
    st.markdown(f"{verdict} Its score {score:.4f} is {relation} the threshold {threshold:.4f}.")


def _draw_spread(
    scores: Mapping[str, np.ndarray], kind: str, threshold: float, score: float, title: str
) -> None:
    table = spread_table(scores, kind)
    x = alt.X("low:Q", title="score (log scale)", scale=alt.Scale(type="log", nice=False))
    bars = (
        alt.Chart(table)
        .mark_bar(opacity=0.6)
        .encode(
            x=x,
            x2="high:Q",
            y=alt.Y("share:Q", title="share of pictures", stack=None, axis=alt.Axis(format="%")),
            y2="none:Q",
            color=alt.Color(
                "kind:N",
                title=None,
                sort=["Test digits", KINDS[kind]],
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["kind:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    names = ["threshold", title.lower()]
    places = pd.DataFrame({"low": [threshold, score], "what": names})
    at = alt.Chart(places).encode(x=x)
    rules = at.mark_rule(strokeWidth=2, color=GREY).encode(
        strokeDash=alt.StrokeDash("what:N", legend=None, sort=names)
    )
    named = at.mark_text(align="left", dx=5, fontSize=12, color=GREY).encode(
        text="what:N",
        y=alt.Y(
            "what:N", axis=None, sort=["threshold", title.lower()], scale=alt.Scale(range=[8, 24])
        ),
    )
    show_chart(
        alt.layer(bars, rules, named).resolve_scale(y="independent").properties(height=300),
        key="anomaly-spread",
        alt=f"How the scores of test digits and of {KINDS[kind].lower()} are spread; the threshold "
        f"is {threshold:.4f}, the score of the picture {score:.4f}.",
    )


def _draw_roc(scores: Mapping[str, np.ndarray], kind: str, allowed: float, found: float) -> None:
    curves = alt.Chart(roc_table(scores)).encode(
        x=alt.X("false:Q", title="false alarms", axis=alt.Axis(format="%", tickCount=5)),
        y=alt.Y("found:Q", title="found", axis=alt.Axis(format="%", tickCount=5)),
        color=alt.Color(
            "kind:N",
            title=None,
            sort=list(KINDS.values()),
            legend=alt.Legend(orient="top", columns=2),
        ),
        strokeDash=alt.StrokeDash("kind:N", title=None, sort=list(KINDS.values())),
        order="false:Q",
    )
    chance = alt.Chart(pd.DataFrame({"false": [0, 1], "found": [0, 1]})).encode(
        x="false:Q", y="found:Q"
    )
    here = alt.Chart(pd.DataFrame({"false": [allowed], "found": [found]})).encode(
        x="false:Q", y="found:Q"
    )
    show_chart(
        alt.layer(
            chance.mark_line(color=GREY, strokeDash=[2, 2], strokeWidth=1),
            curves.mark_line(),
            here.mark_point(size=160, strokeWidth=2.5, color=GREY),
        ).properties(height=300),
        key="anomaly-roc",
        alt=f"ROC curves. At {allowed:.1%} false alarms {found:.1%} of {KINDS[kind].lower()} are "
        "found. The dotted diagonal is chance.",
    )
