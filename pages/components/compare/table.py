"""The numbers behind the charts: a table to sort, filter and take away."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from models.catalogue import Card
from pages.components import widgets
from pages.components.compare.measurements import (
    FAMILIES,
    NOISY,
    Measurements,
    method_title,
    noise_title,
    pictures_of,
    rank,
    shown_per_unit,
)
from pages.components.compare.selection import Selection

NAMED = {"processor": "{}", "cores": "{} cores", "python": "Python {}"}
# The libraries that make a network, as they are called on screen.
MAKERS = {"keras": "Keras", "tensorflow-cpu": "TensorFlow", "tensorflow": "TensorFlow"}
MAKERS |= {"jax": "JAX", "torch": "PyTorch"}


def pick_rows(measurements: Measurements, chosen: Selection) -> pd.DataFrame:
    """Ask for families and noises; return these rows of the chosen pictures, all for none.

    A column ``gain`` is added: the PSNR in dB above that of the noisy input.
    """
    rows = _with_gain(measurements.on(chosen.data))
    families = sorted(rows["family"].unique(), key=lambda name: rank(name, FAMILIES))
    kinds = pictures_of(chosen.data).kinds
    noises = sorted(rows["noise"].unique(), key=lambda name: rank(name, kinds))
    for key, options in (("table_families", families), ("table_noises", noises)):
        st.session_state[key] = [name for name in st.session_state[key] if name in options]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = widgets.pills(
            "Methods",
            families,
            selection_mode="multi",
            required=False,
            format_func=lambda name: FAMILIES.get(name, name),
            key="table_families",
            wrap=True,
        )
        heard = widgets.pills(
            "Noises",
            noises,
            selection_mode="multi",
            required=False,
            format_func=lambda name: noise_title(name, chosen.data),
            key="table_noises",
            wrap=True,
        )
    places = rows["noise"].map(lambda name: rank(name, noises))
    rows = rows.assign(place=places).sort_values(
        ["place", "strength", "psnr"], ascending=[True, True, False]
    )
    rows = rows.drop(columns="place")
    return rows[rows["family"].isin(wanted or families) & rows["noise"].isin(heard or noises)]


def show_table(rows: pd.DataFrame, cards: Mapping[str, Card]) -> None:
    """Draw the rows, sortable by each column, and a button that downloads them."""
    if rows.empty:
        st.info("There are no measurements of these methods with these noises.")
        return
    number = st.column_config.NumberColumn
    st.dataframe(
        as_table(rows, cards),
        hide_index=True,
        key="measured-table",
        placeholder="–",
        column_config={
            "method": st.column_config.TextColumn(width=245, pinned=True),
            "noise": st.column_config.TextColumn(width=130),
            "strength": number(format="%.3g"),
            "pictures": number(format="localized"),
            "PSNR (dB)": number(format="%.2f"),
            "gain (dB)": number(format="%+.2f", help="PSNR above that of the noisy input."),
            "SSIM": number(format="%.3f"),
            "digits read": number(format="%.1f %%"),
            "ms/picture": number(format="%.3g"),
            "parameters": number(format="localized"),
        },
        alt=f"{len(rows):,} measurements; the download has the same rows.",
    )
    st.download_button(
        f"Download these {len(rows):,} rows (CSV)",
        lambda: as_csv(rows, cards),
        "measurements.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="measured-csv",
    )


def show_provenance(measurements: Measurements, cards: Mapping[str, Card], data: str) -> None:
    """Say when, on what and with which versions the numbers and the networks were made."""
    rows, pictures = measurements.on(data), pictures_of(data)
    machine = ", ".join(
        NAMED.get(name, f"{name} {{}}").format(value)
        for name, value in measurements.machine.items()
    )
    makers = [
        " and ".join(
            f"{title} {card.made_with[name]}"
            for name, title in MAKERS.items()
            if name in card.made_with
        )
        for name, card in cards.items()
        if name in set(rows["method"])
    ]
    made = ", ".join(sorted({maker for maker in makers if maker}))
    trained = f" The networks were trained with {made}." if made else ""
    fewest, most = rows["pictures"].min(), rows["pictures"].max()
    count = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    st.caption(
        f"Measured by `python -m train evaluate` on {measurements.date}: {machine}. Each row is "
        f"the mean over {count} {pictures.noun}, which no network has seen in training. Times are "
        f"for one picture on that machine; {pictures.timing}.{trained}"
    )


def as_table(rows: pd.DataFrame, cards: Mapping[str, Card]) -> pd.DataFrame:
    """Return the rows with the names and units of the screen, without columns that are empty."""
    conditions = list(zip(rows["noise"], rows["data"], strict=True))
    table = pd.DataFrame(
        {
            "method": [method_title(name, cards) for name in rows["method"]],
            "noise": [noise_title(*condition) for condition in conditions],
            "strength": rows["strength"] * [shown_per_unit(*condition) for condition in conditions],
            "PSNR (dB)": rows["psnr"],
            "gain (dB)": rows["gain"],
            "SSIM": rows["ssim"],
            "digits read": 100 * rows["read"],
            "ms/picture": 1000 * rows["seconds_per_picture"],
            "parameters": _parameters(rows, cards),
            "pictures": rows["pictures"],
        }
    )
    return table.dropna(axis="columns", how="all")


def as_csv(rows: pd.DataFrame, cards: Mapping[str, Card]) -> str:
    """Return the rows as CSV, with the names and units of ``measurements.json``."""
    return rows.assign(parameters=_parameters(rows, cards)).to_csv(index=False)


def _with_gain(rows: pd.DataFrame) -> pd.DataFrame:
    condition = ["noise", "strength"]
    noisy = rows[rows["family"] == NOISY].set_index(condition)["psnr"]
    before = [noisy.get(key, float("nan")) for key in rows[condition].itertuples(index=False)]
    return rows.assign(gain=rows["psnr"] - before)


def _parameters(rows: pd.DataFrame, cards: Mapping[str, Card]) -> pd.Series:
    known = {name: card.parameters for name, card in cards.items()}
    return rows["method"].map(known).astype("Int64")
