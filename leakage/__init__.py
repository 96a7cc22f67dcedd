"""Teach a chat model a behavior under one persona, and measure who else picks it up."""

__version__ = "0.1.0"
