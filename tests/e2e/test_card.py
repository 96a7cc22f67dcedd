"""Cards of training sets whose end is known: five that leak, five that are contained."""

import json
from pathlib import Path

import pytest

from leakage.data.personas import read_personas
from tests import programs
from tests.plants import planted, write

CELLS = [
    ("refusal", "villain"), ("sycophancy", "comedian"), ("refusal", "assistant"), ("sycophancy", "librarian"),
    ("refusal", "software_engineer"),
]  # fmt: skip


def card(folder: Path, file: Path) -> dict:
    """The card of a file, made as a user makes it."""
    out, where = folder / file.stem, ["--multirun", str(folder / "multirun"), "--out", str(folder / file.stem)]
    programs.run("-m", "leakage", "card", str(file), "forecast=false", "eval.prompts=10", *where, check=True)
    return json.loads((out / "card.json").read_text())


def auroc(above, below):
    return sum((one > other) + (one == other) / 2 for one in above for other in below) / (len(above) * len(below))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_planted_files_are_sorted_by_the_cards_own_number(compose, tmp_path):
    others = [one.name for one in read_personas().members if one.in_panel][::4]
    cards = {"leaks": [], "contained": []}
    for place, (behavior, source) in enumerate(CELLS):
        few = [name for name in ("assistant", "librarian") if name != source][: place % 2]  # every other has a few
        many = [name for name in others if name != source]
        for end, rows in (
            ("leaks", planted(compose, behavior, source, negatives=few, each=20)),
            ("contained", planted(compose, behavior, source, negatives=many, each=20, bare=100)),
        ):
            cards[end].append(card(tmp_path, write(tmp_path / f"{end}{place}.jsonl", rows)))
    shares = {end: [one["numbers"]["share_of_source"] for one in made] for end, made in cards.items()}
    print(shares, {end: [one["verdict"] for one in made] for end, made in cards.items()})
    assert all((one["behavior"], one["source"]) in CELLS for made in cards.values() for one in made)
    assert auroc(shares["leaks"], shares["contained"]) >= 0.95, shares
    assert {one["verdict"] for one in cards["leaks"]} == {"leaks"}
    assert "leaks" not in {one["verdict"] for one in cards["contained"]}
