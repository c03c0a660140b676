"""Streamlit's controls, with a value that lasts as long as the session, whatever page is shown.

In choices that are buttons one is always chosen.
"""

from functools import partial

import streamlit as st

number_input = partial(st.number_input, persist_state="session")
select_slider = partial(st.select_slider, persist_state="session")
selectbox = partial(st.selectbox, persist_state="session")
slider = partial(st.slider, persist_state="session")
toggle = partial(st.toggle, persist_state="session")

pills = partial(st.pills, persist_state="session", required=True)
segmented_control = partial(st.segmented_control, persist_state="session", required=True)
