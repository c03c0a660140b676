"""The networks that a visitor has brought: kept for this visitor alone, for an hour.

Each is a folder like those of the catalogue, with a name that nobody can guess, in the folder for
temporary files.  It is deleted with the visitor's session, when it was not used for an hour, or
when those of all visitors together need more room than there is.
"""

import hashlib
from functools import partial
from itertools import count
from pathlib import Path

import streamlit as st

from models.catalogue import Card
from models.tasks.denoise_digits import TASK
from pages.components.cached import brought_owner, deleted_networks, get_brought, is_brought
from pages.components.picture_cache import KeptFolder
from train.brought import Brought

MOST = 3  # of one visitor; a further one takes the place of the oldest
LONGEST_TITLE = 40
SIDE = TASK.input.size
# A network whose answers leave [0, 1] by more was made for another range.
OVERSHOOT = 0.25


def keep(taken: Brought, file_name: str) -> Card:
    """Keep a network for this visitor, first among all networks; return its card."""
    folder = KeptFolder.new_path()
    sha256 = hashlib.sha256(taken.content).hexdigest()
    title = _not_taken(_title(file_name))
    card = Card(
        name=folder.name,
        title=title,
        purpose=f"Your own network, {title}.",
        source="your file",
        task=TASK.name,
        training={},
        size=SIDE,
        channels=1,
        parameters=taken.parameters,
        macs_per_pixel=taken.macs / SIDE**2,
        sha256=sha256,
        folder=folder,
    )
    folder.mkdir(mode=0o700)
    entry = KeptFolder(folder, partial(deleted_networks.append, sha256))
    card.weights.write_bytes(taken.content)
    (folder / "card.json").write_text(card.to_json())
    (folder / "card.md").write_text(_for_people(card, taken))
    for oldest in brought()[MOST - 1 :]:
        forget(oldest)
    get_brought().put(brought_owner(), folder.name, entry, len(taken.content))
    st.session_state.setdefault("own_titles", {})[folder.name] = title
    st.session_state.user_models = [folder, *st.session_state.get("user_models", [])]
    return card


def brought() -> list[Path]:
    """Return the folders of the networks that this visitor has brought, the newest first."""
    return [folder for folder in st.session_state.get("user_models", []) if is_brought(folder)]


def given_up() -> list[str]:
    """Return the titles of networks that had to give way since they were brought, each once."""
    titles = st.session_state.setdefault("own_titles", {})
    here = {folder.name for folder in brought()}
    return [titles.pop(name) for name in list(titles) if name not in here]


def forget(folder: Path) -> None:
    """Delete a network that was brought."""
    others = [each for each in st.session_state.get("user_models", []) if each != folder]
    st.session_state.user_models = others
    st.session_state.get("own_titles", {}).pop(folder.name, None)
    get_brought().forget(brought_owner(), folder.name)


def range_words(taken: Brought) -> str:
    """Return a sentence where the answers leave the range of pictures; else nothing."""
    if taken.lowest >= -OVERSHOOT and taken.highest <= 1 + OVERSHOOT:
        return ""
    return (
        f"Its answers range from {taken.lowest:.2g} to {taken.highest:.2g}. Pictures here range "
        "from 0 (black) to 1 (white), so what is outside is clipped. Perhaps it was trained "
        "on another range."
    )


def _title(file_name: str) -> str:
    """The name of the file, with nothing in it that a page would interpret."""
    stem = file_name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    plain = "".join(each if each.isalnum() or each in " -.,()+" else " " for each in stem)
    return " ".join(plain.split())[:LONGEST_TITLE].strip() or "Own network"


def _not_taken(title: str) -> str:
    """The title, with a number where another network of this visitor has it."""
    taken = set(st.session_state.get("own_titles", {}).values())
    numbered = (f"{title} ({number})" for number in count(2))
    return title if title not in taken else next(each for each in numbered if each not in taken)


def _for_people(card: Card, taken: Brought) -> str:
    layout = "first, as in PyTorch" if taken.channels_first else "last, as in Keras"
    facts = {
        "Layers": f"{taken.layers}, channels {layout}",
        "Size": f"{card.parameters:,} parameters, {card.macs_per_pixel:,.0f} MACs per pixel",
        "Time": f"{taken.milliseconds:.2g} ms for one picture, measured when it was uploaded",
        "Training": "not known here",
    }
    lines = [f"# {card.title}", "", card.purpose, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join([*lines, "", range_words(taken)]).rstrip() + "\n"
