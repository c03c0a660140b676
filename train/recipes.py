"""The recipes: each tutorial's own training by name, and beside it the best we know.

A recipe named like a model makes the model that ships.  One with ``-tutorial`` behind the
name repeats what the tutorial did, where that differs; ``-as-copied`` shows a trap, and so
do those in ``TRAPS``.
"""

import dataclasses
from dataclasses import dataclass

from imaging.named import by_name
from models.tasks import TASKS
from train.config import Noise, TrainConfig, every_kind, gaussian_only


@dataclass(frozen=True)
class Recipe:
    """A named ``TrainConfig`` with what it shows, in one plain sentence, and its source.

    ``gloss`` says in a few words what the network is, beside its title in lists.
    """

    name: str
    title: str
    purpose: str
    source: str
    config: TrainConfig
    gloss: str = ""


KERAS_BLOG = "F. Chollet, Building Autoencoders in Keras, The Keras Blog, 2016"
KERAS_EXAMPLE = "S. L. Valdarrama, Convolutional autoencoder for image denoising, keras.io, 2021"
DISTILL = "Odena et al., Deconvolution and Checkerboard Artifacts, Distill 2016"
RONNEBERGER = "Ronneberger et al., U-Net, MICCAI 2015"
OURS = "Denoise Lab"

# A small network that is asked for every strength at once gets worse in the middle; this
# range serves the part of the slider where digits can still be read.
MIDDLE = (Noise("gaussian", 0.2, 0.8),)


def _with(config: TrainConfig, **changes: object) -> TrainConfig:
    return dataclasses.replace(config, **changes)


_TUTORIAL = TrainConfig(
    architecture="convolutional",
    noise=gaussian_only(0.5),
    fresh_noise=False,
    epochs=10,
)
_OURS = TrainConfig(
    architecture="convolutional",
    noise=MIDDLE,
    learning_rate=0.002,
    schedule="cosine",
    epochs=20,
)

_DENSE = {"architecture": "dense", "settings": {"hidden": 64}}
_CONV_16 = {"settings": {"filters": [16, 8, 8]}}
_CODE_10 = {"settings": {"filters": [16, 8, 8], "code": 10}}
_CONV_32 = {"settings": {"filters": [32, 32]}}
_RESIZE = {
    "architecture": "resize-convolution",
    "settings": {"filters": [64, 64, 32], "upsampling": "resize"},
}
_TRANSPOSED = {
    "architecture": "resize-convolution",
    "settings": {"filters": [64, 64, 32], "upsampling": "transposed"},
}
_UNET = {"architecture": "unet", "settings": {"filters": [16, 32, 64, 128]}}
# Half of the Gaussian crops have little noise: there a network has the most to lose.  Trained by
# ``python -m train accelerated``, whose shares these are; "camera" is there any camera, drawn.
_PHOTO = TrainConfig(
    task="denoise-photos",
    architecture="residual-unet",
    settings={"channels": 3, "filters": [48, 64, 128, 256], "blocks": [2, 2, 2, 4]},
    data="photos",
    noise=(
        Noise("gaussian", 0.0, 75 / 255, 0.25),
        Noise("gaussian", 0.0, 35 / 255, 0.25),
        Noise("gaussian", 0.0, 0.0, 0.05),
        Noise("camera", 0.0, 256.0, 0.26),
        Noise("jpeg", 2.0, 95.0, 0.07),
        Noise("poisson", 0.0, 0.5, 0.05),
        Noise("speckle", 0.0, 0.6, 0.02),
        Noise("salt-and-pepper", 0.0, 0.5, 0.05),
    ),
    loss="psnr",
    learning_rate=0.0008,
    schedule="cosine",
    batch=96,
    crop=160,
    epochs=72,
    average=0.999,
    clip=3.0,
    precision="mixed_bfloat16",
)
_READER = TrainConfig(
    task="read-digits",
    architecture="digit-reader",
    # A little noise, or the first grain it meets would blind it.
    noise=(Noise("gaussian", 0.0, 0.2),),
    augment=True,
    loss="sparse_categorical_crossentropy",
    learning_rate=0.002,
    schedule="cosine",
    epochs=10,
)

