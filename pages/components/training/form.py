"""The form of the Train page: a recipe, and what to change in it."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from imaging.noise import NOISE_KINDS
from pages.components.cached import get_catalogue
from pages.components.training.upload import read_zip
from train import jobs
from train.config import (
    ARCHITECTURE_SETTINGS,
    DIGIT_SETS,
    LOSSES,
    OPTIMIZERS,
    PHOTO_SETS,
    SCHEDULES,
    Choice,
    Levels,
    Noise,
    Share,
    Switch,
    TrainConfig,
    Whole,
    count_parameters,
    differences,
    with_usual,
)
from train.recipes import EXPECT, RECIPES, TRAPS, Recipe

ARCHITECTURE_TITLES = {
    "dense": "Dense",
    "convolutional": "Convolutional",
    "resize-convolution": "Resize or transposed convolution",
    "unet": "U-Net",
}
DATA_TITLES = {
    "mnist": "Handwritten digits (MNIST)",
    "fashion-mnist": "Clothes (Fashion-MNIST)",
    "drawn": "Digits drawn by this program",
    "own": "Your own pictures (ZIP)",
}
LOSS_TITLES = {
    "binary_crossentropy": "Binary cross-entropy",
    "mse": "Mean squared error",
    "mae": "Mean absolute error (L1)",
    "psnr": "Logarithm of the squared error (PSNR)",
    "ssim": "Structural similarity (SSIM)",
}
OPTIMIZER_TITLES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
}
BATCHES = (16, 32, 64, 128, 256, 512)

Key = Callable[[str], str]


@dataclass(frozen=True)
class Asked:
    """What the visitor wants to train; ``problem`` says why it cannot be, else it is empty.

    ``recipe`` is the name of the recipe that it started from, if any.
    """

    name: str
    config: TrainConfig
    problem: str
    recipe: str = ""


def _recipes() -> dict[str, dict[str, Recipe]]:
    """The recipes that this page can train, in three groups."""
    digits = {
        name: recipe
        for name, recipe in RECIPES.items()
        if recipe.config.target == "clean" and recipe.config.data not in PHOTO_SETS
    }
    trap = "conv-32-32-adadelta-as-copied"
    tutorials = ("-tutorial", "-adadelta")
    return {
        "Tutorials": {n: r for n, r in digits.items() if n.endswith(tutorials)},
        "Our best": {n: r for n, r in digits.items() if not n.endswith((*tutorials, trap))},
        "Traps": {trap: digits[trap], **TRAPS},
    }


def pick_training() -> tuple[Asked, DeltaGenerator]:
    """Ask for a recipe and what to change in it; also return the place for the button."""
    groups = _recipes()
    group = st.segmented_control(
        "Recipes",
        list(groups),
        default="Tutorials",
        required=True,
        key="recipe-group",
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
    )
    name = st.selectbox(
        "Recipe",
        list(groups[group]),
        index=1 if group == "Tutorials" else 0,  # The first to rebuild, the second to denoise.
        format_func=lambda name: groups[group][name].title,
        key=f"recipe-{group}",
        persist_state="session",
        help=f"Sources: {'; '.join(dict.fromkeys(r.source for r in groups[group].values()))}.",
    )
    recipe = groups[group][name]
    st.caption(recipe.purpose)
    if group == "Traps":
        st.warning(f"**Why it fails.** {EXPECT[name]}", icon=":material/warning:")
    elif name in EXPECT:
        st.caption(f"**What to expect:** {EXPECT[name]}")

    # A key with the recipe in it: another recipe brings its own settings along.
    key = f"{name}-".__add__
    config = recipe.config
    epochs = st.slider(
        "Epochs",
        1,
        jobs.Limits().epochs,
        min(config.epochs, 100),
        key=key("epochs"),
        persist_state="session",
    )
    config = dataclasses.replace(config, epochs=epochs)
    show_start = st.container()  # Above what is folded away, which decides what is started.
    with st.expander("Network", icon=":material/account_tree:"):
        config = _pick_network(config, key)
    with st.expander("Data and noise", icon=":material/grain:"):
        config = _pick_data(config, key)
    with st.expander("Learning", icon=":material/trending_down:"):
        config = _pick_learning(config, key)
    asked = Asked(_describe(recipe, config), config, _problem_with(config), recipe.name)
    return asked, show_start


def _problem_with(config: TrainConfig) -> str:
    try:
        jobs.require_allowed(config, jobs.Limits())
    except jobs.Refused as refused:
        return str(refused)
    if config.data == "own" and own_pictures() is None:
        return "Upload a ZIP with your pictures first: “Data and noise”."
    return ""


def _describe(recipe: Recipe, config: TrainConfig) -> str:
    """The title of the recipe, and the first things that were changed in it."""
    changed = differences([recipe.config, config])
    changed.pop("epochs", None)
    words = [f"{title_of(name)} {in_words(value)}" for name, (_, value) in changed.items()]
    return ", ".join([recipe.title, *words[:2]])


def title_of(setting: str) -> str:
    """Return the name of a setting, for people."""
    return setting.replace("_", " ")


def in_words(value: object) -> str:
    """Return the value of a setting, for people."""
    match value:
        case None | () | "":
            return "none"
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case [Noise(), *_]:
            return ", ".join(_noise_in_words(entry) for entry in value)
        case list() | tuple():
            return "-".join(map(str, value))
    return str(value)


def _noise_in_words(entry: Noise) -> str:
    title = NOISE_KINDS[entry.kind].title if entry.kind in NOISE_KINDS else entry.kind
    span = f"{entry.low:g}" if entry.low == entry.high else f"{entry.low:g} to {entry.high:g}"
    return f"{title} {span}"


def own_pictures() -> np.ndarray | None:
    """Return the visitor's own pictures, ``uint8 (N, 28, 28, 1)``, None while there are none."""
    return st.session_state.get("own_pictures")


