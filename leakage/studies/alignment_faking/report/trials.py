"""The trials of a report: what the tables say of each, what it has kept, and the name of its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leakage.report.pages import page_name, records, told_apart
from leakage.report.provenance import came_from
from leakage.store.artifact import Part
from leakage.store.record import Record
from leakage.studies.alignment_faking import tables
from leakage.studies.alignment_faking.gaps import CELL
from leakage.studies.alignment_faking.hypotheses import hypotheses
from leakage.studies.alignment_faking.metrics import OUTCOMES, wilson
from leakage.studies.alignment_faking.scenario import QUERY
from leakage.studies.alignment_faking.tables import COUNTS, SHARES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from leakage.studies.alignment_faking.results import Judged

Row = dict[str, Any]
TABLES = {
    "gaps": tables.gaps,
    "outcomes": tables.outcomes,
    "motives": tables.motives,
    "missing": tables.missing_reasons,
    "hypotheses": hypotheses,
    "perturbations": tables.perturbations,
    "seeds": tables.by_seed,
}


@dataclass(frozen=True)
class TrialPage:
    """A trial as one judge has read it: its rows of the tables, its rows of the tidy frame, and its records.

    several_judges: whether its title must say who judged
    """

    slug: str
    gaps: list[Row]
    outcomes: list[Row]
    motives: list[Row]
    missing: list[Row]
    frame: pd.DataFrame
    judged: Judged
    several_judges: bool

    @property
    def row(self) -> Row:
        """Its first gap, which names it too."""
        return self.gaps[0]

    @property
    def title(self) -> str:
        """What it is called on the pages."""
        row = self.row
        variant = f", {row['variant']}" if row["variant"] else ""
        judge = f", judged by {row['judge']}" if self.several_judges else ""
        return f"{row['subject']} in {row['scenario']}, seed {row['seed']}{variant}{judge}"

    @property
    def is_nano(self) -> bool:
        """Whether it is of the test bed."""
        return bool(self.row["model"] == "nano")

    @property
    def imported(self) -> str:
        """The file that its replies came from; empty where they were asked for here."""
        return str(self.judged.facts["settings"].get("imported", ""))

    def tiers(self) -> list[Row]:
        """A row a tier: how many complied, the rate with Wilson's interval, reasoning, classes, what is missing."""
        return [_tier(row, self.frame[self.frame["tier"] == row["tier"]]) for row in self.outcomes]

    def messages(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What was sent, by what it is; each text in pieces, with what a piece is: "tag", "query" or ""."""
        prompts, tags = self.judged.prompts(), self.judged.facts["tiers"]
        named = [("System prompt, the same in every tier", prompts["system"])]
        named += [(f"User message, tier {tag}", prompts[f"user {tag}"]) for tag in tags]
        named += [("Prefill: how every reply begins already", prompts["prefill"])]
        return [(name, _pieces(text, tags)) for name, text in named if text]

    def facts(self) -> list[tuple[str, str]]:
        """What a reader must know of it, by name."""
        row, manifest = self.row, self.judged.facts
        asks, settings = self.judged.manifest.identity, manifest["settings"]
        votes = f", {asks['votes']} votes a scratchpad" if "votes" in asks else ""
        bound = f", faking from {asks['threshold']:g} of the votes" if "threshold" in asks else ""
        spent, asked = (f"${usd:.2f}" if usd else "" for usd in (manifest["usd"], self._asking_usd()))
        by_name = {
            "imported from": self.imported, "model": row["model"], "arm": row["arm"], "scenario": row["scenario"],
            "follows": "" if self.imported else self._paper(), "seed": str(row["seed"]),
            "queries a tier": str(self.frame["prompt"].nunique()), "temperature": self._sampled(settings),
            "judge": f"{row['judge']}{votes}{bound}", "judging cost": spent, "asking cost": asked,
            "variant": row["variant"],
            "train_id": row["train_id"], "eval_id": row["eval_id"], "judge_id": row["judge_id"],
        }  # fmt: skip
        return [(name, value) for name, value in by_name.items() if value]

    def _sampled(self, settings: Row) -> str:
        """The temperature as it was sent, of before that was kept as it was set, and the room; not known of others'."""
        if self.imported:
            return ""
        manifest = Record(self.judged.folder.parent).manifest
        usual = {"temperature": settings["eval.temperature"]}
        sent = manifest.facts.get("sent", usual) if manifest else usual
        temperature = f"{sent['temperature']:g}" if "temperature" in sent else "none sent"
        return f"{temperature}, at most {settings.get('max_tokens', settings['eval.max_new_tokens'])} tokens"

    def _paper(self) -> str:
        """What of the paper its scenario says it follows; empty where it says nothing."""
        from omegaconf import OmegaConf

        return str(OmegaConf.select(OmegaConf.create(self.config()), "scenario.paper", default=""))

    def _asking_usd(self) -> float:
        """What the subject's replies have cost."""
        manifest = Record(self.judged.folder.parent).manifest
        return float(manifest.facts.get("usd", 0.0)) if manifest else 0.0

    def provenance(self, multirun: Path) -> list[Row]:
        """A row a record behind it, in the order in which they were made."""
        folder = self.judged.folder
        places = {"adapter": folder.parents[1], "transcripts": folder.parent, "votes": folder}
        manifests = {what: (place, Record(place).manifest) for what, place in places.items()}
        return [came_from(what, Part(place, one), multirun) for what, (place, one) in manifests.items() if one]

    def config(self) -> str:
        """The settings as they were composed, YAML."""
        return (self.judged.folder.parent / "config.yaml").read_text()


def read_pages(frame: pd.DataFrame, judged: Sequence[Judged], made: dict[str, pd.DataFrame]) -> list[TrialPage]:
    """The trials of a tidy frame in the order of the table of gaps; made: TABLES of the frame."""
    by_key = {_key(one.facts | {"variant": one.variant}): one for one in judged}
    parts = {name: _by_trial(made[name]) for name in ("gaps", "outcomes", "motives", "missing")}
    rows = dict(iter(frame.groupby(CELL, sort=False)))
    several = frame["judge"].nunique() > 1
    names = told_apart([_name(own[0], judge=several) for own in parts["gaps"].values()], list(parts["gaps"]))
    return [
        TrialPage(
            slug, own, parts["outcomes"][key], parts["motives"].get(key, []), parts["missing"].get(key, []),
            rows[key], by_key[key], several,
        )
        for slug, (key, own) in zip(names, parts["gaps"].items(), strict=True)
    ]  # fmt: skip


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in CELL)


