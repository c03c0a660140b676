"""A training as code to take away: one file or notebook that needs Keras and nothing of ours.

    config -> cells (a heading, a sentence, code) -> a Python file, or a notebook

It is written from the settings as a tutorial would write it: data, noise, network, training, the
pictures in three rows.  What one file cannot have is said in a comment.
"""

import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.tasks import TASKS
from train.config import ARCHITECTURE_SETTINGS, Noise, TrainConfig, with_defaults


@dataclass(frozen=True)
class Cell:
    """A step of the tutorial: a heading, what it does in a sentence or two, and its code."""

    heading: str
    words: str
    code: str


def to_script(config: TrainConfig, title: str, purpose: str = "") -> str:
    """Return the training as the text of one Python file.

    Raises:
        ValueError: if it has a part that is too long for one file, as the photo networks have.
    """
    cells = make_cells(config, title)
    text = f'"""{_head(title, purpose)}\n\nNeeds Keras 3 with a backend: {INSTALL}\n"""\n'
    for number, cell in enumerate(cells, 1):
        comment = textwrap.wrap(f"{number}. {cell.heading}. {cell.words}", 96)
        # A function has two empty lines around it.
        apart = cell.code.startswith(("def ", "class ")) or text.splitlines()[-1][0] == " "
        text += "\n\n" if apart else "\n"
        text += "\n".join(f"# {line}" for line in comment) + f"\n{cell.code}\n"
    return text


def to_notebook(config: TrainConfig, title: str, purpose: str = "") -> str:
    """Return the training as the text of a Jupyter notebook; raises as ``to_script`` does.

    Source:
        The notebook format 4.5, https://nbformat.readthedocs.io/en/latest/format_description.html
    """
    why = f"{_plain(purpose)}\n\n" if purpose else ""
    head = f"# {_plain(title)}\n\n{why}Needs Keras 3 with a backend: `{INSTALL}`"
    cells = [_notebook_cell("markdown", "start", head)]
    for number, cell in enumerate(make_cells(config, title), 1):
        words = f"## {number}. {cell.heading}\n\n{cell.words}"
        cells.append(_notebook_cell("markdown", f"words-{number}", words))
        cells.append(_notebook_cell("code", f"code-{number}", cell.code))
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    book = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


INSTALL = "pip install keras tensorflow matplotlib"


def fits_into_a_file(config: TrainConfig) -> bool:
    """Say whether the training can be written as one file."""
    return (
        config.architecture in NETWORKS
        and config.data in DATA
        and TASKS[config.task].target.kind in AIMS
        and all(noise.kind in NOISE_CODE for noise in config.noise)
    )


def make_cells(config: TrainConfig, title: str) -> list[Cell]:
    """Return the steps of the training; raises as ``to_script`` does."""
    if not fits_into_a_file(config):
        raise ValueError(
            f"{title} does not fit into one file: only trainings with 28 x 28 digits or clothes "
            f"do, got {config.architecture} on {config.data}. It can be trained with this project."
        )
    aim = AIMS[TASKS[config.task].target.kind]
    return [
        Cell("Settings", _left_out(config), _settings(config)),
        Cell("Data", DATA[config.data], _data(config, aim)),
        _noise(config),
        Cell("Network", *_network(config)),
        Cell("Training", *_training(config, aim)),
        aim.results,
    ]


def _head(title: str, purpose: str) -> str:
    head = f"{_plain(title)}. {_plain(purpose)}" if purpose else f"{_plain(title)}."
    return "\n".join(textwrap.wrap(head, 96))


def _plain(text: str) -> str:
    """A visitor's name for a run, with nothing that would end a docstring or begin a heading."""
    kept = "".join(c for c in text if c.isprintable() and c not in '"\\`<>#*_[]')
    return kept.strip() or "A training"


