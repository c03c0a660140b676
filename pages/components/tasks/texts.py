"""What the page says about each job: what changed against the denoiser, and where it fails."""

import numpy as np
import pandas as pd
import streamlit as st

from models.tasks.contract import Explanation, Metric, Task

ROWS = ("Goes in", "Should come out", "Last layer", "Loss", "Metric")
DENOISER = ("a noisy picture", "the clean one", "sigmoid, or the noise itself", "squared error, "
            "cross-entropy or decibels", "PSNR, SSIM")  # fmt: skip
TEXTS: dict[str, Explanation] = {
    "segment-roads": Explanation(
        "The same network again: for each pixel it says how likely it is road. Roads are thin and "
        "long. To tell a grey road from a grey roof, a network must see far; to draw its edge, it "
        "must see exactly. Skips are made for that, and yet the plain network is just as good "
        "here: after a short training, roads fifteen pixels wide pass through its middle well "
        "enough. The older method looks at the colour and texture of each pixel, and car parks and "
        "flat roofs are grey too. The loss counts pixels (cross-entropy) and the whole (Dice), "
        "since only a fifth is road.",
        (
            "an aerial picture",
            "the mask of its roads",
            "sigmoid, one share a pixel",
            "cross-entropy plus Dice",
            "F1 over patches of 16 x 16, as in the course",
        ),
        "Trained on 80 tiles of American suburbs at about a third of a metre a pixel. Other "
        "scales, dirt tracks, towns with narrow lanes and slanted views are new to it; railways "
        "and car parks are taken for roads. Lengths are in pixels along the middle.",
    ),
    "segment-scenes": Explanation(
        "Now there are eleven possible answers for each pixel, and the likeliest is taken. The "
        "tutorial's network squeezes the whole street into a single pixel of numbers; what remains "
        "is roughly where things tend to be. Skips are what poles, signs and people far away need: "
        "they are a few pixels wide. Rare things count more in the loss, or the network would "
        "never answer “pole”. Answering with the most frequent class of each place, without a look "
        "at the picture, still gets more than half of the pixels right. So accuracy is a poor "
        "judge, and mean IoU is used.",
        (
            "a street seen from a car",
            "one of eleven classes for each pixel",
            "softmax over eleven classes",
            "cross-entropy, rare classes weigh more, plus Dice",
            "mean IoU over the classes",
        ),
        "Trained on 367 frames of one town, from one car, by day and at dusk (CamVid, "
        "non-commercial use). Other cameras, countries, weather and views from a pavement confuse "
        "it. Never use it to drive anything.",
    ),
}


def show_text(task: Task) -> None:
    """Say what changed against the denoiser, and what to expect."""
    text = text_of(task)
    if text is None:
        return
    st.subheader("What changed against the denoiser", anchor=False)
    st.markdown(text.description)
    st.table(pd.DataFrame({"The denoiser": DENOISER, task.title: text.rows}, index=list(ROWS)))


def limits_of(task: Task) -> str:
    """Return what a visitor should not expect, a sentence or two; empty where none is written."""
    text = text_of(task)
    return text.limits if text else ""


def text_of(task: Task) -> Explanation | None:
    """Return what the page says about the job, None where nothing is written."""
    return task.explanation or TEXTS.get(task.name)


def score_text(metric: Metric, target: np.ndarray, answer: np.ndarray) -> str:
    """Return how good an answer is, one of the shape of its target, with the metric's unit."""
    return f"{metric.score(target, answer):.{metric.decimals}f} {metric.unit}".strip()
