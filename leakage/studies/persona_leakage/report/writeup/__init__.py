"""The write-up: Markdown in the shape of a research note, every sentence made of the numbers it cites."""

from leakage.studies.persona_leakage.report.writeup.note import write_up

__all__ = ["write_up"]