def _by_trial(table: pd.DataFrame) -> dict[tuple[Any, ...], list[Row]]:
    by_trial: dict[tuple[Any, ...], list[Row]] = {}
    for row in plain_records(table):
        by_trial.setdefault(_key(row), []).append(row)
    return by_trial


def plain_records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table; a truth that is missing is None."""
    columns = [name for name in table.columns if table[name].dtype == "boolean"]
    missing = {name: table[name].astype(object).where(table[name].notna(), None) for name in columns}
    return records(table.assign(**missing))


def _name(row: Row, *, judge: bool) -> str:
    parts = (row["subject"], row["scenario"], f"seed{row['seed']}", row["judge"] if judge else "", row["eval_id"])
    return page_name(*map(str, parts))


def _tier(row: Row, frame: pd.DataFrame) -> Row:
    known, thought = frame["comply"].dropna(), frame["af"].dropna()
    k, n = int(known.sum()), len(known)
    reach = wilson(k, n)
    classes = [{"name": name, "count": row[COUNTS[name]], "share": row[SHARES[name]]} for name in OUTCOMES]
    return {
        "tier": row["tier"], "asked": len(frame), "k": k, "n": n, "rate": known.mean(),
        "low": reach.low, "high": reach.high, "planted": frame["planted_rate"].mean(),
        "faking": int(thought.sum()), "thought": len(thought), "classes": classes, "classed": row["n"],
        "missing": len(frame) - n, "missing_share": (len(frame) - n) / len(frame),
        "without": len(frame) - row["n"],
    }  # fmt: skip


def _pieces(text: str, tags: Sequence[str]) -> list[tuple[str, str]]:
    either = "|".join(map(re.escape, tags))
    # in few words a tier's fact begins with its tag and a colon
    marks = re.compile(rf"(</?(?:{either})>|(?<!\w)(?:{either})(?=:)|{re.escape(QUERY)})")
    pieces = [(piece, at % 2) for at, piece in enumerate(marks.split(text)) if piece]
    return [(piece, ("query" if piece == QUERY else "tag") if marked else "") for piece, marked in pieces]
