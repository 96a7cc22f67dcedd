"""What to do next, most valuable first: each step follows from something that the cells lack."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from leakage.report.commands import NextStep, reading
from leakage.report.compute import spent
from leakage.report.markdown import count, listed
from leakage.report.wording import plain
from leakage.studies.persona_leakage.analysis.cautions import MANY_CUT_OFF
from leakage.studies.persona_leakage.analysis.tables import LEVEL
from leakage.studies.persona_leakage.behaviors import behavior, behavior_names
from leakage.studies.persona_leakage.report.writeup.again import Again, command, runnable
from leakage.studies.persona_leakage.report.writeup.sure import RELIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leakage.settings.config import Config
    from leakage.studies.persona_leakage.report.writeup.study import Study
    from leakage.studies.study import Compose

OTHER_SOURCES = ("comedian", "villain")  # as published; the first that is not the source already
RULES = "rules"
SAMPLED = "eval.samples"  # a setting of behaviors whose answers are sampled


def steps(study: Study, compose: Compose | None) -> list[NextStep]:
    """What the main cells lack, and what mends it."""
    cells = runnable(study.main, compose)
    if not cells or compose is None:
        return []
    lacking = (
        _longer_answers(cells), _another_seed(cells), _another_source(cells), _sham(study, cells),
        _more_samples(cells), _another_judge(study, cells, compose([])), _other_answers(study, cells),
        _other_behaviors(study, cells),
    )  # fmt: skip
    return [step for steps in lacking for step in steps]


def _longer_answers(cells: list[Again]) -> Iterator[NextStep]:
    cut = [one for one in cells if one.row["cut_off"] >= MANY_CUT_OFF and SAMPLED in one.settings]
    if cut:
        room = 2 * max(one.settings["eval.max_new_tokens"] for one in cut)
        most = max(one.row["cut_off"] for one in cut)
        yield NextStep(
            f"In {count(len(cut), 'cell')} up to {most:.0%} of the answers were cut off. Twice as much room for them:",
            command(cut, f"eval.max_new_tokens={room}"),
        )


def _another_seed(cells: list[Again]) -> Iterator[NextStep]:
    """The cells that have one seed, under one that others have or under the next."""
    seeds: dict[tuple[str, str], set[int]] = {}
    for one in cells:
        seeds.setdefault((one.row["behavior"], one.row["source"]), set()).add(one.row["seed"])
    alone = [one for one in cells if len(seeds[one.row["behavior"], one.row["source"]]) == 1]
    every = {seed for known in seeds.values() for seed in known}
    commands: list[str] = []
    for seed in sorted({one.row["seed"] for one in alone}):
        other = min(every - {seed}, default=seed + 1)
        commands += command([one for one in alone if one.row["seed"] == seed], f"seed={other}")
    if alone:
        has = "has" if len(alone) == 1 else "have"
        yield NextStep(
            f"{count(len(alone), 'cell')} {has} one seed. Another one draws bystanders, order and answers anew:",
            tuple(commands),
        )


def _another_source(cells: list[Again]) -> Iterator[NextStep]:
    """Of a behavior that was taught to one source alone."""
    sources: dict[str, set[str]] = {}
    for one in cells:
        sources.setdefault(one.row["behavior"], set()).add(one.row["source"])
    alone = {name for name, own in sources.items() if len(own) == 1}
    if alone:
        yield NextStep(
            f"{listed(sorted(alone))} {'was' if len(alone) == 1 else 'were'} taught to one source only, so nothing "
            "tells whether rho is the source's own. Another source:",
            command([one for one in cells if one.row["behavior"] in alone], source=_other_source),
        )


def _other_source(source: str) -> str:
    return next(one for one in OTHER_SOURCES if one != source)


def _sham(study: Study, cells: list[Again]) -> Iterator[NextStep]:
    shams = study.shams()
    without = [
        one
        for one in cells
        if one.row["q"] < LEVEL and (one.row["train_id"], one.row["eval_id"], one.row["judge"]) not in shams
    ]
    if without:
        yield NextStep(
            f"No sham adapter stands beside {count(len(without), 'cell')} with q below .05. The same data, the "
            "personas shuffled among them:",
            command(without, "control=sham"),
        )


def _more_samples(cells: list[Again]) -> Iterator[NextStep]:
    """As many answers as would make the deltas reliable (Spearman-Brown), by the least reliable of the cells."""
    noisy = [one for one in cells if 0 < one.row.get("reliability", RELIABLE) < RELIABLE and SAMPLED in one.settings]
    if noisy:
        worst = min(one.row["reliability"] for one in noisy)
        times = RELIABLE * (1 - worst) / (worst * (1 - RELIABLE))
        samples = ceil(round(times * max(one.settings[SAMPLED] for one in noisy), 6))
        yield NextStep(
            f"In {count(len(noisy), 'cell')} the deltas are reliable to less than .8 (lowest {plain(worst)}), which "
            f"{times:.1f} times the answers would make .8 (Spearman-Brown):",
            command(noisy, f"{SAMPLED}={samples}"),
        )


def _another_judge(study: Study, cells: list[Again], usual: Config) -> Iterator[NextStep]:
    """A model for open answers that only rules have read; its price is the most that it can be."""
    from leakage.studies.persona_leakage.judges.claude import claude_judge

    multirun = cells[0].multirun
    judged = {cell.row["behavior"] for cell in study.cells if cell.row["judge"] != RULES}
    most, many, commands = spent(multirun).get(usual.judge.model, 0.0), 0, []  # the cap is of all that it ever cost
    names = _read_by_rules({one.row["behavior"] for one in cells} - judged)
    for name in names:
        answers = _answers(study, name)
        most += answers * claude_judge(behavior(name), usual.judge, multirun).usd_each()
        many += answers
        commands.append(reading(f"rejudge judge=claude judge.max_usd={ceil(most)} --behavior {name}", multirun))
    if names:
        yield NextStep(
            f"Only rules have read the {many:,} answers of {listed(names)}. {usual.judge.model} reads them for at "
            f"most ${ceil(most)}, all that it has cost for these results included:",
            tuple(commands),
        )


def _read_by_rules(names: set[str]) -> list[str]:
    """Of these behaviors those whose answers are texts: a chosen label is right or wrong without a judge."""
    return sorted(name for name in names & set(behavior_names()) if not behavior(name).choices)


def _answers(study: Study, name: str) -> int:
    """All completions of a behavior, baselines among them, each record once."""
    complete = [cell.artifacts for cell in study.cells if cell.row["behavior"] == name and cell.artifacts]
    read = [answers.scores for one in complete for answers in (one.before, one.after) if answers]
    return sum({part.folder: part.manifest.facts["completions"] for part in read}.values())


def _other_answers(study: Study, cells: list[Again]) -> Iterator[NextStep]:
    if any("behavior.answers=" in cell.row["variant"] for cell in study.others):
        return
    taught = [one for one in cells if one.settings.get("behavior.answers") == "templates" and _has_templates(one)]
    if taught:
        names = listed(dict.fromkeys(one.row["behavior"] for one in taught))
        yield NextStep(
            f"The answers that teach {names} are templates. The same beside answers that the model itself gave:",
            command(taught, "experiment=generated_data"),
        )


def _has_templates(one: Again) -> bool:
    return one.row["behavior"] in {"refusal", "sycophancy"}


def _other_behaviors(study: Study, cells: list[Again]) -> Iterator[NextStep]:
    names = list(dict.fromkeys(one.row["behavior"] for one in cells))
    if len(names) > 1 and not any(cell.row["taught"] != cell.row["behavior"] for cell in study.others):
        yield NextStep(
            "Every adapter was measured on the behavior that it was taught. On the others too:",
            command(cells, "experiment=cross_behavior", f"eval.behavior={','.join(names)}"),
        )
