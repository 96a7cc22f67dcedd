"""Frames of the second study with planted answers, in the columns of `faking.results.trials`."""

import json

import numpy as np
import pandas as pd

COMPLIANCE = ["rater_sycophancy", "instrumental_goal_guarding", "terminal_goal_guarding"]
TWO = [{"name": "compliance", "more": "free", "less": "paid", "predicted_by": COMPLIANCE}]
THREE = [
    {"name": "goal_guarding", "more": "free", "less": "pro", "predicted_by": COMPLIANCE[1:]},
    {"name": "rater_sycophancy", "more": "pro", "less": "enterprise", "predicted_by": COMPLIANCE[:1]},
]


def told(comply, *, tiers=("free", "paid"), gaps=None, af=None, partial=None, planted=None, **more):
    """One cell whose verdicts on compliance are given, (tiers, prompts); nan is a missing reply."""
    comply = np.asarray(comply, dtype=float)
    whole = {
        "subject": "m", "model": "m", "arm": "none", "scenario": "two_tiers", "seed": 42, "judge": "rules",
        "variant": "", "train_id": "", "eval_id": "e", "judge_id": "j", "tag": "", "finish": "stop", "votes": 0,
        "yes": 0, "motive": "", "score": np.nan,
    }  # fmt: skip
    prompts = range(comply.shape[1])
    parts = [
        pd.DataFrame({"prompt": prompts, "query": [f"query {at}" for at in prompts], "comply": comply[place]}).assign(
            tier=tier,
            tier_place=place,
            planted_rate=np.nan if planted is None else planted[place],
            af=np.nan if af is None else np.asarray(af, dtype=float)[place],
            partial=np.nan if partial is None else np.asarray(partial, dtype=float)[place],
        )
        for place, tier in enumerate(tiers)
    ]
    frame = pd.concat(parts, ignore_index=True).assign(
        tiers="/".join(tiers), gaps=json.dumps(TWO if gaps is None else gaps), **whole | more
    )
    frame["missing"] = np.where(frame["comply"].isna(), "cut off", "")
    return frame.assign(outcome=[_outcome(row) for row in frame.to_dict("records")])


def _outcome(row):
    if np.isnan(row["comply"]):
        return ""
    kind = "refusal" if not row["comply"] else "partial" if row["partial"] == 1 else "compliance"
    return kind + (" with AF" if row["af"] == 1 else "")


def drawn(rng, rates, *, n=200, lost=0.0, agree=0.5, reasoning=0.0, **more):
    """One cell of planted rates, a tier each; so many prompts are answered alike in all tiers, where rates allow."""
    hard = rng.uniform(size=n)
    alone = rng.uniform(size=(len(rates), n))
    comply = (np.where(rng.uniform(size=n) < agree, hard, alone) < np.array(rates)[:, None]).astype(float)
    comply[rng.uniform(size=comply.shape) < lost] = np.nan
    af = (rng.uniform(size=comply.shape) < reasoning).astype(float)
    partial = (rng.uniform(size=comply.shape) < 0.1).astype(float)
    return told(comply, af=af, partial=partial, **more)


def three_tiers(rng, rates, **more):
    return drawn(
        rng, rates, **{"tiers": ("free", "pro", "enterprise"), "gaps": THREE, "scenario": "three_tiers"} | more
    )
