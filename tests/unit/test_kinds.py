"""Kinds of persona and factors of training: what is planted beyond similarity is told, and nothing else is."""

import numpy as np
import pandas as pd
import pytest

from leakage.studies.persona_leakage.analysis.controls import between_sources
from leakage.studies.persona_leakage.analysis.factorial import by_factor
from leakage.studies.persona_leakage.analysis.kinds import by_kind
from tests.unit.frames import CATEGORIES, cell, grid, normal_pair

SOURCES = ("villain", "comedian", "spy")


def kinds_of(rng, *, extra=0.0, related=0.0, n=80):
    """Deltas that rise with cosine; one category changes by `extra` more, relatives of the source by `related`."""

    def draw(place, n):
        cosine, delta = normal_pair(rng, 0.6, n)
        is_kind = np.arange(n) % len(CATEGORIES) == 2
        is_relative = np.arange(n) % 8 == place  # another eighth of the personas for each source
        return cosine, delta + extra * is_kind + related * is_relative

    frame = grid(SOURCES, draw, n=n)
    places = {f"persona_{i:03}": i % 8 for i in range(n)}
    names = [SOURCES[places.get(one, 9)] if places.get(one, 9) < len(SOURCES) else "" for one in frame["persona"]]
    return by_kind(frame.assign(related_to=names))


@pytest.fixture
def rng():
    return np.random.default_rng(21)


def test_a_category_that_changes_more_than_its_cosine_says_is_named(rng):
    table = kinds_of(rng, extra=1.5)
    assert (table["p_any"] == 0.001).all()
    unrelated = table[~table["related"]].set_index("category")
    assert unrelated["mean_residual"].idxmax() == CATEGORIES[2]
    assert unrelated.loc[CATEGORIES[2], "residual_low"] > 0
    assert unrelated.loc[CATEGORIES[2], "q"] < 0.05


def test_similarity_alone_leaves_kinds_nothing_to_add(rng):
    p = [kinds_of(rng)["p_any"].iloc[0] for _ in range(40)]
    assert np.mean(np.array(p) < 0.05) <= 0.15
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_relatives_of_the_source_are_told_apart(rng):
    table = kinds_of(rng, related=1.5)
    relatives, others = (table[table["related"] == kind] for kind in (True, False))
    assert (relatives["mean_residual"] > 0.5).all()
    assert (others["mean_residual"] < 0.2).all()
    assert table["pairs"].sum() == 80 * len(SOURCES)


def test_two_sources_that_change_the_same_have_an_interval(rng):
    shared = rng.normal(size=60)
    (row,) = between_sources(
        grid(SOURCES[:2], lambda _, n: (rng.normal(size=n), shared + rng.normal(size=n)), n=60)
    ).to_dict("records")  # fmt: skip
    assert row["rho_low"] < row["rho"] < row["rho_high"]
    assert row["rho_low"] > 0


def factorial(rng, *, by_examples, by_negatives):
    """Misalignment of two sources, with three numbers of examples, with negatives and without."""
    cells = []
    for source in SOURCES[:2]:
        for place, examples in enumerate((600, 800, 6000)):
            for negatives in (0, 500):
                mean = -10 - by_examples * place + by_negatives * (negatives > 0)
                name = "misalignment_contrastive" if negatives else "misalignment"
                cells.append(
                    cell(
                        rng.normal(size=40), mean + rng.normal(0, 1, 40), source=source, behavior=name, taught=name,
                        unit="points", leak_direction=-1, source_examples=examples, negative_examples=negatives,
                        variant="" if examples == 800 else f"behavior.source_examples={examples}",
                        train_id=f"{source}{examples}{negatives}",
                    )
                )  # fmt: skip
    return pd.concat(cells, ignore_index=True)


def test_a_factorial_tells_what_examples_and_negatives_change(rng):
    table = by_factor(factorial(rng, by_examples=5, by_negatives=8))
    assert table["factor"].unique().tolist() == ["source_examples", "negative_examples", "source"]
    rows = table.set_index(["factor", "level"])
    assert rows.loc[("source_examples", "6000"), ["cells", "pairs", "against"]].tolist() == [4, 4, "600"]
    assert rows.loc[("source_examples", "6000"), "difference"] == pytest.approx(-10, abs=1)
    assert rows.loc[("negative_examples", "500"), "difference"] == pytest.approx(8, abs=1)
    assert rows.loc[("negative_examples", "500"), "difference_low"] > 0
    assert rows.loc[("source", "comedian"), "difference"] == pytest.approx(0, abs=1)
    assert set(table["behavior"]) == {"misalignment"}


def test_a_grid_of_sources_is_no_factorial(rng):
    assert by_factor(grid(SOURCES, lambda _, n: normal_pair(rng, 0.5, n))).empty
