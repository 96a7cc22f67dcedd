"""Figures: one module each, a tidy frame in and a matplotlib Figure out."""