RECIPES: dict[str, Recipe] = by_name(
    [
        Recipe(
            "dense-reconstruct",
            "Dense, clean to clean",
            "Squeezes a digit through 64 numbers and rebuilds it: what does not fit is lost.",
            KERAS_BLOG,
            _with(_OURS, **_DENSE, noise=(), epochs=20),
            "never saw noise",
        ),
        Recipe(
            "dense-reconstruct-tutorial",
            "Dense, clean to clean, as in the tutorial",
            "Adam at its default rate, 10 epochs, and never any noise.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_DENSE, noise=()),
        ),
        Recipe(
            "dense",
            "Dense 784-64-784",
            "The plainest denoiser: one hidden layer of 64 numbers, every pixel tied to all.",
            KERAS_BLOG,
            _with(_OURS, **_DENSE, epochs=60),
            "one hidden layer",
        ),
        Recipe(
            "dense-tutorial",
            "Dense, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam at its default rate, 10 epochs.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_DENSE),
        ),
        Recipe(
            "digit-reader",
            "Digit reader",
            "Says which digit it sees, and how sure it is.",
            "After LeCun et al., Gradient-based learning, Proc. IEEE 1998",
            _READER,
        ),
        Recipe(
            "conv-16-8-8",
            "Convolutional 16-8-8",
            "The smallest convolutional denoiser: 128 numbers in its narrow middle.",
            KERAS_BLOG,
            _with(_OURS, **_CONV_16, epochs=15),
            "the smallest",
        ),
        Recipe(
            "conv-16-8-8-tutorial",
            "Convolutional 16-8-8, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam at its default rate, 10 epochs.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_CONV_16),
        ),
        Recipe(
            "conv-reconstruct",
            "Convolutional, clean to clean",
            "Rebuilds digits it was never asked to clean: noise goes in and comes out.",
            KERAS_BLOG,
            _with(_OURS, **_CONV_16, noise=(), epochs=8),
            "never saw noise",
        ),
        Recipe(
            "conv-reconstruct-tutorial",
            "Convolutional, clean to clean, as in the tutorial",
            "Adadelta at the rate 1.0 that Keras had then, and never any noise.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_CONV_16, noise=(), optimizer="adadelta", learning_rate=1.0),
        ),
        Recipe(
            "conv-code-10",
            "Convolutional with a 10-number code",
            "All a digit may keep is 10 numbers: it comes out clean, but not always itself.",
            KERAS_BLOG,
            _with(_OURS, **_CODE_10, epochs=15),
            "narrow",
        ),
        Recipe(
            "conv-code-10-tutorial",
            "Convolutional code, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam at its default rate, 10 epochs.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_CODE_10),
        ),
        Recipe(
            "conv-32-32",
            "Convolutional 32-32",
            "The classic: 28,353 parameters, two pooling levels.",
            KERAS_EXAMPLE,
            _with(_OURS, **_CONV_32),
            "the classic",
        ),
        Recipe(
            "conv-32-32-tutorial",
            "Convolutional 32-32, Adam, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam, 100 epochs.",
            KERAS_EXAMPLE,
            _with(_TUTORIAL, **_CONV_32, epochs=100),
        ),
        Recipe(
            "conv-32-32-adadelta",
            "Convolutional 32-32, Adadelta, as meant",
            "Adadelta at the rate 1.0 that Keras had when the tutorial was written.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_CONV_32, optimizer="adadelta", learning_rate=1.0),
        ),
        Recipe(
            "conv-32-32-adadelta-as-copied",
            "Convolutional 32-32, Adadelta, as copied",
            "The same text under Keras 3, whose default rate is 0.001: it barely learns.",
            KERAS_BLOG,
            _with(_TUTORIAL, **_CONV_32, optimizer="adadelta", learning_rate=0.001),
        ),
        Recipe(
            "unet",
            "U-Net",
            "Skip connections carry detail past the narrow middle; trained on every noise here.",
            RONNEBERGER,
            _with(_OURS, **_UNET, noise=every_kind(gaussian_share=0.6)),
            "skip connections",
        ),
        Recipe(
            "unet-tutorial",
            "U-Net, as in the tutorial",
            "Gaussian noise of every strength from 0 to 1, Adam at its default rate.",
            RONNEBERGER,
            _with(_TUTORIAL, **_UNET, noise=(Noise("gaussian", 0.0, 1.0),), fresh_noise=True),
        ),
        Recipe(
            "conv-64-64-32",
            "Resize-convolution 64-64-32",
            "Upsamples by repeating pixels and then convolves: smooth, without checkerboard.",
            DISTILL,
            _with(_OURS, **_RESIZE, epochs=5),
            "smooth",
        ),
        Recipe(
            "conv-64-64-32-transposed",
            "Transposed convolution 64-64-32",
            "The foil of resize-convolution: overlapping kernels can leave a checkerboard.",
            DISTILL,
            _with(_OURS, **_TRANSPOSED, epochs=5),
            "checkered",
        ),
        Recipe(
            "conv-64-64-32-tutorial",
            "Resize-convolution, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam at its default rate, 10 epochs.",
            DISTILL,
            _with(_TUTORIAL, **_RESIZE),
        ),
        Recipe(
            "conv-64-64-32-transposed-tutorial",
            "Transposed convolution, as in the tutorial",
            "Noise factor 0.5 drawn once, Adam at its default rate, 10 epochs.",
            DISTILL,
            _with(_TUTORIAL, **_TRANSPOSED),
        ),
        Recipe(
            "photo",
            "Photo",
            "One network for colour and grey photos of any size: with noise of a camera, in a JPEG "
            "or WebP, enlarged, or of any kind on this page.",
            "After DRUNet (Zhang et al., TPAMI 2021) and FFDNet (Zhang et al., TIP 2018)",
            _PHOTO,
        ),
        Recipe(
            "fashion",
            "Convolutional on clothes",
            "The same network as Convolutional 32-32, trained on clothes instead of digits.",
            KERAS_EXAMPLE,
            _with(_OURS, **_CONV_32, data="fashion-mnist", epochs=10),
            "for shirts and shoes",
        ),
    ]
)


