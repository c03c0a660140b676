"""A page of another site that opens a connection is refused at once, and nobody is asked first.

Streamlit asks a host on the net for the address of its own machine, again for each such connection
where there is no answer, and nobody is served meanwhile: for two seconds, where no name can be
looked up for many.  Whoever opens a server by that address has it in the address bar, and is let in
by that.
"""

from streamlit import net_util


def ask_nobody() -> None:
    """Ask nobody from now on, for every visitor of this server."""
    net_util.get_external_ip = _nobody_knows


def _nobody_knows() -> None:
    return None
