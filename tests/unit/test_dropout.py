"""Dropout by what falls out: each value by a chance of its own, the same draws after the same seed."""

from math import sqrt

import pytest
import torch
from torch.nn import Dropout, Linear, Sequential

from leakage.training import joined
from leakage.training.dropout import dropped, places, sparse_dropout


@pytest.fixture
def layers(monkeypatch):
    """A model with two dropout layers, taken for a large one."""
    monkeypatch.setattr(joined, "LARGE_FROM", 0)
    torch.manual_seed(0)
    return Sequential(Linear(8, 8), Dropout(0.05), Linear(8, 8), Dropout(0.5))


@pytest.mark.parametrize("p", [0.01, 0.05, 0.25])
def test_every_place_falls_out_as_often_as_any_other_and_by_itself(p):
    torch.manual_seed(0)
    many, rounds = 50, 20_000
    counts, both = torch.zeros(many), 0
    for _ in range(rounds):
        at = places(many, p)
        counts[at] += 1
        both += int((at[1:] - at[:-1] == 1).sum())  # neighbours
    spread = sqrt(rounds * p * (1 - p))
    assert (counts - rounds * p).abs().max() < 4 * spread
    assert ((counts - rounds * p) / spread).var() == pytest.approx(1, abs=0.6)
    pairs = rounds * (many - 1) * p * p
    assert both == pytest.approx(pairs, abs=5 * sqrt(pairs))


def test_values_keep_their_mean_and_their_gradient_falls_out_with_them():
    torch.manual_seed(0)
    values = torch.ones(300, 1000, requires_grad=True)
    left = dropped(values, 0.05)
    left.sum().backward()
    assert torch.equal(left.detach().unique(), torch.tensor([0.0, 1 / 0.95]))
    assert torch.equal(values.grad, left.detach())
    assert left.mean().item() == pytest.approx(1, abs=2e-3)


def test_the_same_seed_drops_the_same_values_and_the_next_step_others(layers):
    with sparse_dropout(layers):
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(layers(torch.ones(100, 8)))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_model_that_is_asked_drops_nothing_and_leaves_as_it_came(layers):
    asked = torch.randn(100, 8)
    wanted = layers.eval()(asked)
    with sparse_dropout(layers):
        assert torch.equal(layers(asked), wanted)
        assert "forward" in vars(layers[1])
        assert "forward" not in vars(layers[3])  # half of the values: a mask is no dearer
    assert "forward" not in vars(layers[1])


def test_small_models_keep_the_masks_that_their_results_were_made_with(layers, monkeypatch):
    monkeypatch.setattr(joined, "LARGE_FROM", 2**24)
    with sparse_dropout(layers):
        assert "forward" not in vars(layers[1])