def _notebook_cell(kind: str, name: str, source: str) -> dict:
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _left_out(config: TrainConfig) -> str:
    """Say what the file cannot have."""
    left_out = ["The same seed gives the same first weights as in Denoise Lab, but other noise."]
    if config.start:
        left_out.append(
            f"There, training began with the weights of the network {config.start}; here it "
            "begins with random ones."
        )
    if config.augment:
        left_out.append("Pictures are turned and stretched by Keras instead of by SciPy.")
    return " ".join(left_out)


def _settings(config: TrainConfig) -> str:
    lines = ["import keras", "import numpy as np", "from keras import layers", ""]
    lines += [f"SEED, EPOCHS, BATCH = {config.seed}, {config.epochs}, {config.batch}"]
    lines += ["keras.utils.set_random_seed(SEED)  # for the first weights"]
    lines += ["rng = np.random.default_rng(SEED)  # for the noise"]
    if config.precision != "float32":
        lines += [f'keras.config.set_dtype_policy("{config.precision}")']
    return "\n".join(lines)


@dataclass(frozen=True)
class Aim:
    """What a network is to answer, as the names of Python that stand for it.

    ``labels`` and ``test_labels`` take what comes beside the pictures, ``parted`` is a line that
    holds some of it out.  ``target`` is what the training pictures are to become, ``watched`` what
    those held out are, ``in_a_batch`` what those of a batch are.
    """

    results: Cell
    labels: str = "_"
    test_labels: str = "_"
    parted: str = ""
    metrics: tuple[str, ...] = ()
    target: str = "train"
    watched: str = "validation"
    in_a_batch: str = "clean"


# By the kind of a task's target.
AIMS = {
    "image": Aim(
        Cell(
            "Results",
            "Three rows: ten originals, the same with noise, and what the network makes of them.",
            """
noisy = add_noise(test)
denoised = model.predict(noisy, batch_size=500)


def psnr(clean, other):
    return -10 * np.log10(((clean - other) ** 2).mean(axis=(1, 2, 3)) + 1e-10).mean()


print(f"PSNR: noisy {psnr(test, noisy):.2f} dB, denoised {psnr(test, denoised):.2f} dB")
rows = [np.concatenate(each[:10], axis=1) for each in (test, noisy, denoised)]
digits = np.concatenate(rows)
try:
    import matplotlib.pyplot as plt

    plt.figure(figsize=(10, 3))
    plt.title("Original, noisy, denoised")
    plt.imshow(digits, cmap="gray", vmin=0, vmax=1)
    plt.axis("off")
    plt.show()
except ModuleNotFoundError:  # Without matplotlib: a file.
    keras.utils.save_img("digits.png", digits * 255, scale=False)
model.save("model.keras")
""".strip(),
        )
    ),
    "label": Aim(
        Cell(
            "Results",
            "How many of the test digits are read correctly, and ten of them.",
            """
noisy = add_noise(test)
loss, accuracy = model.evaluate(noisy, test_labels, batch_size=500)
print(f"{accuracy:.2%} of the test digits are read correctly")
print("read:", model.predict(noisy[:10]).argmax(axis=1), "written:", test_labels[:10])
model.save("model.keras")
""".strip(),
        ),
        labels="labels",
        test_labels="test_labels",
        parted="train_labels, validation_labels = labels[:-last], labels[-last:]\n",
        metrics=('metrics=["accuracy"]',),
        target="train_labels",
        watched="validation_labels",
        in_a_batch="train_labels[chosen]",
    ),
}


DATA = {
    "mnist": "70,000 handwritten digits of 28 x 28 pixels, as numbers from 0 (black) to 1.",
    "fashion-mnist": "70,000 clothes of 28 x 28 pixels, as numbers from 0 (black) to 1.",
    "drawn": "The digits that Denoise Lab draws need its own program; MNIST stands in for them. "
    "Put your own pictures here as an array of 8-bit numbers, of shape (N, 28, 28).",
    "own": "Put your own pictures here as an array of 8-bit numbers, of shape (N, 28, 28): "
    'np.load("own.npz")["pictures"] with the file from your run. MNIST stands in for them.',
}


