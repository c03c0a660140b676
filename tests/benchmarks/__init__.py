"""Speed and memory, measured on the real app; run by hand with `make bench`."""
