"""All pairs of a behavior together: what is planted between source and persona is told from what each does alone."""

import numpy as np
import pytest

from leakage.studies.persona_leakage.analysis.pooled import pooled, without_means
from tests.unit.frames import grid

SOURCES = ("villain", "comedian", "spy", "pirate")


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def planted(rng, *, of_source=0.0, of_persona=0.0, between=0.0, n=40):
    """Cosines and deltas that share what a source does to all, what befalls a persona, or what is between the two."""
    shared = rng.normal(size=n)

    def draw(place, n):
        own, bias = rng.normal(size=n), 3.0 * place
        cosine = of_source * bias + of_persona * shared + own
        delta = of_source * bias + of_persona * shared + between * own + rng.normal(size=n)
        return cosine, delta

    return pooled(grid(SOURCES, draw, n=n)).iloc[0]


def test_a_gradient_between_source_and_persona_is_left_by_every_removal(rng):
    row = planted(rng, between=1.0)
    assert (row["sources"], row["pairs"]) == (4, 160)
    assert min(row["rho"], row["rho_within"], row["rho_double"]) > 0.5
    assert max(row["p"], row["p_within"], row["p_double"]) == 0.001


def test_sources_that_leak_to_all_are_no_gradient_within(rng):
    row = planted(rng, of_source=1.0)
    assert row["rho"] > 0.6
    assert abs(row["rho_within"]) < 0.25
    assert row["p_within"] > 0.05


def test_personas_that_change_under_every_source_are_no_gradient_between(rng):
    row = planted(rng, of_persona=2.0)
    assert row["rho_within"] > 0.6
    assert abs(row["rho_double"]) < 0.25
    assert row["p_double"] > 0.05


def test_p_is_uniform_where_nothing_is_planted_but_what_personas_share(rng):
    """Pairs of one persona are alike, so that pairs shuffled one by one would find a gradient far too often."""
    p = [pooled(_one_sided(rng))["p"].item() for _ in range(40)]
    assert np.mean(np.array(p) < 0.05) <= 0.15


def _one_sided(rng):
    """Deltas that are a persona's own, and cosines that are another thing of hers."""
    delta, cosine = rng.normal(size=(2, 20))
    return grid(SOURCES[:3], lambda _, n: (cosine + 0.1 * rng.normal(size=n), delta + 0.1 * rng.normal(size=n)), n=20)


def test_means_are_removed_where_entries_are_missing():
    table = np.add.outer(np.arange(4.0), np.array([0.0, 10.0, 20.0]))
    table[1, 2] = np.nan
    left = without_means(table, (0, 1))
    assert np.isnan(left[1, 2])
    assert np.nanmax(np.abs(left)) < 1e-6
