"""Denoise Lab: the pages and their order."""

from pathlib import Path

import streamlit as st

# Before the pages are named: Streamlit fetches the icon of a page from another host otherwise.
st.set_page_config(page_icon=str(Path(__file__).parent / "static" / "icon.png"))
st.navigation(
    [
        st.Page("pages/draw.py", title="Draw a digit", icon=":material/draw:", default=True),
        st.Page("pages/learn.py", title="Learn", icon=":material/menu_book:"),
        st.Page("pages/photo.py", title="Denoise a photo", icon=":material/photo_camera:"),
        # Not pages/train.py: run on its own, it would hide the package `train`.  Until the first
        # visitor has come, Streamlit takes the names of files for addresses, this one for /train.
        st.Page(
            "pages/_train.py", title="Train a network", icon=":material/school:", url_path="train"
        ),
        st.Page("pages/tasks.py", title="More jobs", icon=":material/category:"),
        st.Page("pages/inside.py", title="Inside the network", icon=":material/layers:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/leaderboard:"),
    ],
    position="top",
).run()
