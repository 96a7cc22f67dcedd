"""The write-up of the second study: Markdown, every sentence made of the numbers it cites."""

from leakage.studies.alignment_faking.report.writeup.note import write_up

__all__ = ["write_up"]