def _data(config: TrainConfig, aim: Aim) -> str:
    module = config.data if config.data.endswith("mnist") else "mnist"
    module = module.replace("-", "_")
    code = f"""
(pictures, {aim.labels}), (test, {aim.test_labels}) = keras.datasets.{module}.load_data()
pictures = pictures.reshape(-1, 28, 28, 1).astype("float32") / 255
test = test.reshape(-1, 28, 28, 1).astype("float32") / 255
# The last training pictures are held out, to see after each epoch how well it goes.
last = min(2000, len(pictures) // 5)
train, validation = pictures[:-last], pictures[-last:]
"""
    code += aim.parted
    if config.augment:
        code += """
turn_and_stretch = keras.Sequential(
    [
        layers.RandomRotation(12 / 360, fill_mode="constant", seed=SEED),
        layers.RandomZoom((-0.12, 0.12), (-0.12, 0.12), fill_mode="constant", seed=SEED),
        layers.RandomTranslation(2 / 28, 2 / 28, fill_mode="constant", seed=SEED),
    ]
)
"""
    return code.strip()


# What a function of clean (N, 28, 28, 1) and strength (N, 1, 1, 1) does, and its body.
NOISE_CODE = {
    "gaussian": (
        "Shift every pixel by a random amount; strength is the standard deviation.",
        'return clean + strength * rng.standard_normal(clean.shape, "float32")',
    ),
    "uniform": (
        "Shift every pixel by at most strength.",
        "return clean + strength * rng.uniform(-1, 1, clean.shape)",
    ),
    "speckle": (
        "Multiply every pixel by a random factor around 1.",
        'return clean * (1 + strength * rng.standard_normal(clean.shape, "float32"))',
    ),
    "poisson": (
        "Count photons, of which a white pixel gets 1 / strength**2 on average.",
        "photons = 1 / np.maximum(strength, 1e-4) ** 2\n"
        "return rng.poisson(clean * photons) / photons",
    ),
    "salt-and-pepper": (
        "Turn some pixels white or black; strength is their share.",
        "draw = rng.random(clean.shape)\n"
        "return np.where(draw < strength / 2, 1, np.where(draw > 1 - strength / 2, 0, clean))",
    ),
    "masking": (
        "Turn some pixels black; strength is their share.",
        "return np.where(rng.random(clean.shape) < strength, 0, clean)",
    ),
    "block": (
        "Cover a grey square, with sides of strength times those of the picture.",
        "side = np.rint(strength * 28)\n"
        "top, left = np.floor(rng.random((2, len(clean), 1, 1, 1)) * (29 - side))\n"
        "row, column = np.arange(28).reshape(28, 1, 1), np.arange(28).reshape(1, 28, 1)\n"
        "hidden = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)\n"
        "return np.where(hidden, 0.5, clean)",
    ),
}


def _noise(config: TrainConfig) -> Cell:
    if not config.noise:
        return Cell(
            "Noise",
            "There is none; the network learns to rebuild what it sees.",
            "def add_noise(clean):\n    return clean",
        )
    words = "The result is clipped to what a picture can hold, 0 to 1."
    if len(config.noise) == 1:
        (noise,) = config.noise
        does, body = NOISE_CODE[noise.kind]
        return Cell(
            "Noise",
            f"{does} {words}",
            f"{_function(noise.kind, body)}\n\n\n"
            "def add_noise(clean):\n"
            f"    {_strength(noise)}\n"
            f"    noisy = {_name(noise.kind)}(clean, strength)\n"
            '    return np.clip(noisy, 0, 1).astype("float32")',
        )
    functions = []
    for kind in dict.fromkeys(noise.kind for noise in config.noise):
        does, body = NOISE_CODE[kind]
        functions.append(_function(kind, body, does))
    total = sum(noise.share for noise in config.noise)
    rows = "\n".join(
        f"    ({_name(n.kind)}, {n.low:g}, {n.high:g}, {n.share / total:.4g}),"
        for n in config.noise
    )
    return Cell(
        "Noise",
        f"Each picture gets one of {len(config.noise)} kinds of noise. {words}",
        "\n\n\n".join(functions) + "\n\n\n"
        "# Function, weakest, strongest, share of the pictures.\n"
        f"NOISES = [\n{rows}\n]\n\n\n"
        "def add_noise(clean):\n"
        "    shares = np.array([share for _, _, _, share in NOISES])\n"
        "    choice = rng.choice(len(NOISES), len(clean), p=shares / shares.sum())\n"
        "    noisy = np.empty_like(clean)\n"
        "    for index, (kind, low, high, _) in enumerate(NOISES):\n"
        "        chosen = choice == index\n"
        "        strength = rng.uniform(low, high, (chosen.sum(), 1, 1, 1))\n"
        "        noisy[chosen] = kind(clean[chosen], strength)\n"
        "    return np.clip(noisy, 0, 1)",
    )


