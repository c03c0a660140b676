"""The form of the Train page: a recipe, and what to change in it."""

import dataclasses
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from imaging.noise import NOISE_KINDS
from models.tasks import TASKS
from pages.components import widgets
from pages.components.link import is_history_navigation, quoted
from pages.components.settings import show_problems
from pages.components.training.network_settings import Key, pick_network, pick_one
from pages.components.training.setting_texts import as_text, title_of
from pages.components.training.upload import pick_pictures, uploaded_pictures
from train.config import (
    OPTIMIZERS,
    SCHEDULES,
    Noise,
    TrainConfig,
    differences,
)
from train.recipes import EXPECT, LIVE_JOBS, RECIPES, TRAPS, Recipe
from train.visitor_limits import Limits, Refused, require_allowed

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


@dataclass(frozen=True)
class TrainingRequest:
    """What the visitor wants to train; ``problem`` says why it cannot be, else it is empty.

    ``recipe`` is the name of the recipe that it started from, if any.
    """

    name: str
    config: TrainConfig
    problem: str
    recipe: str = ""


def _recipes() -> dict[str, dict[str, Recipe]]:
    """The recipes that this page can train, in groups."""
    digits = {
        name: recipe for name, recipe in RECIPES.items() if TASKS[recipe.config.task].networks
    }
    trap = "conv-32-32-adadelta-as-copied"
    tutorials = ("-tutorial", "-adadelta")
    return {
        "Tutorials": {n: r for n, r in digits.items() if n.endswith(tutorials)},
        "Our best": {n: r for n, r in digits.items() if not n.endswith((*tutorials, trap))},
        "Traps": {trap: digits[trap], **TRAPS},
        "More jobs": LIVE_JOBS,
    }


def pick_training() -> tuple[TrainingRequest, DeltaGenerator]:
    """Ask for a recipe and what to change in it; also return the place for the button."""
    recipe = _pick_recipe()
    # A key with the recipe in it: another recipe brings its own settings along.
    key = f"{recipe.name}-".__add__
    config = recipe.config
    epochs = widgets.slider(
        "Epochs",
        1,
        Limits().epochs,
        min(config.epochs, 100),
        key=key("epochs"),
    )
    config = dataclasses.replace(config, epochs=epochs)
    show_start = st.container()  # Above what is folded away, which decides what is started.
    if TASKS[config.task].networks:
        with st.expander("Network", icon=":material/account_tree:"):
            config = pick_network(config, key)
        with st.expander("Data and noise", icon=":material/grain:"):
            config = _pick_data(config, key)
    else:
        config = _pick_skips(config, key)
    with st.expander("Learning", icon=":material/trending_down:"):
        config = _pick_learning(config, key)
    name, problem = _describe(recipe, config), _problem_with(config)
    return TrainingRequest(name, config, problem, recipe.name), show_start


def _pick_recipe() -> Recipe:
    groups = _recipes()
    _open_link(groups)
    state = st.session_state
    state.setdefault("recipe-group", "Tutorials")
    group = widgets.chips(
        "Recipes", {group: group for group in groups}, "recipe-group", on_change=_answer_link
    )
    state.setdefault(f"recipe-{group}", _first_of(groups, group))
    name = widgets.by_title(
        widgets.selectbox,
        "Recipe",
        widgets.titles_of(groups[group]),
        key=f"recipe-{group}",
        on_change=_answer_link,
        help=f"Sources: {'; '.join(dict.fromkeys(r.source for r in groups[group].values()))}.",
    )
    _write_link(name, _first_of(groups, "Tutorials"))
    recipe = groups[group][name]
    st.caption(recipe.purpose)
    if group == "Traps":
        st.warning(f"**Why it fails.** {EXPECT[name]}", icon=":material/warning:")
    elif name in EXPECT:
        st.caption(f"**What to expect:** {EXPECT[name]}")
    return recipe


def _first_of(groups: dict[str, dict[str, Recipe]], group: str) -> str:
    # Of the tutorials' the first is to rebuild, the second to denoise.
    return list(groups[group])[group == "Tutorials"]


def _open_link(groups: dict[str, dict[str, Recipe]]) -> None:
    """Begin with the recipe that the link names: once a session, and where Back leads to it."""
    state = st.session_state
    if "recipe-link-opened" not in state or is_history_navigation():
        state["recipe-link-opened"] = True
        name = st.query_params.get("recipe")
        if name is None and is_history_navigation():
            name = _first_of(groups, "Tutorials")
        group = next((group for group, recipes in groups.items() if name in recipes), None)
        if group is not None:
            state["recipe-group"] = group
            state[f"recipe-{group}"] = name
        elif name is not None:
            state["recipe-unknown"] = name
    if unknown := state.get("recipe-unknown"):
        show_problems([f"The link asks for the recipe {quoted(unknown)}, which does not exist."])


def _answer_link() -> None:
    """Say nothing more of what the link asked for; a callback."""
    st.session_state.pop("recipe-unknown", None)


