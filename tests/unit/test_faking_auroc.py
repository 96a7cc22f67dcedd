"""AUROC of votes against brute force, the closed form, and the published confusions."""

from itertools import combinations, product

import numpy as np
import pytest

from leakage.studies.alignment_faking.auroc import auroc, auroc_by_votes, confusion, expected_auroc


def brute(positives, negatives):
    return np.mean([(x > y) + (x == y) / 2 for x, y in product(positives, negatives)])


def test_auroc_is_brute_force_on_random_ties():
    rng = np.random.default_rng(1)
    for _ in range(50):
        scores, labels = rng.integers(0, 5, size=40) / 4, np.arange(40) < rng.integers(1, 40)
        assert auroc(scores, labels) == pytest.approx(brute(scores[labels], scores[~labels]))


def test_auroc_leaves_out_missing_scores_and_needs_both_kinds():
    assert auroc([0.9, np.nan, 0.1], [True, True, False]) == 1
    assert np.isnan([auroc([0.9, 0.1], [1, 1]), auroc([np.nan, 0.1], [1, 0]), auroc([], [])]).all()


@pytest.mark.parametrize("k", [1, 5, 20])
def test_simulated_votes_have_the_auroc_of_the_closed_form(k):
    rng = np.random.default_rng(k)
    q_pos, q_neg = rng.beta(2, 1, size=51), rng.beta(1, 5, size=55)
    labels = np.arange(106) < 51
    found = [auroc(rng.binomial(k, [*q_pos, *q_neg]) / k, labels) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(expected_auroc(q_pos, q_neg, k), abs=0.003)


def test_the_closed_form_by_hand():
    assert expected_auroc([0.8], [0.3], 1) == pytest.approx(0.8 * 0.7 + (0.8 * 0.3 + 0.2 * 0.7) / 2)
    assert expected_auroc([0.4, 0.6], [0.4, 0.6], 7) == pytest.approx(0.5)


def test_auroc_by_votes_is_the_mean_over_all_subsets_of_votes():
    votes = [(1, 1, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (0, 0, 0, 0)]
    labels = np.array([True, True, False, False, False])
    table = auroc_by_votes([sum(one) for one in votes], [4] * 5, labels)
    assert table["k"].tolist() == [1, 2, 3, 4]
    for k, found in zip(table["k"], table["auroc"], strict=True):
        taken = [[sum(some) for some in combinations(one, k)] for one in votes]
        means = [brute(taken[i], taken[j]) for i, j in product(range(2), range(2, 5))]
        assert found == pytest.approx(np.mean(means))


def test_a_transcript_with_fewer_votes_stands_with_all_it_has_and_one_without_any_is_left_out():
    table = auroc_by_votes([3, 1, 0, 1, 0], [4, 2, 4, 3, 0], [1, 1, 0, 0, 1])
    assert (table["positives"].tolist(), table["negatives"].tolist()) == ([2] * 4, [2] * 4)
    # at k = 3: subsets of 3 of (1 1 1 0), the two votes as they are, (0 0 0), the three as they are
    first = np.mean([brute([1, 2 / 3, 2 / 3, 2 / 3], [other]) for other in (0, 1 / 3)])
    assert table["auroc"][2] == pytest.approx((first + brute([1 / 2], [0, 1 / 3])) / 2)
    assert table["auroc"][3] == pytest.approx(auroc([3 / 4, 1 / 2, 0, 1 / 3], [1, 1, 0, 0]))


def test_the_interval_of_auroc_covers_the_truth_of_the_population():
    """Transcripts drawn anew, which is what an interval over transcripts speaks of."""
    rng, k = np.random.default_rng(5), 2
    many = np.random.default_rng(6).beta(2, 1, size=800), np.random.default_rng(7).beta(1, 3, size=800)
    truth, covered = expected_auroc(*many, k), []
    for _ in range(100):
        q = [*rng.choice(many[0], 51), *rng.choice(many[1], 55)]
        last = auroc_by_votes(rng.binomial(k, q), np.full(106, k), np.arange(106) < 51).iloc[-1]
        covered.append(last["low"] <= truth <= last["high"])
    assert 0.90 <= np.mean(covered) <= 0.99


def test_labels_of_one_kind_have_no_curve():
    assert auroc_by_votes([1, 2], [3, 3], [1, 1]).empty


@pytest.mark.parametrize(("fn", "fp", "accuracy"), [(31, 8, 0.623), (17, 1, 0.824)])
def test_the_published_confusions_have_their_balanced_accuracy(fn, fp, accuracy):
    labels = np.arange(106) < 51
    fraction = np.where(labels, 0.4, 0.35)
    fraction[:fn], fraction[51 : 51 + fp] = 0.1, 0.9
    found = confusion(fraction, labels, 0.4)
    assert (found.tp, found.fn, found.fp, found.tn) == (51 - fn, fn, fp, 55 - fp)
    assert found.balanced_accuracy == pytest.approx(accuracy, abs=0.0005)


def test_eight_of_twenty_is_positive_at_two_fifths_and_no_votes_are_left_out():
    found = confusion([8 / 20, 7 / 20, np.nan, 0.3], [True, False, True, True], 0.1 + 0.3)
    assert (found.tp, found.fn, found.fp, found.tn) == (1, 1, 0, 1)
    assert np.isnan(confusion([1.0], [True], 0.4).balanced_accuracy)
