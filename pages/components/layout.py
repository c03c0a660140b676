"""What every screen has: its set-up, its heading, its last line."""

import logging
import time
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from models import environment, host
from pages.components import cached, gallery, widgets
from pages.components.browser import rule_browser
from pages.components.sending.known import name_only_what_is_known
from pages.components.sending.largest_message import refuse_large_messages
from pages.components.sending.made_files import keep_made_files
from pages.components.sending.origin import ask_nobody
from pages.components.sending.pictures import send_pictures_as_they_are
from pages.components.sending.unsent import keep_what_is_unsent
from pages.components.sending.uploads import keep_uploads_in_memory

_log = logging.getLogger(__name__)

# A file of ours: Streamlit would fetch its own icons from another host.
ICON = str(Path(__file__).parents[2] / "static" / "icon.png")

# Of charts: a contrast of 3.7 to white and of 4.8 to the dark theme's background.
GREY = "#7b8683"
# In a legend on a phone, or in one of two charts side by side, 32 characters fit: a longer name is
# cut off, and two that differ at their ends look alike.  Lines end with a comma, or else a space.
# Not by the width: it changes while a chart is laid out, and names would lie on each other.
NAME_IN_LINES = (
    r"split(replace(replace(datum.label, /(.{1,32}$)|(.{1,31},) |(.{1,32}) /g, '$1$2$3\n'),"
    r" /\n$/, ''), '\n')"
)
# The text colours of both themes; what is drawn knows which background it stands on.
TEXT_COLOUR = "luminance(background) < 0.5 ? '#e8eeec' : '#101716'"
_ON_ARRIVAL = "say_on_arrival"  # in the state of a session
# Streamlit leaves six empty lines above a page; on a phone that is a quarter of the screen.
STYLE = """
<style>
.stMainBlockContainer {padding-top: 3.25rem; padding-bottom: 3rem; max-width: 78rem}
/* White on the light teal of the dark theme would have a contrast of 2.5. */
[data-testid^="stBaseButton-primary"], [data-testid^="stBaseButton-primary"]:hover {
  color: light-dark(#ffffff, #06211e)}
/* Streamlit's own ring is hardly seen on the header. */
[data-testid="stTopNavLink"]:focus-visible {
  outline: 2px solid light-dark(#0f766e, #5eead4); outline-offset: -2px; box-shadow: none}
[data-testid="stHeading"] h2 {padding-top: .5rem}
/* A list is as wide as what is in it: names of networks say what they are. */
[data-testid="stSelectboxVirtualDropdown"] {
    width: auto !important; min-width: var(--trigger-width); max-width: calc(100vw - 2rem)}
/* Code is three quarters of the text around it: in small print too small to read. */
[data-testid="stCaptionContainer"] code {font-size: .9em}
/* The long hash on a model's card would push the table out of its box. */
[data-testid="stPopoverBody"] [data-testid="stMarkdownContainer"] td + td {
  overflow-wrap: anywhere; min-width: 3.5rem}
/* While a slider is dragged, the browser draws the pictures: what is of before is set back. */
[class*="st-key-settled"] {transition: opacity .15s}
:root[data-previewing] [class*="st-key-settled"] {opacity: .35}
/* Lays down rules, and is seen only when something failed. */
.st-key-browser {height: 0; margin-bottom: -1rem}
/* A system's contrast theme takes backgrounds away, of which these consist. */
@media (forced-colors: active) {
  [data-testid="stSlider"] [data-orientation] > div:not([data-testid]),
  [data-testid="stCheckbox"] label > div:not([data-testid]) {
    forced-color-adjust: none; outline: 1px solid CanvasText}
  [data-testid="stSliderThumbValue"] {forced-color-adjust: auto}
  [data-testid="stButtonGroup"] [data-selected="true"] {forced-color-adjust: none;
    background: Highlight !important}
  [data-testid="stButtonGroup"] [data-selected="true"] * {color: HighlightText !important}}
/* Paper is white, whatever the theme. */
@media print {
  html, body, .stApp, .stApp :is(div, section, header, main, footer, button, label, code) {
    background-color: transparent !important; box-shadow: none !important}
  .stApp * {color: #101716 !important; border-color: #d3dbd9 !important;
    --st-text-color: #101716 !important; --st-background-color: #ffffff !important;
    --st-secondary-background-color: #f2f5f4 !important; --st-border-color: #d3dbd9 !important}
  .stApp {color-scheme: light !important; background: #ffffff !important}
  /* Charts are drawn in the colours of the theme. */
  :root[data-dark] :is(.stVegaLiteChart canvas, .stVegaLiteChart svg, .stDataFrame canvas) {
    filter: invert(1) hue-rotate(180deg)}
  .stApp [aria-checked="true"] {outline: 2px solid #0f766e !important}
  [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stFileUploader"] {
    display: none !important}}
@media (max-width: 640px) {
  .stMainBlockContainer {padding-left: 1rem; padding-right: 1rem}
  .st-key-draw_model {flex-basis: 100% !important}
  /* Ten digits side by side. */
  .stButtonGroup button[data-variant="pills"] {padding-inline: .6rem}}
</style>
"""