def _name(kind: str) -> str:
    return f"{kind.replace('-', '_')}_noise"


def _function(kind: str, body: str, does: str = "") -> str:
    docstring = f'    """{does}"""\n' if does else ""
    return f"def {_name(kind)}(clean, strength):\n{docstring}{textwrap.indent(body, '    ')}"


def _strength(noise: Noise) -> str:
    if noise.low == noise.high:
        return f"strength = np.full((len(clean), 1, 1, 1), {noise.low:g})"
    return f"strength = rng.uniform({noise.low:g}, {noise.high:g}, (len(clean), 1, 1, 1))"


def _network(config: TrainConfig) -> tuple[str, str]:
    settings = config.settings
    if config.architecture in ARCHITECTURE_SETTINGS:
        settings = with_defaults(config.architecture, settings)
    words, write = NETWORKS[config.architecture]
    lines = list(write(**settings))
    return words, "\n".join([*lines, "model.summary()"])


def _convolution(filters: int) -> str:
    return f'x = layers.Conv2D({filters}, 3, padding="same", activation="relu")(x)'


INPUT = "image = keras.Input((28, 28, 1))"
POOL = 'x = layers.MaxPooling2D(2, padding="same")(x)'
PICTURE = 'denoised = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)'
MODEL = "model = keras.Model(image, denoised)"


def _write_dense(hidden: int) -> Iterator[str]:
    yield INPUT
    yield "x = layers.Flatten()(image)"
    yield f'x = layers.Dense({hidden}, activation="relu")(x)  # the narrow middle'
    yield 'x = layers.Dense(28 * 28, activation="sigmoid")(x)'
    yield "denoised = layers.Reshape((28, 28, 1))(x)"
    yield MODEL


def _sizes(levels: int) -> list[int]:
    """The sides of the maps before each pooling and after the last, which rounds up."""
    sizes = [28]
    for _ in range(levels):
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _encoder(filters: list[int]) -> Iterator[str]:
    yield INPUT
    yield "x = image"
    for count, size in zip(filters, _sizes(len(filters))[1:], strict=True):
        yield _convolution(count)
        yield f"{POOL}  # {size} x {size}"


def _crop(level: int, levels: int) -> Iterator[str]:
    """Take away again what rounding up has added."""
    size, below = _sizes(levels)[level : level + 2]
    if surplus := 2 * below - size:
        yield f"x = layers.Cropping2D(((0, {surplus}), (0, {surplus})))(x)  # {size} x {size}"


def _write_convolutional(filters: list[int], code: int | None) -> Iterator[str]:
    yield from _encoder(filters)
    if code is not None:
        side, maps = _sizes(len(filters))[-1], filters[-1]
        yield "x = layers.Flatten()(x)"
        yield f"x = layers.Dense({code})(x)  # all that the decoder gets"
        yield f'x = layers.Dense({side * side * maps}, activation="relu")(x)'
        yield f"x = layers.Reshape(({side}, {side}, {maps}))(x)"
    for level in reversed(range(len(filters))):
        yield _convolution(filters[level])
        yield "x = layers.UpSampling2D(2)(x)"
        yield from _crop(level, len(filters))
    yield PICTURE
    yield MODEL


