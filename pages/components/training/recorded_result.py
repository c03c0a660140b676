"""What a recipe gave when it was run in full: shown before a visitor has trained anything."""

from array import array

import streamlit as st

from pages.components.explain import duration
from pages.components.training.curves import History
from pages.components.training.progress import show_curves
from train.recorded import minutes_of, read_record


def show_recorded_result(recipe: str) -> None:
    """Draw curve and numbers of a recipe as it was run for `docs/recipes.md`, if it was."""
    record = read_record(recipe)
    if record is None:
        return
    st.header("What this recipe gave", anchor=False)
    made, epochs = record["made"], len(record["epochs"])
    ran = f"{epochs} {'epoch' if epochs == 1 else 'epochs'} in {duration(60 * minutes_of(record))}"
    st.caption(
        f"Reference run: {ran if epochs else 'not one epoch'} on {made['cores']} cores "
        f"({made['processor']}). Press Train to watch your own."
    )
    if record["outcome"] == "diverged":
        st.error(f"It diverged: {record['why']}.", icon=":material/trending_up:")
    _show_numbers(record)
    show_curves(_history(record))


def _show_numbers(record: dict) -> None:
    test = record["test"]
    with st.container(horizontal=True):
        if "psnr" in test:
            st.metric(
                "PSNR at noise 0.5",
                f"{test['psnr']:.2f} dB",
                help=f"The mean of {test['pictures']:,} test pictures, denoised.",
            )
            st.metric("SSIM", f"{test['ssim']:.3f}")
        if test.get("read") is not None:
            st.metric(
                "Digits read", f"{test['read']:.1%}", help="By the digit reader, after denoising."
            )
        if record["parameters"]:
            st.metric("Parameters", f"{record['parameters']:,}")


def _history(record: dict) -> History:
    """The curve as the charts want it."""
    places, losses = zip(*record["batches"], strict=True) if record["batches"] else ((), ())
    rates = [(e["epoch"], e["learning_rate"]) for e in record["epochs"] if "learning_rate" in e]
    return History(
        places=array("d", places),
        losses=array("d", losses),
        rates=rates,
        epochs=record["epochs"],
    )
