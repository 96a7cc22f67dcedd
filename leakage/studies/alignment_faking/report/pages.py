"""The pages of the second study, made from templates; texts of prompts, replies and judges are escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.report.environment import environment
from leakage.report.pages import records
from leakage.studies.alignment_faking.gaps import ABOVE, BELOW, NONE, UNDEFINED, UNTOLD
from leakage.studies.alignment_faking.metrics import OUTCOMES
from leakage.studies.alignment_faking.printing import rule_in_words
from leakage.studies.alignment_faking.report import wording
from leakage.studies.alignment_faking.report.trials import plain_records
from leakage.studies.alignment_faking.validation import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2
    import pandas as pd

    from leakage.studies.alignment_faking.report.trials import Row, TrialPage

TEMPLATES = Path(__file__).parent / "templates"
FILTERS = ("outcome_mark", "share", "yes_or_no", "by_tier", "known_answer")
FILTERED = ("subject", "scenario", "gap_name", "seed", "judge", "variant", "finding")
TELLING = ("gap_name", "seed", "judge", "variant")  # columns that only tell something where they differ


@cache
def _environment() -> jinja2.Environment:
    filters = {name: getattr(wording, name) for name in FILTERS}
    return environment(TEMPLATES, filters=filters, findings=wording.FINDINGS, outcome_names=OUTCOMES)


def index_page(
    pages: list[TrialPage], made: dict[str, pd.DataFrame], pictures: Sequence[str], validated: Sequence[Row]
) -> str:
    """The first page: every gap, hypotheses, perturbations, seeds, missing replies, judges against labels, pictures."""
    gaps = plain_records(made["gaps"])
    slugs = {page.slug: page for page in pages}
    return _environment().get_template("study.html").render(
        root="", pages=slugs, keys=_telling(gaps), summary=_summary(gaps, made["gaps"]),
        is_nano=any(page.is_nano for page in pages),
        filters={name: values for name in FILTERED if len(values := _values(gaps, name)) > 1},
        hypotheses=_unplanted(records(made["hypotheses"]), gaps), perturbations=records(made["perturbations"]),
        seeds=records(made["seeds"][made["seeds"]["seeds"] > 1]), telling=_telling,
        validated=validated, published=PUBLISHED,
        pictures=[name.removesuffix(".png") for name in pictures if name.endswith(".png")],
    )  # fmt: skip


def trial_page(place: int, pages: list[TrialPage], multirun: Path) -> str:
    """The page of one trial, with links to its neighbours."""
    page = pages[place]
    return _environment().get_template("trial.html").render(
        root="../", page=page, is_nano=page.is_nano, tiers=page.tiers(),
        previous=pages[place - 1] if place else None, next=pages[place + 1] if place + 1 < len(pages) else None,
        provenance=page.provenance(multirun), config=page.config(), config_of="the trial",
        outcomes=_found(page), planted=any(row["planted_gap"] == row["planted_gap"] for row in page.gaps),
    )  # fmt: skip


def _found(page: TrialPage) -> list[str]:
    """What the outcomes of a trial are, for its filter: classes in their order, then why there is none."""
    outcomes = set(page.frame["outcome"]) - {""}
    unclear = (page.frame["outcome"] == "") & (page.frame["missing"] == "")
    without = (page.frame["missing"] != "").any(), unclear.any()
    names = [name for name, there in zip(("missing", "no class"), without, strict=True) if there]
    return [*(name for name in OUTCOMES if name in outcomes), *names]


def _telling(rows: list[Row]) -> list[str]:
    return [name for name in TELLING if len(_values(rows, name)) > 1]


def _values(rows: list[Row], name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows if name in row))


def _unplanted(rows: list[Row], gaps: list[Row]) -> list[Row]:
    """Without the known-answer subjects: why they do what they do is no question."""
    planted = {row["subject"] for row in gaps if row["planted_gap"] == row["planted_gap"]}
    return [row for row in rows if row["subject"] not in planted]


def _summary(gaps: list[Row], made_gaps: pd.DataFrame) -> dict[str, Any]:
    findings = [row["direction"] for row in gaps]
    answers = [known for row in gaps if (known := wording.known_answer(row))]
    return {
        "gaps": len(gaps),
        "trials": wording.count_trials(gaps),
        "more": findings.count(ABOVE),
        "less": findings.count(BELOW),
        "none": findings.count(NONE),
        "undefined": findings.count(UNDEFINED),
        "untold": findings.count(UNTOLD),
        "rule": rule_in_words(made_gaps),
        "planted": len(answers),
        "inside": answers.count("inside"),
    }