def _write_resize_convolution(filters: list[int], upsampling: str) -> Iterator[str]:
    yield from _encoder(filters)
    for level in reversed(range(len(filters))):
        if upsampling == "resize":
            yield "x = layers.UpSampling2D(2)(x)  # every pixel four times"
            yield from _crop(level, len(filters))
            yield _convolution(filters[level])
        else:
            yield (
                f'x = layers.Conv2DTranspose({filters[level]}, 3, strides=2, padding="same", '
                'activation="relu")(x)'
            )
            yield from _crop(level, len(filters))
    yield PICTURE
    yield MODEL


DOUBLE = """def double_convolution(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    return x

"""


def _write_unet(filters: list[int], dropout: float, skips: bool) -> Iterator[str]:
    *outer, bottom = filters
    yield DOUBLE
    yield INPUT
    yield "x = image"
    for level, count in enumerate(outer, 1):
        # One assignment, so that nothing is kept where nothing is connected.
        yield f"x = {f'skip_{level} = ' if skips else ''}double_convolution(x, {count})"
        yield POOL
        yield f"x = layers.Dropout({dropout:g})(x)"
    yield f"x = double_convolution(x, {bottom})"
    for level, count in reversed(list(enumerate(outer, 1))):
        yield f"x = layers.Conv2DTranspose({count}, 2, strides=2)(x)"
        yield from _crop(level - 1, len(outer))
        if skips:
            yield f"x = layers.Concatenate()([x, skip_{level}])  # past the narrow middle"
        yield f"x = double_convolution(x, {count})"
    yield 'denoised = layers.Conv2D(1, 1, activation="sigmoid")(x)'
    yield MODEL


def _write_digit_reader(filters: int = 16, units: int = 128) -> Iterator[str]:
    yield DOUBLE
    yield INPUT
    yield "x = image"
    for count in (filters, 2 * filters):
        yield f"x = double_convolution(x, {count})"
        yield "x = layers.MaxPooling2D(2)(x)"
        yield "x = layers.Dropout(0.25)(x)"
    yield "x = layers.Flatten()(x)"
    yield f'x = layers.Dense({units}, activation="relu")(x)'
    yield "x = layers.Dropout(0.5)(x)"
    yield 'digit = layers.Dense(10, activation="softmax")(x)'
    yield "model = keras.Model(image, digit)"


# What a network is, in a sentence, and what writes its layers.
NETWORKS: dict[str, tuple[str, Callable[..., Iterator[str]]]] = {
    "dense": ("784 pixels are squeezed into a few numbers and unfolded again.", _write_dense),
    "convolutional": (
        "Small windows look for patterns; pooling halves the picture, upsampling doubles it.",
        _write_convolutional,
    ),
    "resize-convolution": (
        "An encoder with pooling; the way back has as many levels.",
        _write_resize_convolution,
    ),
    "unet": ("An encoder and a decoder that work on the picture at several sizes.", _write_unet),
    "digit-reader": ("A small classifier: how likely is each of ten digits?", _write_digit_reader),
}

LOSS_CODE = {
    "psnr": '''
def psnr_loss(clean, denoised):
    """A decibel counts the same, whether there was little noise or much."""
    error = keras.ops.mean(keras.ops.square(clean - denoised), axis=(1, 2, 3))
    return keras.ops.log1p(error / 1e-4)
''',
    "ssim": '''
place = np.arange(11) - 5
window = np.exp(-(place[:, None] ** 2 + place**2) / (2 * 1.5**2)).astype("float32")
window = (window / window.sum())[..., None, None]


def ssim_loss(clean, denoised):
    """1 - structural similarity (Wang et al., 2004, doi:10.1109/TIP.2003.819861)."""
    x, y = clean, denoised
    mx, my, xx, yy, xy = (
        keras.ops.conv(maps, window, padding="valid") for maps in (x, y, x * x, y * y, x * y)
    )
    vx, vy, both = xx - mx * mx, yy - my * my, xy - mx * my
    likeness = (2 * mx * my + 1e-4) * (2 * both + 9e-4)
    likeness /= (mx * mx + my * my + 1e-4) * (vx + vy + 9e-4)
    return 1 - keras.ops.mean(likeness, axis=(1, 2, 3))
''',
}

