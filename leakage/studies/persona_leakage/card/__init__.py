"""A leak card: what a training set does to everyone else, from its file to one page and one JSON.

config   = settle(file)            whom it teaches, and what, where the settings leave it open
cell     = trained, asked, scored  as any other cell; run again, nothing is computed
contrast = beside the base         what the file's answers teach
card     = verdict + numbers       by a rule that is written down
"""

from leakage.studies.persona_leakage.card.make import make_card

__all__ = ["make_card"]
