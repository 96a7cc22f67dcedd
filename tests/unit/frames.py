"""Tidy frames with planted answers, in the columns of `store.results`."""

import numpy as np
import pandas as pd

CATEGORIES = ("original", "professional_peer", "opposite", "fictional_exemplar")


def cell(cosine, delta, **told):
    """One cell whose bystanders have these cosines and deltas; the source comes first."""
    n = len(cosine)
    usual = {
        "model": "m", "taught": "refusal", "behavior": "refusal", "source": "villain", "seed": 42, "judge": "rules",
        "variant": "", "train_id": "t", "eval_id": "e", "design": "published", "unit": "rate", "measure": "hits",
        "leak_direction": 1, "headline": "1_raw", "missing": 0, "base_missing": 0, "related_to": "",
        "cut_off": 0.0, "base_cut_off": 0.0, "source_examples": 200, "negative_examples": 500,
        "system": "You are.",
    }  # fmt: skip
    rows = {
        "persona": [told.get("source", "villain"), *(f"persona_{i:03}" for i in range(n))],
        "category": ["original", *(CATEGORIES[i % len(CATEGORIES)] for i in range(n))],
        "is_source": [True, *[False] * n],
        "in_panel": True,
        "trained_negative": [False, *(i < 2 for i in range(n))],
        "shares_word": [False, *(2 <= i < 5 for i in range(n))],
        "cosine": [1.0, *cosine],
        "delta": [0.9, *delta],
    }
    return pd.DataFrame(rows).assign(**usual | told)


def grid(sources, draw, *, n=110, **told):
    """A cell per source; `draw(place, n)` gives the cosines and the deltas of its bystanders."""
    cells = [cell(*draw(place, n), source=source, train_id=f"t{place}", **told) for place, source in enumerate(sources)]
    return pd.concat(cells, ignore_index=True)


def normal_pair(rng, rho, n):
    """Two normal variables of that correlation; their Spearman is 6 / pi asin(rho / 2)."""
    x, noise = rng.normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * noise