OPTIMIZER_CLASSES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
}


def _float(value: float) -> str:
    """A number with its point: Keras refuses 1 as a learning rate."""
    return repr(float(f"{value:.12g}"))


def _training(config: TrainConfig, aim: Aim) -> tuple[str, str]:
    afresh = config.augment or (bool(config.noise) and config.fresh_noise)
    code = LOSS_CODE.get(config.loss, "").strip()
    code += "\n\n\n" if code else ""
    code += f"{_batches(config, aim)}\n\n\n" if afresh else ""
    if afresh or config.schedule == "cosine":
        code += "steps_per_epoch = int(np.ceil(len(train) / BATCH))\n"
    rate = _float(config.learning_rate)
    if config.schedule == "cosine":
        code += (
            "steps = EPOCHS * steps_per_epoch\n"
            "warm_up = max(1, steps * 3 // 100)\n"
            "rate = keras.optimizers.schedules.CosineDecay(\n"
            f"    {_float(config.learning_rate / 10)}, max(1, steps - warm_up), "
            f"warmup_target={rate}, warmup_steps=warm_up\n"
            ")\n"
        )
        rate = "rate"
    options = [rate]
    if config.clip:
        options.append(f"global_clipnorm={_float(config.clip)}")
    if config.average:
        options.append(f"use_ema=True, ema_momentum={_float(config.average)}")
    loss = f"{config.loss}_loss" if config.loss in LOSS_CODE else f'"{config.loss}"'
    optimizer = f"keras.optimizers.{OPTIMIZER_CLASSES[config.optimizer]}({', '.join(options)})"
    compiled = [f"optimizer={optimizer}", f"loss={loss}", *aim.metrics]
    code += _call("model.compile", compiled) + "\n"
    callbacks = []
    if config.average:
        callbacks.append("keras.callbacks.SwapEMAWeights()")
    if config.patience:
        callbacks.append(
            f"keras.callbacks.EarlyStopping(patience={config.patience}, restore_best_weights=True)"
        )
    given = ["add_noise(train)", aim.target, "batch_size=BATCH"]
    if afresh:
        given = ["batches()", "steps_per_epoch=steps_per_epoch", "shuffle=False"]
    given += ["epochs=EPOCHS", f"validation_data=(add_noise(validation), {aim.watched})"]
    given += [f"callbacks=[{', '.join(callbacks)}]"] if callbacks else []
    code += _call("history = model.fit", given)
    words = (
        "Every epoch has new noise in a new order."
        if afresh
        else "Noise goes in and clean pictures come out; the noise is drawn once."
        if config.noise
        else "The pictures are input and target at once."
    )
    if config.optimizer == "adadelta":
        words += " Adadelta's default rate was 1.0 in old Keras; in Keras 3 it is 0.001."
    return words, code


def _call(function: str, arguments: list[str]) -> str:
    """A call with lines of at most 100 characters, as ``ruff format`` breaks it."""
    for inside in (", ".join(arguments), "\n    " + ", ".join(arguments) + "\n"):
        if max(map(len, f"{function}({inside})".splitlines())) <= 100:
            return f"{function}({inside})"
    return f"{function}(\n" + "".join(f"    {each},\n" for each in arguments) + ")"


def _batches(config: TrainConfig, aim: Aim) -> str:
    lines = ["chosen = order[start : start + BATCH]", "clean = train[chosen]"]
    if config.augment:
        lines.append("clean = keras.ops.convert_to_numpy(turn_and_stretch(clean, training=True))")
    lines.append(f"yield add_noise(clean), {aim.in_a_batch}")
    body = "\n".join(f"            {line}" for line in lines)
    return f'''def batches():
    """Yield batches without end; each epoch has another order and other noise."""
    while True:
        order = rng.permutation(len(train))
        for start in range(0, len(train), BATCH):
{body}'''
