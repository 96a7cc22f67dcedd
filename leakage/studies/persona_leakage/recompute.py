"""What of a record does not follow from what it was made of: for those who were handed results and check them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.data.pools import read_file
from leakage.errors import DataError
from leakage.network import replies_of, stored_answers
from leakage.store.artifact import Part
from leakage.store.files import digest
from leakage.store.record import Record
from leakage.studies.checking import Remark, first_difference, unchecked
from leakage.studies.persona_leakage.behaviors import behavior
from leakage.studies.persona_leakage.files import COMPLETIONS, TRAJECTORY
from leakage.studies.persona_leakage.judges import count
from leakage.studies.persona_leakage.judges.base import KEYS
from leakage.studies.persona_leakage.judges.claude import key_of, prompts_of, verdict_row
from leakage.studies.persona_leakage.judges.rules import choice_judge, rules_judge

if TYPE_CHECKING:
    import pandas as pd

EDITED = "the one or the other was edited"
# facts of a cell, as the identity of its adapter has them
IDENTITY = {"seed": "seed", "source": "source.name", "taught": "behavior.name"}


def recompute(part: Part, multirun: Path) -> Iterator[Remark]:
    """Remarks on one record; nothing for kinds that are the only witness of what they hold."""
    checks: dict[str, Callable[[Part, Path], Iterator[Remark]]] = {
        "adapter": _examples, "completions": _completions, "scores": _scores, "geometry": _geometry,
        "trajectory": _trajectory,
    }  # fmt: skip
    if part.manifest.kind in checks:
        yield from checks[part.manifest.kind](part, multirun)


def _where(part: Part, multirun: Path, name: str = "") -> str:
    return (part.folder.relative_to(multirun.parent) / name).as_posix()


def _examples(part: Part, multirun: Path) -> Iterator[Remark]:
    """Training examples against the digest in the adapter's identity, which generated answers have no part in."""
    identity = part.manifest.identity
    are_its_own = "examples" in identity and "answers" not in identity
    if are_its_own and digest(part.rows("examples.jsonl")) != identity["examples"]:
        what = "these are not the examples in the identity of the adapter"
        yield Remark(_where(part, multirun, "examples.jsonl"), what, EDITED)


def _completions(part: Part, multirun: Path) -> Iterator[Remark]:
    """Personas, prompts and counts against the identity and the facts."""
    identity, facts = part.manifest.identity, part.manifest.facts
    personas, frame = _read(part, "personas.parquet"), _read(part, COMPLETIONS)
    asked: list[Any] = [(user, [], "") for user in frame.drop_duplicates("prompt")["user"]]
    counts = {"completions": len(frame), "cut_off": int((frame["finish"] == "length").sum())}
    due: list[tuple[str, str, Any, Any]] = [
        ("personas.parquet", "personas", digest(_contexts(personas)), identity["personas"]),
        ("personas.parquet", "parts of the personas", digest(_rows(personas)), facts["personas"]),
        (COMPLETIONS, "numbers of answers", counts, {name: facts[name] for name in counts}),
    ]
    if not behavior(facts["behavior"]).choices:  # a choice's labels are in the identity, and not beside the answers
        due.append((COMPLETIONS, "prompts", digest(asked), identity["prompts"]))
    for name, what, there, wanted in due:
        if there != wanted:
            yield Remark(_where(part, multirun, name), f"its {what} are not those of the manifest", EDITED)
    yield from _facts(part, multirun)


def _rows(personas: "pd.DataFrame") -> list[dict[Any, Any]]:
    """The parts that everyone plays; None where there is no system turn."""
    return [one | ({} if isinstance(one["system"], str) else {"system": None}) for one in personas.to_dict("records")]


def _contexts(personas: "pd.DataFrame") -> list[list[Any]]:
    """Who was asked, as their persona file identifies them."""
    rows = []
    for one in _rows(personas):
        plain = [one["persona"], one["system"]]
        turns, wrapper = json.loads(one.get("turns", "[]")), one.get("wrapper", "")
        rows.append([*plain, turns, wrapper] if turns or wrapper else plain)
    return rows


def _facts(part: Part, multirun: Path) -> Iterator[Remark]:
    """Facts of completions against the ids and the identity of the adapter they are answers of."""
    facts, adapter = part.manifest.facts, Record(part.folder.parent).manifest
    due: dict[str, Any] = {"eval_id": part.manifest.id, "train_id": part.folder.parent.name.rpartition("-")[2]}
    if adapter and adapter.kind == "adapter":
        its = {name: field for name, field in IDENTITY.items() if field in adapter.identity}
        due |= {name: adapter.identity[field] for name, field in its.items()}  # one made elsewhere has none of them
    for name, value in due.items():
        if name in facts and facts[name] != value:
            what = f"its {name} is {facts[name]}, and {value} by the adapter that answered"
            yield Remark(_where(part, multirun, "manifest.json"), what, EDITED)


