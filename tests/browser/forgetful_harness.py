"""A page that shows a long text, or one of three short ones."""

import streamlit as st

from pages.components.layout import page_setup

page_setup("A harness", "What is long is sent once, and then named by its hash.")
chosen = st.segmented_control("Shown", ["long", "a", "b", "c"], default="long")
st.markdown(f"The {chosen} one is here." + 300 * " word" * (chosen == "long"))
