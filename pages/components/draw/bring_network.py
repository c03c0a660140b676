"""Asks for a network of the visitor's own, an ONNX file, and says why one cannot be taken."""

from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from models.catalogue import Card
from pages.components import widgets
from pages.components.draw import own_networks
from pages.components.link import quoted
from pages.components.sending.uploads import release
from train.brought import LARGEST, check
from train.brought_limits import Refused

WORDS = (
    f"An **ONNX file** of at most {LARGEST} MB that turns one grey picture of 28 × 28, from 0 "
    "(black) to 1 (white), into another: N × 28 × 28 × 1 as in Keras, N × 1 × 28 × 28 as in "
    "PyTorch, or N × 784. Only you see it, here, on Inside and on Compare. It is deleted when you "
    "leave or reload the page, or after an hour without use."
)
EXPORTS = {
    "Keras": 'picture = keras.InputSpec(shape=(None, 28, 28, 1), dtype="float32")\n'
    'model.export("mine.onnx", format="onnx", input_signature=[picture])',
    "PyTorch": "model.eval()\n"
    'torch.onnx.export(model, torch.zeros(1, 1, 28, 28), "mine.onnx",\n'
    "                  external_data=False)",
}
NEEDS = {
    "Keras": "Keras 3 with TensorFlow; needs `pip install tf2onnx onnx`.",
    "PyTorch": "PyTorch 2.5 or newer; needs `pip install onnx onnxscript`.",
}


def show_bring(cards: dict[str, Card]) -> None:
    """Draw the button behind which a network can be brought and taken away again."""
    for title in own_networks.given_up():
        st.session_state.own_answer = False, f"{title} is no longer here. Upload it again."
    with st.popover("Your own network", icon=":material/upload:", key="own_network"):
        _show_answer()  # Above all else, where it is seen on a phone too.
        st.markdown(WORDS)
        key = f"own_file_{st.session_state.get('own_round', 0)}"
        st.file_uploader(
            "ONNX file",
            key=key,
            max_upload_size=LARGEST,
            label_visibility="collapsed",
            on_change=_take,
            args=(key,),
        )
        for folder in own_networks.brought():
            if folder.name in cards:
                _show_row(folder, cards[folder.name])
        st.markdown("**How to export one**")
        for tab, (name, code) in zip(st.tabs(list(EXPORTS)), EXPORTS.items(), strict=True):
            with tab:
                st.code(code, language="python", wrap_lines=True)
                st.caption(NEEDS[name])


def _show_answer() -> None:
    """Say what became of the last file."""
    taken, words = st.session_state.get("own_answer", (True, ""))
    if not words:
        return
    if taken:
        st.success(words, icon=":material/check:")
    else:
        st.error(words, icon=":material/block:")


def _show_row(folder: Path, card: Card) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{card.title}: {card.parameters:,} parameters")
        widgets.remove_button(_remove, folder, key=f"remove-{folder.name}")


def _take(key: str) -> None:
    """Open the file that was brought, choose it, or keep the reason against it; a callback."""
    state = st.session_state
    file = state.get(key)
    if file is None or isinstance(file, DeletedFile):
        return  # A browser may say once more what it said of an uploader that is gone.
    state.own_round = state.get("own_round", 0) + 1  # The next uploader is empty.
    content = file.getvalue()
    release([file])
    try:
        taken = check(content, file.name)
        card = own_networks.keep(taken, file.name)
    except Refused as problem:
        state.own_answer = False, f"{quoted(file.name)}: {problem}"
        return
    except OSError:
        state.own_answer = False, "The server has no room for it just now. Try again later."
        return
    state.draw_model = card.name
    state.own_answer = (
        True,
        f"{card.title} is now selected: {taken.layers} layers, {taken.parameters:,} parameters, "
        f"{taken.milliseconds:.2g} ms for one picture. {own_networks.range_words(taken)}".strip(),
    )


def _remove(folder: Path) -> None:
    """Delete a network; a callback."""
    own_networks.forget(folder)
    st.session_state.pop("own_answer", None)
