"""Denoise Lab: the pages and their order."""

import streamlit as st

st.navigation(
    [
        st.Page("pages/draw.py", title="Draw a digit", icon=":material/draw:", default=True),
        st.Page("pages/train.py", title="Train a network", icon=":material/school:"),
    ],
    position="top",
).run()
