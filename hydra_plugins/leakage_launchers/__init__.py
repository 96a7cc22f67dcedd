"""Hydra finds these launchers by their namespace."""
