"""Data files that ship with the project, and the readers of those that users bring."""