def page_setup(title: str, lead: str) -> None:
    """Set up a page and write its heading; the first call of every page.

    Each page does this for itself: its address can be opened before ``app.py`` ever ran.
    """
    if PagesManager.uses_pages_directory:
        # The first visitor of a new server came by a link to this page, and Streamlit took the
        # folder of pages for the navigation. Begin again, with that of app.py.
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.set_page_config(
        page_title=f"{title} · Denoise Lab",
        page_icon=ICON,
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    if problems := environment.problems():
        _log.error("this server is set up wrong: %s", "; ".join(problems))
        st.error(f"This server is set up wrong: {'; '.join(problems)}.")
        st.stop()
    widgets.begin_run()
    cached.spare_what_is_loaded()
    host.tidy_up_soon()
    ask_nobody()
    refuse_large_messages()
    send_pictures_as_they_are()
    keep_uploads_in_memory()
    keep_made_files()
    keep_what_is_unsent()
    name_only_what_is_known()
    st.html(STYLE + gallery.STYLE)
    rule_browser()
    st.title(title, anchor=False)
    # A link of Markdown would open another tab.
    st.markdown(lead, unsafe_allow_html=True)
    if text := st.session_state.pop(_ON_ARRIVAL, ""):
        st.toast(text, icon=":material/check:", duration="long")


def say_on_arrival(text: str) -> None:
    """Say something on the page that is opened next.

    What is said just before it opens is lost where it has not been sent by then.
    """
    st.session_state[_ON_ARRIVAL] = text


def flush_to_browser() -> None:
    """Wait a breath, so that what was drawn so far is sent, and drawn by the browser.

    The thread that sends waits while Python works out the rest of a page, and a browser that
    has the rest draws all of it at once.  How long is a matter of trial: with half of it the
    pictures of the Draw page came later (`python -m tests.benchmarks --only slider`).
    """
    time.sleep(0.04)


def page_footer(text: str) -> None:
    """Write the last line of a page: what happens to what was drawn, made or uploaded."""
    st.divider()
    st.caption(text)
    widgets.end_run()


def show_chart(chart: Any, key: str, alt: str) -> None:
    """Draw an Altair chart as wide as there is room; ``alt`` says what it shows."""
    # Streamlit's theme leaves what is written beside bars and points black, in the dark too, and
    # axes and legends in a grey that has a contrast of 3.7 to white.
    colour = {"expr": TEXT_COLOUR}
    chart = chart.configure_text(color=colour)
    chart = chart.configure_axis(labelColor=colour, titleColor=colour)
    chart = chart.configure_legend(labelColor=colour, titleColor=colour)
    st.altair_chart(chart, key=key, width="stretch", alt=alt)
