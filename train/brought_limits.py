"""What a network that a visitor brings may cost: known to the server, and to the other process.

It imports nothing: the process that reads the file has to stay small.
"""

LARGEST_FILE = 10_000_000  # bytes
MEMORY = 250_000_000  # bytes, beside the libraries'
SECONDS = 20  # of the processor, to open it
SLOWEST = 100  # milliseconds for one picture


class Refused(Exception):
    """A file that is not taken; its text is a sentence for the visitor."""