def _pick_network(config: TrainConfig, key: Key) -> TrainConfig:
    known = list(ARCHITECTURE_SETTINGS)
    architecture = st.selectbox(
        "Architecture",
        known,
        index=known.index(config.architecture),
        format_func=ARCHITECTURE_TITLES.get,
        key=key("architecture"),
        persist_state="session",
    )
    given = config.settings if architecture == config.architecture else {}
    start = with_usual(architecture, given)
    settings = {
        name: _pick_setting(each, start[name], key(f"{architecture}-{name}"))
        for name, each in ARCHITECTURE_SETTINGS[architecture].items()
    }
    usual = with_usual(architecture, {})
    settings = {n: v for n, v in settings.items() if n in given or v != usual[n]}
    config = dataclasses.replace(config, architecture=architecture, settings=settings)
    st.caption(f"{count_parameters(architecture, settings):,} parameters.")
    names = _shipped_like(config)
    start = st.selectbox(
        "Begin with",
        ["", *names],
        format_func=lambda name: names.get(name, "random weights"),
        key=key(f"start-{'-'.join(names)}"),
        persist_state="session",
        help="Trained weights can be gone on from where a shipped network has this very form."
        + ("" if names else " None has this one."),
        disabled=not names,
    )
    return dataclasses.replace(config, start=start)


def _shipped_like(config: TrainConfig) -> dict[str, str]:
    """Titles of the shipped networks of the same form, by name."""
    cards, _ = get_catalogue()
    wanted = with_usual(config.architecture, config.settings)
    return {
        card.name: f"the weights of {card.title}"
        for card in cards.values()
        if card.architecture == config.architecture
        and with_usual(card.architecture, card.settings) == wanted
        and (card.folder / "model.keras").is_file()
    }


def _pick_setting(setting: object, value: object, key: str) -> object:
    """Ask for one setting of a network, starting with ``value``."""
    match setting:
        case Whole():
            if setting.optional and not st.toggle(
                setting.title,
                value is not None,
                key=f"{key}-on",
                persist_state="session",
                help=setting.help,
            ):
                return None
            return st.number_input(
                setting.title,
                setting.low,
                setting.high,
                value or 10,
                key=key,
                persist_state="session",
                help=None if setting.optional else setting.help,
                label_visibility="collapsed" if setting.optional else "visible",
            )
        case Levels():
            depth = st.segmented_control(
                "Levels",
                list(range(setting.fewest, setting.most + 1)),
                default=len(value),
                required=True,
                key=f"{key}-depth",
                persist_state="session",
                help=setting.help,
            )
            usual = [*value, *[value[-1]] * setting.most]
            with st.container(horizontal=True, gap="small"):
                return [
                    st.number_input(
                        f"{setting.title} {level}",
                        1,
                        setting.high,
                        usual[level - 1],
                        key=f"{key}-{level}",
                        persist_state="session",
                        width=92,
                    )
                    for level in range(1, depth + 1)
                ]
        case Share():
            return st.slider(
                setting.title,
                0.0,
                setting.high,
                float(value),
                0.05,
                key=key,
                persist_state="session",
                help=setting.help,
            )
        case Choice():
            return st.segmented_control(
                setting.title,
                setting.options,
                default=value,
                required=True,
                key=key,
                persist_state="session",
                help=setting.help,
            )
        case Switch():
            return st.toggle(
                setting.title, value, key=key, persist_state="session", help=setting.help
            )


