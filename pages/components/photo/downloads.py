"""What a visitor can take away of a photo: pictures without loss, in their own size."""

import numpy as np
import streamlit as st

from imaging.pixels import png
from pages.components.photo.source import Picture


def show_downloads(
    picture: Picture, clean: np.ndarray | None, noisy: np.ndarray, denoised: np.ndarray
) -> None:
    """Draw the download buttons; a file is made when its button is clicked."""
    name, alpha = picture.photo.name, picture.photo.alpha
    st.download_button(
        "Denoised (PNG)",
        lambda: png(denoised, alpha),
        f"{name}-denoised.png",
        "image/png",
        on_click="ignore",
        key="photo-download-denoised",
        icon=":material/download:",
        type="primary",
    )
    with st.popover("More downloads"):
        others = {"noisy": noisy} if clean is None else {"original": clean, "noisy": noisy}
        for title, pixels in others.items():
            st.download_button(
                f"{title.capitalize()} (PNG)",
                lambda pixels=pixels: png(pixels, alpha),
                f"{name}-{title}.png",
                "image/png",
                on_click="ignore",
                key=f"photo-download-{title}",
                width="stretch",
            )
