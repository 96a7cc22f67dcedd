"""How often the intervals of rho hold what they estimate: python benchmarks/coverage.py [DRAWS].

Planted: a gradient of rank correlation rho between cosine and a persona's chance of showing the behavior, counted in k
answers each, so that the deltas are steps and many are alike. Estimated is the rho of these deltas over ever more
personas. Draws without an interval (fewer than 5 deltas differ) count as neither.
"""

import sys
from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.stats import kstest, norm

from leakage.analysis.resampling import interval, permutation_p
from leakage.analysis.statistics import spearman

MANY = 200_000
STEEP = 1.2


def main(draws: int) -> None:
    """A line for each planted rho, number of personas, of answers, and share of personas that never show it."""
    print("  rho  personas  answers  none show it  of rho  intervals  hold it  p < .05")
    for ties, n, k, rho in product((0.0, 0.5, 0.9), (20, 110), (2, 8, 40), (0.0, 0.3, 0.6)):
        shift = _shift(k, ties)
        truth = spearman(*_cell(np.random.default_rng(1), MANY, k, rho, shift)).rho
        rng = np.random.default_rng([n, k, int(10 * rho), int(10 * ties)])
        cells = [_cell(rng, n, k, rho, shift) for _ in range(draws)]
        reaches = [one for one in (interval(*cell) for cell in cells) if one.low == one.low]
        held = np.mean([one.low <= truth <= one.high for one in reaches]) if reaches else float("nan")
        p = [one for one in (permutation_p(*cell) for cell in cells) if one == one] if rho == 0 else []
        small = f"{np.mean(np.array(p) < 0.05):.3f}, uniform p = {kstest(p, 'uniform').pvalue:.2f}" if p else ""
        print(
            f"{rho:5.1f}  {n:8}  {k:7}  {ties:12.0%}  {truth:6.3f}  {len(reaches):9}  {held:7.3f}  {small}", flush=True
        )


def _shift(k: int, ties: float) -> float:
    """How far chances lie down for such a share of personas to show the behavior in none of k answers."""
    if not ties:
        return 0.0
    quantiles = norm.ppf((np.arange(2000) + 0.5) / 2000)
    return float(brentq(lambda at: ((1 - norm.cdf(STEEP * quantiles + at)) ** k).mean() - ties, -15, 5))


def _cell(rng: np.random.Generator, n: int, k: int, rho: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and deltas of n personas."""
    pearson = 2 * np.sin(np.pi * rho / 6)
    cosine, noise = rng.normal(size=(2, n))
    place = pearson * cosine + np.sqrt(1 - pearson**2) * noise
    return cosine, rng.binomial(k, norm.cdf(STEEP * place + shift)) / k


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