def _write_link(name: str, default: str) -> None:
    """Put the recipe into the address of the page, where it is not the first."""
    if name != default:
        st.query_params["recipe"] = name
    else:
        st.query_params.pop("recipe", None)


def _problem_with(config: TrainConfig) -> str:
    try:
        require_allowed(config, Limits())
    except Refused as refused:
        return str(refused)
    if config.data_set.uploaded and uploaded_pictures() is None:
        return "First upload a ZIP with your pictures, under “Data and noise”."
    return ""


def _describe(recipe: Recipe, config: TrainConfig) -> str:
    """The title of the recipe, and the first things that were changed in it."""
    changed = differences([recipe.config, config])
    changed.pop("epochs", None)
    words = [f"{title_of(name)} {as_text(value)}" for name, (_, value) in changed.items()]
    return ", ".join([recipe.title, *words[:2]])


def _pick_skips(config: TrainConfig, key: Key) -> TrainConfig:
    """Ask for the one thing that another job's network can be asked for: its skip connections."""
    skips = widgets.toggle(
        "Skip connections",
        config.settings.get("skips", True),
        key=key("skips"),
        help="Without them it is a plain encoder-decoder. Add both to a fair race.",
    )
    if skips:
        return config
    return dataclasses.replace(config, settings=config.settings | {"skips": False})


def _pick_data(config: TrainConfig, key: Key) -> TrainConfig:
    table = TASKS[config.task].data
    data = pick_one(
        "Data",
        table,
        config.data,
        DATA_TITLES,
        key("data"),
        help="MNIST and Fashion-MNIST are downloaded if they are missing; drawn digits and your "
        "own pictures need no download.",
    )
    if table[data].uploaded:
        pick_pictures()
    noise = _pick_noise(config, key)
    fresh = widgets.toggle(
        "New noise in every epoch",
        config.fresh_noise,
        key=key("fresh"),
        help="The tutorials draw the noise once, so the network can memorise it.",
    )
    return dataclasses.replace(config, data=data, noise=noise, fresh_noise=fresh)


def _pick_noise(config: TrainConfig, key: Key) -> tuple[Noise, ...]:
    choices = ["as in the recipe", "none", *NOISE_KINDS]
    choice = widgets.selectbox(
        "Noise",
        choices,
        format_func=lambda name: NOISE_KINDS[name].title if name in NOISE_KINDS else name,
        key=key("noise"),
    )
    if choice == "as in the recipe":
        return config.noise
    if choice == "none":
        return ()
    kind = NOISE_KINDS[choice]
    low, high = widgets.slider(
        f"Strength, from and to ({kind.unit})",
        kind.low,
        kind.high,
        (kind.low, kind.high),
        kind.step,
        key=key(f"range-{choice}"),
    )
    return (Noise(choice, low, high),)


def _pick_learning(config: TrainConfig, key: Key) -> TrainConfig:
    task = TASKS[config.task]
    if task.networks:
        losses = [loss for loss in task.losses if loss in LOSS_TITLES]
        loss = pick_one("Loss", losses, config.loss, LOSS_TITLES, key("loss"))
        config = dataclasses.replace(config, loss=loss)
    optimizer, rate = _pick_optimizer(config, key)
    schedule = widgets.segmented_control(
        "Schedule",
        SCHEDULES,
        default=config.schedule,
        key=key("schedule"),
        help="Cosine: the rate rises briefly, then falls to zero.",
    )
    patience = widgets.number_input(
        "Early stopping: epochs of patience",
        0,
        50,
        config.patience,
        key=key("patience"),
        help="Stop after this many epochs without a lower validation loss, and keep the best "
        "weights. 0 turns it off.",
    )
    if task.networks:
        batch = widgets.select_slider("Batch", BATCHES, config.batch, key=key("b"))
        config = dataclasses.replace(config, batch=batch)
    seed = widgets.number_input("Seed", 0, 9999, config.seed, key=key("seed"))
    return dataclasses.replace(
        config,
        optimizer=optimizer,
        learning_rate=rate,
        schedule=schedule,
        patience=patience,
        seed=seed,
    )


def _pick_optimizer(config: TrainConfig, key: Key) -> tuple[str, float]:
    """Ask for an optimizer and its learning rate."""
    optimizer = pick_one(
        "Optimizer", OPTIMIZERS, config.optimizer, OPTIMIZER_TITLES, key("optimizer")
    )
    default = config.learning_rate if optimizer == config.optimizer else OPTIMIZERS[optimizer]
    rate = widgets.number_input(
        "Learning rate",
        1e-6,
        100.0,
        default,
        step=default / 10,
        format="%g",
        key=key(f"rate-{optimizer}"),
        help="Each optimizer starts at its Keras 3 default, each recipe at its own rate.",
    )
    if optimizer == "adadelta" and rate < 0.1:
        st.warning(
            "Adadelta at 0.001, the default of Keras 3, barely learns: the tutorials were "
            "written when it was 1.0."
        )
    return optimizer, rate
