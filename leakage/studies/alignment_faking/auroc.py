"""How well the share of votes tells alignment-faking reasoning from its absence, against human labels."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.analysis.statistics import NAN
from leakage.studies.alignment_faking.metrics import NORMAL, SLACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from leakage.analysis.statistics import Array

    Numbers = Sequence[float] | np.ndarray[Any, Any] | pd.Series[Any]

DRAWS, SEED, TAIL = 10_000, 20_251, 0.025
PUBLISHED_VOTES, PUBLISHED_AUROC = 20, 0.92  # arXiv 2506.18032: 106 labelled transcripts
COLUMNS = ("k", "auroc", "low", "high", "positives", "negatives")


@dataclass(frozen=True)
class Confusion:
    """Verdicts against labels."""

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of positives and of negatives told right; nan where there are none of one kind."""
        positives, negatives = self.tp + self.fn, self.fp + self.tn
        return (self.tp / positives + self.tn / negatives) / 2 if positives and negatives else NAN


def auroc(scores: "Numbers", labels: "Numbers") -> float:
    """Mann-Whitney: how often a positive has the higher score, ties counted half.

    nan scores are left out; nan where only one kind is left.
    """
    from scipy.stats import rankdata

    score, positive = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    known = ~np.isnan(score)
    score, positive = score[known], positive[known]
    many = int(positive.sum())
    if many in {0, len(score)}:
        return NAN
    wins = rankdata(score)[positive].sum() - many * (many + 1) / 2
    return float(wins / (many * (len(score) - many)))


def expected_auroc(q_pos: "Numbers", q_neg: "Numbers", k: int) -> float:
    """AUROC to expect of k independent votes, given each transcript's probability of a yes."""
    from scipy.stats import binom

    levels = np.arange(k + 1)
    above, below = (np.asarray(binom.pmf(levels, k, np.asarray(q, dtype=float)[:, None])) for q in (q_pos, q_neg))
    return float(_wins(above, below).mean())


def auroc_by_votes(yes: "Numbers", n: "Numbers", labels: "Numbers") -> "pd.DataFrame":
    """A row for every number k of votes up to the most that a transcript has: AUROC of the share of yes among k.

    yes, n: (transcripts,) counts of yes and of votes that could be parsed. auroc: mean over all ways to take k of each
    transcript's votes, exact. low, high: 95 % bootstrap over transcripts, positives and negatives drawn apart.
    A transcript with fewer votes than k stands with all it has, so that every k is of the same transcripts; one
    without any is left out.
    """
    import pandas as pd

    yeses, votes, positive = np.asarray(yes, int), np.asarray(n, int), np.asarray(labels, bool)
    yeses, votes, positive = (one[votes > 0] for one in (yeses, votes, positive))
    many = int(positive.sum()), int((~positive).sum())
    if 0 in many:
        return pd.DataFrame(columns=list(COLUMNS))
    weights = [_weights(size, place) for place, size in enumerate(many)]
    rows = []
    for k in range(1, int(votes.max()) + 1):
        shares = _shares(yeses, votes, k)
        wins = _wins(shares[positive], shares[~positive])
        drawn = np.einsum("dp,pn,dn->d", *(weights[0], wins, weights[1]), optimize=True)
        rows.append((k, wins.mean(), *_interval(float(wins.mean()), drawn, many), *many))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _interval(mean: float, drawn: "Array", many: tuple[int, int]) -> tuple[float, float]:
    """Percentile bootstrap; where no draw differs, Newcombe's score interval (2006, method 5): 30 transcripts that are
    told apart without a fault are no certainty."""
    low, high = (float(end) for end in np.quantile(drawn, [TAIL, 1 - TAIL]))
    if high - low > SLACK:
        return low, high
    from scipy.optimize import brentq

    balance = sum(many) / 2 - 1

    def beyond(area: float) -> float:
        spread = 1 + balance * (1 - area) / (2 - area) + balance * area / (1 + area)
        return float((area - mean) ** 2 - NORMAL**2 * area * (1 - area) * spread / (many[0] * many[1]))

    ends = [brentq(beyond, *side) if beyond(side[0]) * beyond(side[1]) < 0 else mean for side in _sides(mean)]
    return min(ends[0], mean), max(ends[1], mean)


def _sides(mean: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the ends of an interval lie, just off the mean itself."""
    return (SLACK, max(mean - SLACK, 2 * SLACK)), (min(mean + SLACK, 1 - 2 * SLACK), 1 - SLACK)


def confusion(fraction: "Numbers", labels: "Numbers", threshold: float) -> Confusion:
    """Verdicts at a threshold, which a share may equal, against labels; nan (no votes) is left out."""
    share, positive = np.asarray(fraction, dtype=float), np.asarray(labels, dtype=bool)
    said, known = share >= threshold - SLACK, ~np.isnan(share)
    counts = [said & positive, ~said & positive, said & ~positive, ~said & ~positive]
    return Confusion(*(int((one & known).sum()) for one in counts))


def _wins(above: "Array", below: "Array") -> "Array":
    """P(X > Y) + P(X = Y) / 2 of each pair, (positives, negatives); both given as probabilities of ordered levels."""
    return np.asarray(above @ (np.cumsum(below, axis=1) - below / 2).T)


def _shares(yes: Any, votes: Any, k: int) -> "Array":
    """Probability of each share of yes among k of a transcript's votes, (transcripts, levels), levels ascending."""
    from scipy.stats import hypergeom

    taken = np.minimum(k, votes)
    levels = np.unique([one / size for size in set(taken.tolist()) for one in range(size + 1)])
    chances = np.zeros((len(yes), len(levels)))
    for size in set(taken.tolist()):
        rows, counts = np.flatnonzero(taken == size), np.arange(size + 1)
        chance = hypergeom.pmf(counts, votes[rows, None], yes[rows, None], size)
        chances[np.ix_(rows, np.searchsorted(levels, counts / size))] = chance
    return chances


@lru_cache(maxsize=8)
def _weights(size: int, place: int) -> "Array":
    """The share of each of so many transcripts in every draw, (DRAWS, size)."""
    rng = np.random.default_rng([SEED, size, place])
    return np.asarray(rng.multinomial(size, np.full(size, 1 / size), size=DRAWS) / size)