# Trainings that go wrong, so that one has seen it happen.
TRAPS: dict[str, Recipe] = by_name(
    [
        Recipe(
            "trap-rate-too-high",
            "Learning rate far too high",
            "Adam with steps a hundred thousand times too large: every one overshoots.",
            OURS,
            # So deep that it overflows within some batches, whatever the seed.
            _with(_TUTORIAL, settings={"filters": [32] * 4}, learning_rate=100.0, epochs=3),
        ),
        Recipe(
            "trap-noise-drawn-once",
            "Noise learned by heart",
            "800,000 parameters, and the same noise on every picture in every epoch.",
            OURS,
            _with(_TUTORIAL, architecture="dense", settings={"hidden": 512}, epochs=30),
        ),
        Recipe(
            "trap-clean-to-clean",
            "Never saw noise",
            "Trained to rebuild clean digits, and then used as a denoiser.",
            OURS,
            _with(_TUTORIAL, **_CONV_32, noise=(), epochs=3),
        ),
        Recipe(
            "trap-too-narrow",
            "Four hidden units",
            "A digit has to pass through four numbers; there are ten digits.",
            OURS,
            _with(_TUTORIAL, architecture="dense", settings={"hidden": 4}, fresh_noise=True),
        ),
    ]
)

# Those of the jobs beyond noise stand beside their tasks.
JOBS: dict[str, Recipe] = {
    name: Recipe(
        name, each.title, each.purpose, each.source, TrainConfig(task=task.name, **each.config)
    )
    for task in TASKS.values()
    for name, each in task.recipes.items()
}

# The small ones of them, which learn what the program draws: anyone can train them anywhere.
LIVE_JOBS = {name: each for name, each in JOBS.items() if each.config.data_set.drawn}
# What a visitor may change of those.
FREE_IN_A_JOB = ("epochs", "seed", "optimizer", "learning_rate", "schedule", "patience")