def _scores(part: Part, multirun: Path) -> Iterator[Remark]:
    """Verdicts from completions or replies, scores from verdicts, and facts as the completions have them."""
    completions = Record(part.folder.parent).manifest
    for name, value in completions.facts.items() if completions else ():
        if (
            name in part.manifest.facts
            and name not in {"settings", "completions", "pool"}
            and part.manifest.facts[name] != value
        ):
            what = f"its {name} is {part.manifest.facts[name]}, and {value} in the manifest of its completions"
            yield Remark(_where(part, multirun, "manifest.json"), what, EDITED)
    verdicts, scores = _read(part, "verdicts.parquet"), _read(part, "scores.parquet")
    yield from _verdicts(part, multirun, verdicts)
    personas = _of_completions(part, "personas.parquet")
    due = personas.merge(count(verdicts), left_on="persona", right_index=True, validate="1:1")
    if wrong := first_difference(scores, due, ["persona"], list(due.columns)):
        yield Remark(_where(part, multirun, "scores.parquet"), f"not what its verdicts come to: {wrong}", EDITED)


def _verdicts(part: Part, multirun: Path, verdicts: "pd.DataFrame") -> Iterator[Remark]:
    completions = _of_completions(part, COMPLETIONS)
    where = _where(part, multirun, "verdicts.parquet")
    try:
        due = _by_rules(part, completions)
    except DataError as error:
        yield unchecked(
            where, f"its rules are not here ({error})", "whether its verdicts follow from them is not known"
        )
        return
    if due is None:
        yield from _by_replies(part, multirun, completions, verdicts)
    elif due.empty:
        yield unchecked(where, "the phrases of its judge are others here", "its verdicts cannot be computed again")
    elif wrong := first_difference(verdicts, due, KEYS, [name for name in due.columns if name not in KEYS]):
        yield Remark(where, f"not what its judge says of its completions: {wrong}", EDITED)


def _by_rules(part: Part, completions: "pd.DataFrame") -> "pd.DataFrame | None":
    """Verdicts of phrases, or of right and wrong; none where these are others here, None where a model judged."""
    facts, identity = part.manifest.facts, part.manifest.identity
    if identity["judge"] not in {"rules", "choice"}:
        return None
    one = behavior(facts["behavior"])
    rules = None if one.choices else one.rules(read_file(facts["pool"], one.pool))
    judge = rules_judge(rules) if rules else choice_judge()
    return judge.read(completions, label="") if judge.identity == identity else completions.iloc[:0]


def _by_replies(part: Part, multirun: Path, completions: "pd.DataFrame", verdicts: "pd.DataFrame") -> Iterator[Remark]:
    """What a model said: as its journal has it, and read as it is read today."""
    where, facts = _where(part, multirun, "verdicts.parquet"), part.manifest.facts
    answers = replies_of(multirun, part.manifest.identity["judge"]).made(stored_answers)
    asked = prompts_of(completions, behavior(facts["behavior"]))
    replies = [answers.get(key_of(part.manifest.identity, prompt)) for prompt in asked]
    if lacking := replies.count(None):
        why = f"of {lacking} of its {len(replies)} verdicts the judge's reply is not in the bundle"
        yield unchecked(where, why, "these were read from what stands in the table itself")
    texts = [one.text or one.note if one else raw for one, raw in zip(replies, verdicts["raw"], strict=True)]
    rows: list[dict[str, Any]] = [verdict_row(text) | {"raw": text} for text in texts]
    due = completions[KEYS].assign(**{name: [row[name] for row in rows] for name in rows[0]})
    if wrong := first_difference(verdicts, due, KEYS, list(rows[0])):
        yield Remark(where, f"not what its judge replied: {wrong}", EDITED)


def _geometry(part: Part, multirun: Path) -> Iterator[Remark]:
    """Cosines from centroids."""
    from safetensors.numpy import load_file

    from leakage.studies.persona_leakage.geometry import cosine_frame

    cosines = _read(part, "cosines.parquet")
    points = load_file(part.folder / "centroids.safetensors")["centroids"]
    names = list(dict.fromkeys(cosines["source"]))
    due = cosine_frame(names, part.manifest.facts["layers"], points)
    if wrong := first_difference(cosines, due, ["source", "persona"], list(due.columns[2:])):
        yield Remark(_where(part, multirun, "cosines.parquet"), f"not the cosines of its centroids: {wrong}", EDITED)


def _trajectory(part: Part, multirun: Path) -> Iterator[Remark]:
    """Changes from margins."""
    frame = _read(part, TRAJECTORY)
    first = frame[frame["step"] == 0].set_index(["persona", "prompt"])["margin"]
    start = frame.join(first.rename("start"), on=["persona", "prompt"])["start"]
    due = frame.assign(delta=frame["margin"] - start)
    if wrong := first_difference(frame, due, ["step", "persona", "prompt"], ["delta"]):
        yield Remark(_where(part, multirun, TRAJECTORY), f"not the changes of its margins: {wrong}", EDITED)


def _of_completions(part: Part, name: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(part.folder.parent / name)


def _read(part: Part, name: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(part.folder / name)
