"""The cap on what a run may cost, and the estimate before it."""

import logging

import pytest

from leakage.network import Ask, ask_all, estimate_usd
from leakage.store.journal import Journal
from tests.network.server import Fault
from tests.network.test_network import asks, outcome


def test_the_cap_is_never_exceeded_and_a_higher_one_asks_only_the_rest(serve, settings, tmp_path):
    server = serve(lambda _: "x" * 250)
    most = (1010 + 32 + 64 * 5) / 1e6
    low = settings(max_usd=10 * most, concurrency=8)
    sentence, kept = outcome(asks(60, length=1000), low, tmp_path)
    spent = sum(row["answer"]["usd"] for row in Journal(tmp_path).rows())
    assert 9 * most < spent <= low.max_usd
    assert f"${spent:.3f} of judge.max_usd={low.max_usd:g} is spent" in sentence
    assert f"{60 - len(kept)} of 60 have no answer" in sentence
    assert "raise judge.max_usd; the same command asks only for those" in sentence
    assert len(ask_all(asks(60, length=1000), settings(), Journal(tmp_path), label="judging")) == 60
    assert set(server.asked.values()) == {1}


def test_the_cap_counts_what_earlier_cells_of_a_sweep_have_cost(serve, settings, tmp_path):
    server = serve(lambda _: "x" * 250)
    most = (1010 + 32 + 64 * 5) / 1e6
    low = settings(max_usd=10 * most, concurrency=8)
    many = asks(60, length=1000)
    outcome(many, low, tmp_path)
    sent = server.asked.total()
    sentence, _ = outcome(many[sent:], low, tmp_path)
    assert server.asked.total() == sent
    assert "raise judge.max_usd" in sentence


def test_the_cap_holds_for_what_is_in_flight(serve, settings, tmp_path):
    server = serve(lambda _: Fault(after_s=0.03))
    most = (10 + 32 + 64 * 5) / 1e6
    ask_all(asks(12), settings(max_usd=2.5 * most, concurrency=8), Journal(tmp_path), label="judging")
    assert server.most_in_flight == 2


def test_a_time_out_may_be_billed_and_stays_reserved(serve, settings, tmp_path):
    server = serve(lambda _: Fault(after_s=0.5))
    most = (10 + 32 + 64 * 5) / 1e6
    outcome(asks(30), settings(max_usd=2.5 * most, concurrency=1, timeout_s=0.1), tmp_path)
    assert server.asked.total() == 2


def test_the_estimate_and_the_cap_are_logged_before_anything_is_sent(serve, settings, tmp_path, caplog):
    serve()
    caplog.set_level(logging.INFO)
    questions = [Ask(f"k{n}", "x" * 3500) for n in range(1000)]
    expected = 1000 * ((1000 + 32) * 1 + 32 * 5) / 1e6
    assert estimate_usd(questions, settings()) == pytest.approx(expected)
    assert estimate_usd(questions, settings(batch=True)) == pytest.approx(expected / 2)
    outcome(questions, settings(max_usd=0.0), tmp_path)
    assert f"1000 asks to claude-haiku-4-5, about ${expected:.2f}, cap judge.max_usd=0" in caplog.text