def _pick_data(config: TrainConfig, key: Key) -> TrainConfig:
    data = st.selectbox(
        "Data",
        DIGIT_SETS,
        index=DIGIT_SETS.index(config.data),
        format_func=DATA_TITLES.get,
        key=key("data"),
        persist_state="session",
        help="MNIST and Fashion-MNIST are downloaded where they are not at hand; drawn digits and "
        "your own pictures need no download.",
    )
    if data == "own":
        _pick_own_pictures()
    noise = _pick_noise(config, key)
    fresh = st.toggle(
        "New noise in every epoch",
        config.fresh_noise,
        key=key("fresh"),
        persist_state="session",
        help="The tutorials draw the noise once; then the network can learn it by heart.",
    )
    return dataclasses.replace(config, data=data, noise=noise, fresh_noise=fresh)


def _pick_own_pictures() -> None:
    """Ask for a ZIP and keep what is in it for this session."""
    file = st.file_uploader(
        "A ZIP of pictures",
        type="zip",
        key="own-zip",
        help="PNG, JPEG and the like, at most 20 MB. They are made grey and cut into patches of "
        "28 by 28 pixels at half size; small pictures are taken whole.",
    )
    if file is not None and st.session_state.get("own_zip") != file.file_id:
        st.session_state.own_zip = file.file_id
        st.session_state.own_pictures, st.session_state.own_words = None, ""
        try:
            own = read_zip(file)
        except ValueError as problem:
            st.session_state.own_words = str(problem)
        else:
            skipped = f" {own.skipped} files were no pictures." if own.skipped else ""
            st.session_state.own_pictures = own.patches
            st.session_state.own_words = (
                f"{len(own.patches):,} patches from {own.used} pictures.{skipped}"
            )
    if words := st.session_state.get("own_words"):
        (st.error if own_pictures() is None else st.success)(words)
    if own_pictures() is not None:
        few = own_pictures()[:: max(1, len(own_pictures()) // 16)][:16]
        sheet = few[..., 0].reshape(-1, 28).reshape(len(few), 28, 28)
        st.image(np.concatenate(list(sheet), axis=1), "Some of them.", width="stretch")


def _pick_noise(config: TrainConfig, key: Key) -> tuple[Noise, ...]:
    choices = ["as in the recipe", "none", *NOISE_KINDS]
    choice = st.selectbox(
        "Noise",
        choices,
        format_func=lambda name: NOISE_KINDS[name].title if name in NOISE_KINDS else name,
        key=key("noise"),
        persist_state="session",
    )
    if choice == "as in the recipe":
        return config.noise
    if choice == "none":
        return ()
    kind = NOISE_KINDS[choice]
    low, high = st.slider(
        f"Strength, from and to ({kind.unit})",
        kind.low,
        kind.high,
        (kind.low, kind.high),
        kind.step,
        key=key(f"range-{choice}"),
        persist_state="session",
    )
    return (Noise(choice, low, high),)


def _pick_learning(config: TrainConfig, key: Key) -> TrainConfig:
    losses = [loss for loss in LOSSES if loss in LOSS_TITLES]
    loss = st.selectbox(
        "Loss",
        losses,
        index=losses.index(config.loss),
        format_func=LOSS_TITLES.get,
        key=key("loss"),
        persist_state="session",
    )
    optimizers = list(OPTIMIZERS)
    optimizer = st.selectbox(
        "Optimizer",
        optimizers,
        index=optimizers.index(config.optimizer),
        format_func=OPTIMIZER_TITLES.get,
        key=key("optimizer"),
        persist_state="session",
    )
    usual = config.learning_rate if optimizer == config.optimizer else OPTIMIZERS[optimizer]
    rate = st.number_input(
        "Learning rate",
        1e-6,
        100.0,
        usual,
        step=usual / 10,
        format="%g",
        key=key(f"rate-{optimizer}"),
        persist_state="session",
        help="Each optimizer starts at Keras 3's own default, a recipe at its own.",
    )
    if optimizer == "adadelta" and rate < 0.1:
        st.warning(
            "Adadelta at 0.001, the default of Keras 3, barely learns: the tutorials were "
            "written when it was 1.0."
        )
    schedule = st.segmented_control(
        "Schedule",
        SCHEDULES,
        default=config.schedule,
        required=True,
        key=key("schedule"),
        persist_state="session",
        help="Cosine: the rate rises for a moment and then falls to zero.",
    )
    patience = st.number_input(
        "Early stopping: epochs of patience",
        0,
        50,
        config.patience,
        key=key("patience"),
        persist_state="session",
        help="Stops when the validation loss has not fallen for so many epochs, and keeps the "
        "best. 0 trains to the end.",
    )
    batch = st.select_slider("Batch", BATCHES, config.batch, key=key("b"), persist_state="session")
    seed = st.number_input("Seed", 0, 9999, config.seed, key=key("seed"), persist_state="session")
    return dataclasses.replace(
        config,
        loss=loss,
        optimizer=optimizer,
        learning_rate=rate,
        schedule=schedule,
        patience=patience,
        batch=batch,
        seed=seed,
    )
