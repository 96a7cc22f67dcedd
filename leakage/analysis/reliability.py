"""How much of the differences between personas is more than the noise of a few answers each.

With few answers rho does not only spread, it shrinks: two noisy halves of the same deltas disagree as well. Spearman
(1904) divides by the root of what they agree in. Halves are drawn from counts, so that no answer need be read again.
"""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from leakage.analysis.statistics import NAN

if TYPE_CHECKING:
    from leakage.analysis.statistics import Array

SPLITS, SEED = 100, 20_261
LEAST = 0.1  # of reliability: below it a corrected rho is noise divided by noise


@dataclass(frozen=True)
class Answers:
    """Of each persona how many answers counted (n), their mean and standard deviation (n - 1), in one unit.

    hits: the mean is of hits of n, so that halves are counts as well; each array (personas,)
    """

    n: "Array"
    mean: "Array"
    sd: "Array"
    hits: bool

    def halves(self, rng: np.random.Generator) -> "tuple[Array, Array]":
        """The means of two random halves of the answers, SPLITS times: twice (SPLITS, personas)."""
        shape = (SPLITS, len(self.n))
        if not self.hits:  # given their mean, halves lie as far above it as below, by about this much
            apart = self.sd / np.sqrt(self.n) * rng.standard_normal(shape)
            return self.mean + apart, self.mean - apart
        n, k = self.n.astype(int), np.rint(self.n * self.mean).astype(int)
        first = rng.hypergeometric(k, n - k, n // 2, size=shape)
        return first / (n // 2), (k - first) / (n - n // 2)

    def error(self) -> "Array":
        """Variance of each mean from one set of answers to the next, (personas,)."""
        spread = self.mean * (1 - self.mean) * self.n / (self.n - 1) if self.hits else self.sd**2
        return np.asarray(spread / self.n)


def split_half(before: Answers, after: Answers) -> float:
    """Reliability of the order of the deltas: Spearman's rho of two halves of the answers, stepped up to all of them
    (Spearman-Brown), mean over SPLITS; from 0 to 1, nan where a persona has one answer or all deltas are alike.

    Answers before and after are taken as drawn apart, and each as of any prompt: where prompts differ much, or the same
    questions are answered twice, it is a lower bound.
    """
    if not _can_be_split(before, after) or not np.ptp(after.mean - before.mean):
        return NAN
    rng = np.random.default_rng([SEED, len(after.n)])
    early, late = before.halves(rng), after.halves(rng)
    return _stepped_up(late[0] - early[0], late[1] - early[1])


def split_prompts(changes: "Array") -> float:
    """The same from the changes under each prompt, (personas, prompts): halves of the prompts, alike for everyone."""
    n, prompts = changes.shape
    if n < 3 or not np.ptp(np.nanmean(changes, axis=1)):
        return NAN
    rng, there = np.random.default_rng([SEED, prompts]), ~np.isnan(changes)
    first = rng.permuted(np.tile(np.arange(prompts) < prompts // 2, (SPLITS, 1)), axis=1).astype(float)
    sums, counts = ([half @ table.T for half in (first, 1 - first)] for table in (np.nan_to_num(changes), there))
    halves = [
        np.divide(*pair, out=np.zeros_like(pair[0]), where=pair[1] > 0) for pair in zip(sums, counts, strict=True)
    ]
    return _stepped_up(*halves)


def _stepped_up(one: "Array", other: "Array") -> float:
    """Agreement in order of halves, (SPLITS, personas) each, and what it comes to for both together."""
    left, right = (_ranks(half.round(9)) for half in (one, other))
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    products = (left * right).sum(axis=1)
    agreement = float(np.divide(products, scale, out=np.zeros_like(scale), where=scale > 0).mean())
    return max(0.0, 2 * agreement / (1 + agreement))


def binomial(before: Answers, after: Answers) -> float:
    """The same of the deltas themselves: the share of their variance that the noise of so few answers did not make."""
    deltas = after.mean - before.mean
    if not _can_be_split(before, after) or not np.ptp(deltas):
        return NAN
    return float(np.clip(1 - (before.error() + after.error()).mean() / deltas.var(ddof=1), 0, 1))


def corrected(rho: float, reliability: float) -> float:
    """rho without the noise of the deltas, at most 1; nan where there is little but noise."""
    return float(np.clip(rho / sqrt(reliability), -1, 1)) if reliability >= LEAST else NAN


def with_answers(reliability: float, share: float) -> float:
    """The reliability of so many times the answers (Spearman-Brown)."""
    return share * reliability / (1 + (share - 1) * reliability)


def _can_be_split(*answers: Answers) -> bool:
    return len(answers[0].n) >= 3 and all((one.n >= 2).all() and not np.isnan(one.error()).any() for one in answers)


def _ranks(values: "Array") -> "Array":
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=1) - (values.shape[1] + 1) / 2)
