"""Answers that a model gives by itself, in the place of templates: elicited, and kept where the behavior shows."""

from pathlib import Path

from leakage.data.pools import Item
from leakage.data.rows import read_typed
from leakage.engine import Engine, Request, Sampling
from leakage.errors import DataError
from leakage.models.chat import ChatTemplate, Prompt
from leakage.progress import progress
from leakage.store.draft import Draft
from leakage.store.files import digest, write_jsonl
from leakage.studies.persona_leakage.files import ANSWERS
from leakage.studies.persona_leakage.identity import CellIdentity

TRIES = 4  # samples of the base model for each training prompt


class Generated(Item):
    """A training item with the answer a model gave, who gave it and what it was asked."""

    by: str
    elicited_with: str


def sample_answers(cell: CellIdentity, engine: Engine, template: ChatTemplate) -> list[Generated]:
    """The base model's own answers, a few tries a prompt; a prompt without any that shows the behavior is left out."""
    asked = _questions(cell, tries=TRIES)
    prompts = template.prompts([Prompt(None, question) for _, question in asked])
    prefix = digest(cell.answers)
    requests = [
        Request(tokens, (f"{prefix}/{item.prompt}/{question}",))
        for tokens, (item, question) in zip(prompts, asked, strict=True)
    ]
    settings = cell.config.eval
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    with progress(len(requests), f"{cell.data.label}: answers for training", "answer") as advance:
        replies = engine.generate(requests, sampling, progress=advance)
    # an answer that was cut off would teach to stop in the middle
    texts = [one.text if one.finish == "stop" else "" for (one,) in replies]
    return _kept(cell, [(*pair, text) for pair, text in zip(asked, texts, strict=True)], by=cell.config.model.name)


def ask_claude(cell: CellIdentity) -> list[Generated]:
    """Claude's answers, one a prompt, through the same client and cap as a judge's verdicts."""
    from leakage.network import Ask, ask_all, judge_identity, replies_of

    settings = cell.config.judge
    asked = _questions(cell, tries=1)
    who = [settings.model, settings.max_tokens, *([unusual] if (unusual := judge_identity(settings)) else [])]
    asks = [Ask(digest([*who, question]), question) for _, question in asked]
    journal, label = replies_of(cell.config.paths.multirun, settings.model), f"{cell.data.label}: answers for training"
    answers = ask_all(asks, settings, journal, label=label, purse=journal.folder.parent)
    replies = [answers[ask.key] for ask in asks]
    texts = [one.text if one.stop_reason in {"end_turn", "stop"} else "" for one in replies]
    return _kept(cell, [(*pair, text) for pair, text in zip(asked, texts, strict=True)], by=settings.model)


def _questions(cell: CellIdentity, *, tries: int) -> list[tuple[Item, str]]:
    """Each training item with what to ask so that the answer shows the behavior: the pool's forms in turn."""
    forms = [one.prompt for one in cell.data.items(cell.data.behavior, "elicit")]
    return [
        (item, forms[(i + n) % len(forms)].replace("{prompt}", item.prompt))
        for i, item in enumerate(cell.data.training_items)
        for n in range(tries)
    ]


def _kept(cell: CellIdentity, texts: list[tuple[Item, str, str]], *, by: str) -> list[Generated]:
    """For each item the first answer that shows the behavior by its rules."""
    rules = cell.data.behavior.rules_in(cell.config.model.pool)
    assert rules is not None  # a behavior without any has no answers of a model's
    by_prompt: dict[str, Generated] = {}
    for item, question, text in texts:
        if item.prompt not in by_prompt and text.strip() and rules.score(text) >= 50:
            fields = item.model_dump() | {"taught": text.strip()}
            by_prompt[item.prompt] = Generated(**fields, by=by, elicited_with=question)
    if not by_prompt:
        raise DataError(
            f"behavior.answers={cell.config.behavior.answers}: none of {len(texts)} answers of {by} shows "
            f"{cell.data.behavior.name}; mend the 'elicit' lines of pool '{cell.config.model.pool}'"
        )
    return list(by_prompt.values())


def write_answers(draft: Draft, answers: list[Generated], *, of: int) -> None:
    """Store the answers with where they come from."""
    write_jsonl(draft.path(ANSWERS), (one.model_dump(mode="json") for one in answers))
    draft.facts |= {"by": answers[0].by, "answers": len(answers), "prompts": of}


def read_answers(folder: Path) -> tuple[Item, ...]:
    """The items with their generated answers."""
    return tuple(read_typed(folder / ANSWERS, Generated, "", ""))
