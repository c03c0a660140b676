"""What the page says about each job: what changed against the denoiser, and where it fails."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from models.tasks.contract import Task


@dataclass(frozen=True)
class Text:
    """``rows`` are input, target, last layer, loss and metric; ``limits`` says what fails."""

    description: str
    rows: tuple[str, str, str, str, str]
    limits: str


ROWS = ("Goes in", "Should come out", "Last layer", "Loss", "Metric")
DENOISER = ("a noisy picture", "the clean one", "sigmoid, or the noise itself", "squared error, "
            "cross-entropy or decibels", "PSNR, SSIM")  # fmt: skip
NO_KIDNEYS = (
    "The tutorial looks for kidney stones; no free pictures of them were found, and "
    "cells stand in: "
    "one kind of thing, a small share of the pixels."
)
TEXTS: dict[str, Text] = {
    "segment-cells": Text(
        "The network is the denoiser's: only what goes in and what should come out is another. "
        "For each pixel it says how sure it is of background, inside of a nucleus, or border "
        "between "
        "two that touch. Pieces of inside are then counted and grown until they meet. "
        "The plain encoder-decoder sends all detail through its narrow middle, so borders of "
        "a pixel "
        "or two blur, and close cells become one; on the area of large cells it is about as good. "
        f"{NO_KIDNEYS}",
        (
            "a microscope picture, spread from its darkest to its brightest",
            "for each pixel: background, inside, border",
            "softmax over three classes",
            "cross-entropy, borders count three times, plus Dice",
            "AP at 0.5 over cells, Dice over pixels",
        ),
        "Trained on 544 pictures of the 2018 Data Science Bowl: glowing nuclei, stained "
        "tissue, a few "
        "grey smears. It is not a medical device. Whole cells, bacteria, three-dimensional stacks "
        "and photos of anything else it has never seen: there it finds what looks like a nucleus.",
    ),
    "segment-roads": Text(
        "Again the same network; it says for each pixel how likely it is road. "
        "Roads are thin and long: to know that a grey strip is a road and no roof, a network must "
        "see far, and to draw its edge it must see exactly. "
        "The plain one has the first without the second, the U-Net's skips bring both together. "
        "What people did before asks each pixel for its colour and texture: car parks and flat "
        "roofs are grey too. "
        "The loss counts pixels (cross-entropy) and the whole (Dice), since only a fifth is road.",
        (
            "an aerial picture",
            "the mask of its roads",
            "sigmoid, one share a pixel",
            "cross-entropy plus Dice",
            "F1 over patches of 16 x 16, as in the course",
        ),
        "Trained on 80 tiles of American suburbs at about a third of a metre a pixel. Other "
        "scales, "
        "dirt tracks, towns with narrow lanes and slanted views are new to it; railways and car "
        "parks are taken for roads. Lengths are in pixels along the middle.",
    ),
    "segment-scenes": Text(
        "Now there are eleven answers a pixel, and the likeliest is taken. "
        "The tutorial's network squeezes the whole street into one pixel of numbers: what "
        "remains is roughly where things usually are. "
        "Skips are what poles, signs and people far away need: they are a few pixels wide. "
        "Rare things count more in the loss, or the network would never say pole. "
        "The most frequent class of each place, which looks at nothing, still gets more than half "
        "of the pixels right: so accuracy is a poor judge, and mean IoU is used.",
        (
            "a street seen from a car",
            "one of eleven classes for each pixel",
            "softmax over eleven classes",
            "cross-entropy, rare classes weigh more, plus Dice",
            "mean IoU over the classes",
        ),
        "Trained on 367 frames of one town, from one car, by day and at dusk (CamVid, "
        "non-commercial "
        "use). Other cameras, countries, weather and views from a pavement confuse it. Never "
        "use it "
        "to drive anything.",
    ),
}


def show_text(task: Task) -> None:
    """Say what changed against the denoiser, and what to expect."""
    text = TEXTS.get(task.name)
    if text is None:
        return
    st.subheader("What changed against the denoiser", anchor=False)
    st.markdown(text.description)
    st.table(pd.DataFrame({"The denoiser": DENOISER, task.title: text.rows}, index=list(ROWS)))
    st.caption(text.limits)


def limits_of(task: Task) -> str:
    """Return what a visitor should not expect, a sentence or two; empty where none is written."""
    text = TEXTS.get(task.name)
    return text.limits if text else ""
