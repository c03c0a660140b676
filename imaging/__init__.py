"""Arithmetic on NumPy images: noise, metrics, classical filters, digits, samples."""
