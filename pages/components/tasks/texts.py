"""What the page says about each job: what changed against the denoiser, and where it fails."""

import numpy as np
import pandas as pd
import streamlit as st

from models.tasks.contract import Explanation, Metric, Task

ROWS = ("Goes in", "Should come out", "Last layer", "Loss", "Metric")
DENOISER = ("a noisy picture", "the clean one", "sigmoid, or the noise itself", "squared error, "
            "cross-entropy or decibels", "PSNR, SSIM")  # fmt: skip
NO_KIDNEYS = (
    "The tutorial looks for kidney stones. We found no free pictures of them, so cells take their "
    "place: one kind of thing, in a small share of the pixels."
)
TEXTS: dict[str, Explanation] = {
    "segment-cells": Explanation(
        "This is the denoiser's network with another input and another target. For each pixel it "
        "says how likely it is background, the inside of a nucleus, or the border between two that "
        "touch. Pieces of inside are then counted and grown until they meet. The plain "
        "encoder-decoder sends all detail through its narrow middle, so borders of a pixel or two "
        "blur and close cells become one; on the area of large cells it is about as good. "
        f"{NO_KIDNEYS}",
        (
            "a microscope picture, spread from its darkest to its brightest",
            "for each pixel: background, inside, border",
            "softmax over three classes",
            "cross-entropy, borders count three times, plus Dice",
            "AP at 0.5 over cells, Dice over pixels",
        ),
        "Trained on 544 pictures of the 2018 Data Science Bowl: glowing nuclei, stained tissue, a "
        "few grey smears. It is not a medical device. It has never seen whole cells, bacteria, "
        "three-dimensional stacks or photos of anything else: there it finds whatever looks like a "
        "nucleus.",
    ),
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

ENLARGE = Explanation(
    "The picture grows inside the network: all layers work on the small one, and the last gives "
    "each pixel a square of finer ones. It answers what is missing from repeated pixels, for "
    "brightness alone; colours, in which people see little detail, are enlarged smoothly. "
    "Additions past the layers take the place of the U-Net's skips: the plain network without them "
    "must send the whole picture through every layer, and is barely sharper than a formula. The "
    "older methods put a smooth surface through the pixels. Nobody knows what was really there: "
    "the network draws what was there in other photos.",
    (
        "the brightness of a small photo",
        "that of the photo before it was made small",
        "one square of finer pixels for each",
        "the mean of absolute errors",
        "PSNR of brightness, as in papers",
    ),
    "Trained for a few minutes, about a hundredth of what papers do, on photos that a formula made "
    "small. Soft or noisy photos stay soft, and the blocks of a JPEG grow with it. Letters that "
    "cannot be read become sharp letters that may be wrong. The result has at most 16 million "
    "pixels.",
)
TEXTS |= {f"upscale-photos-{scale}": ENLARGE for scale in (2, 3, 4)}
TEXTS |= {
    "colour-faces": Explanation(
        "Lightness goes in, two numbers of colour come out: a from green to red, b from blue to "
        "yellow. Of faces a network can know where skin, lips, hair and background are. The colour "
        "of a jacket is nowhere in a grey picture: all one can do is guess an ordinary one, and "
        "the mean of all guesses is brown. So the loss also asks for as much spread of colour as "
        "the original had. The plain network without skips paints over the edge of a face.",
        (
            "the lightness L of a portrait",
            "its two colours, a and b",
            "tanh, two numbers a pixel",
            "absolute error, and how much the colours spread",
            "PSNR, and colourfulness beside it",
        ),
        "The colours are a guess. It was trained on 800 faces, drawn by a network, of people who "
        "do not exist, and some looks are more frequent among them. The face should fill the "
        "picture as in a passport. Anything else is coloured like skin.",
    ),
    "colour-photos": Explanation(
        "As for faces, with a second input: hints, which say at a few places what colour is there. "
        "Choose a colour and click on the picture; how far it reaches is found out. "
        "In training the hints are the true colours at random places, often none at all. "
        "Before networks, colours were spread to what is near and about as light: where two things "
        "are equally light, a colour runs over the edge, and small things need their own hint.",
        (
            "the lightness, and hints of colour",
            "the two colours, a and b",
            "tanh, two numbers a pixel",
            "absolute error, and how much the colours spread",
            "PSNR, and colourfulness beside it",
        ),
        "The colours are yours where you put hints, and a guess elsewhere.",
    ),
    "paint": Explanation(
        "There are no pairs: nobody has the photo that Monet painted from. So the loss looks at "
        "two things: whether the answers of random filters go together as in his paintings, which "
        "gives the strokes, and whether light and dark are where they were. The network squeezes "
        "the picture to a quarter, repaints it there, and grows it again. Its own colours ran into "
        "rainbows. So what you see are its strokes in the mean colours of Monet, which are those "
        "of the statistical method of 2001 as well. If you keep your own colours, only the strokes "
        "remain.",
        (
            "a photo",
            "nothing: a painting to be like, and the photo's light and dark",
            "sigmoid",
            "Gram matrices of random filters, plus lightness",
            "structure kept (SSIM of lightness), palette missed",
        ),
        "This is an experiment: trained for a few minutes, without the features of a large network "
        "that papers use. It knows texture, not things: sky and skin get the same strokes, and "
        "flat areas a weave. Photos above 0.4 megapixels are painted at that size and enlarged.",
    ),
    "denoise-speech": Explanation(
        "A second of sound is a picture: time from left to right, tones from low to high, bright "
        "where it is loud. The U-Net of the denoiser looks at it and says for each place how much "
        "of it is speech; the noisy sound is multiplied by that, and becomes sound again. The "
        "phase of the noise stays in, so even a perfect answer is not silent behind the voice. The "
        "filters measure the noise where nobody speaks: they know hiss, but not the clicks of a "
        "clock. The network has heard voices, and keeps what looks like one.",
        (
            "the spectrogram of noisy speech, in decibels",
            "how much of each place is speech",
            "sigmoid, one share a place",
            "decibels of error, and loudness as the ear hears it",
            "SI-SDR, in decibels",
        ),
        "Trained on digits that three men spoke, at the rate of a telephone (8 kHz). Women's and "
        "children's voices, music and other languages are new to it. With much noise, quiet "
        "consonants are lost: leave a little noise in.",
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
