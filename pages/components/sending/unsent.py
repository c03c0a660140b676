"""A fragment that runs again throws away nothing that is still to be sent.

Streamlit throws away what the fragment drew before and has not sent, but keeps what stands after it
on the page, and in fragments inside it.  A browser that gets those without what they stand in stops
with "Cannot set a node at a delta path", and the page is blank: it takes a server so busy that the
canvas answers one half of a page before the other is sent.  Streamlit's reason was that something
new took the place of something unsent, among what was drawn before it
(github.com/streamlit/streamlit/pull/9381): here it forgets those places.
"""

from functools import wraps

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

_clear = ForwardMsgQueue.clear


def keep_what_is_unsent() -> None:
    """Keep it from now on, for every visitor of this server."""
    ForwardMsgQueue.clear = _clear_unless_for_fragments  # type: ignore[method-assign]


@wraps(_clear)
def _clear_unless_for_fragments(
    queue: ForwardMsgQueue,
    retain_lifecycle_msgs: bool = False,
    fragment_ids_this_run: list[str] | None = None,
) -> None:
    if retain_lifecycle_msgs and fragment_ids_this_run:
        queue._delta_index_map = {}
    else:
        _clear(queue, retain_lifecycle_msgs, fragment_ids_this_run)