# What one should see, by recipe: PSNR on MNIST at noise 0.5, where nothing else is said.
EXPECT: dict[str, str] = {
    "dense-reconstruct-tutorial": "Digits come back a little blurred. It is not a denoiser.",
    "dense-tutorial": "About 18 dB, and traces of noise remain: clearly worse than Convolutional "
    "32-32.",
    "dense": "About 18.5 dB. The validation loss is still falling slowly at the end.",
    "conv-reconstruct-tutorial": "Digits come back well; noise would come back too.",
    "conv-16-8-8-tutorial": "Clean backgrounds and soft strokes; fewer dB than the dense network.",
    "conv-code-10-tutorial": "Every digit comes out clean, and some as another digit.",
    "conv-32-32": "About 20 dB, with noise of every strength from 0.2 to 0.8: much for 28,353 "
    "parameters.",
    "conv-32-32-tutorial": "About 19.5 dB after 10 epochs, 20.3 after all: most of it comes early.",
    "conv-32-32-adadelta": "About 19.5 dB after 10 epochs: as good as Adam, a little later.",
    "conv-32-32-adadelta-as-copied": "9.4 dB after 10 epochs, hardly more than the noisy digits "
    "have: the loss falls so slowly that it looks as if it had converged. The tutorials' Keras "
    "used 1.0 by default, Keras 3 uses 0.001.",
    "conv-64-64-32-tutorial": "About 19.4 dB after 10 epochs: smooth strokes, no checkerboard.",
    "conv-64-64-32-transposed-tutorial": "As many dB. The Inside page shows the grid that "
    "transposed convolution leaves in the last maps.",
    "unet": "About 21.3 dB: the sharpest digits of all, and the slowest to train.",
    "unet-tutorial": "About 21.1 dB after 10 epochs: useful at every strength, and slow to train.",
    "fashion": "Clothes become clean, but fine patterns are lost.",
    "cells-small": "A mean IoU of about 0.62 over background, inside and border on new cells.",
    "roads-small": "A Dice of about 0.93 on new towns.",
    "streets-small": "A mean IoU of about 0.46 over eleven classes on new streets.",
    "trap-rate-too-high": "Within a few batches the loss becomes NaN, and the run stops by "
    "itself. At Adam's default of 0.001 the same network learns well.",
    "trap-noise-drawn-once": "The training loss keeps falling, while the validation loss stands "
    "still after some twelve epochs and then turns: the network learns the noise of each training "
    "picture by heart. New noise in every epoch mends it; early stopping keeps the best.",
    "trap-clean-to-clean": "A splendid loss, because the task is easy. But look at the last "
    "probe: noise goes in, and much of it comes out. It has 14.6 dB, no more than a median filter.",
    "trap-too-narrow": "Blurred averages of digits: 8, 3 and 5 look alike. No number of epochs "
    "helps; 64 hidden units do.",
} | {
    name: each.expect
    for task in TASKS.values()
    for name, each in task.recipes.items()
    if each.expect
}


def is_live(config: TrainConfig) -> bool:
    """Say whether it is a network for digits, or a small recipe of another job, changed little."""
    if TASKS[config.task].networks:
        return True
    return any(
        _in_common(config) == _in_common(each.config)
        for each in LIVE_JOBS.values()
        if each.config.task == config.task
    )


def _in_common(config: TrainConfig) -> dict:
    values = dataclasses.asdict(config)
    values["settings"] = {name: v for name, v in config.settings.items() if name != "skips"}
    return {name: value for name, value in values.items() if name not in FREE_IN_A_JOB}


def recipe(name: str) -> Recipe:
    """Return the recipe called ``name``; raise ``ValueError`` that lists the known names."""
    try:
        return (RECIPES | JOBS | TRAPS)[name]
    except KeyError:
        known = ", ".join([*RECIPES, *JOBS])
        raise ValueError(f"unknown recipe {name!r}; known: {known}") from None
