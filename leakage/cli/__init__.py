"""What `python -m leakage` does: a module for each command, or for two that belong together."""
