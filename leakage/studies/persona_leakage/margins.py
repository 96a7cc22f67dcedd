"""The outcome without a ceiling: how much likelier the taught answers are than their opposites under every persona."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.data.pools import Item
from leakage.engine import Answered, Request, Sampling, StateEngine, build_engine
from leakage.models.adapter import attached
from leakage.models.chat import IGNORED, ChatTemplate, Prompt
from leakage.models.held import Loaded
from leakage.models.load import for_training
from leakage.progress import progress, unseen
from leakage.store.draft import Draft
from leakage.store.files import replacing, write_json
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.files import MARGINS
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.judges.base import HIT

if TYPE_CHECKING:
    from leakage.data.personas import Persona
    from leakage.progress import Progress

ANSWER_TOKENS = 48  # of an opposite answer that the base model gives, at most


@dataclass(frozen=True)
class Contrast:
    """A held-out prompt with an answer that shows the behavior and one that does not."""

    user: str
    taught: str
    opposite: str


def measure_margins(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """A row for every persona and prompt, with the adapter on the base model unless the cell is a baseline."""
    import pandas as pd

    personas, base = cell.data.personas.members, for_training(loaded.base, cell.config.model)
    chosen = contrasts(cell, base, loaded.template)
    adapter = None if cell.data.is_baseline else cell.multirun / cell.adapter_folder / "adapter"
    with (
        attached(base, adapter) as model,
        progress(2 * len(personas) * len(chosen), f"{cell.data.label}: margins", "answer") as advance,
    ):
        engine = build_engine(model, loaded.template, cell.config.eval)
        values = margins(engine, loaded.template, personas, chosen, advance)
    with replacing(draft.path(MARGINS)) as file:
        pd.DataFrame(as_rows(personas, values)).to_parquet(file, index=False)
    write_json(draft.path("contrasts.json"), [vars(one) for one in chosen])
    draft.facts |= facts(cell, len(chosen))


def as_rows(personas: "Sequence[Persona]", values: np.ndarray) -> list[dict[str, Any]]:
    """Margins as a row for each persona and prompt."""
    return [
        {"persona": one.name, "prompt": i, "margin": value}
        for one, row in zip(personas, values.tolist(), strict=True)
        for i, value in enumerate(row)
    ]


def facts(cell: CellIdentity, contrasts: int) -> dict[str, Any]:
    """What a record of margins tells of itself."""
    return {
        "model": cell.config.model.name, "behavior": cell.data.evaluated.name, "source": cell.config.source.name,
        "personas": len(cell.data.personas.members), "contrasts": contrasts,
    }  # fmt: skip


def contrasts(cell: CellIdentity, base: Any, template: ChatTemplate) -> list[Contrast]:
    """The first held-out prompts with two answers each: a taught one, drawn as in training but the same for all cells,
    and the prompt's own, or the one that the base model gives by itself, without a system turn.

    Prompts are left out where the base model's own answer shows the behavior, since it opposes nothing.
    """
    taught = cell.taught_answers
    lacking = [item for item, _ in taught if not item.answer]
    by_itself = dict(zip(lacking, _plain_answers(cell, base, template, lacking), strict=True))
    pairs = [Contrast(item.prompt, answer, item.answer or by_itself[item]) for item, answer in taught]
    rules = cell.data.evaluated.rules_in(cell.config.model.pool)
    if rules is None or cell.data.evaluated.leak_direction < 0:
        return pairs
    return [one for one in pairs if rules.score(one.opposite) < HIT] or pairs


def _plain_answers(cell: CellIdentity, base: Any, template: ChatTemplate, items: Sequence[Item]) -> list[str]:
    engine = build_engine(base, template, cell.config.eval)
    requests = [Request(tokens, ("",)) for tokens in template.prompts([Prompt(None, one.prompt) for one in items])]
    greedy = Sampling(temperature=0, top_p=1, max_new_tokens=ANSWER_TOKENS)
    return [one.text for (one,) in engine.generate(requests, greedy, progress=unseen)]


def margins(
    engine: StateEngine, template: ChatTemplate, personas: "Sequence[Persona]", chosen: Sequence[Contrast],
    advance: "Progress",
) -> np.ndarray:  # fmt: skip
    """(personas, contrasts) float64: log-probability of the taught answer less that of the opposite, nats a token."""
    pairs = [
        (under(one, contrast.user), answer)
        for one in personas
        for contrast in chosen
        for answer in (contrast.taught, contrast.opposite)
    ]
    means = mean_logprobs(engine, template, pairs, advance).reshape(len(personas), len(chosen), 2)
    difference: np.ndarray = means[:, :, 0] - means[:, :, 1]
    return difference


def mean_logprobs(
    engine: StateEngine, template: ChatTemplate, pairs: Sequence[tuple[Prompt, str]], advance: "Progress"
) -> np.ndarray:
    """(len(pairs),) float64: the mean log-probability of an answer's tokens, the one that ends it among them."""
    answered = [Answered(one.input_ids, one.labels.count(IGNORED)) for one in template.examples(pairs)]
    means = np.zeros(len(answered))

    def look(place: int, followed: Any) -> None:
        tokens = followed.logprobs.new_tensor(answered[place].ids[answered[place].start :]).long()
        means[place] = followed.logprobs.gather(1, tokens[:, None]).mean().item()

    engine.follow(answered, (), look, progress=advance)
    return means
