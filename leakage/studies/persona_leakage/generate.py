"""Every persona, every held-out prompt: sampled completions, or the label that is likeliest."""

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from leakage.data.personas import Persona
from leakage.data.pools import Item
from leakage.engine import Completion, Engine, Request, Sampling
from leakage.models.chat import ChatTemplate, Labels
from leakage.models.load import check_context
from leakage.progress import Progress, progress, unseen
from leakage.store.blocks import Blocks
from leakage.studies.persona_leakage.choices import openings, right_label
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.identity import CellIdentity

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 4  # batches in a block of personas: few enough files, little enough lost by a kill
LESS = "shorten it, or lower eval.max_new_tokens"
Asked = list[tuple[Persona, int, Item]]
Make = Callable[[Engine, Asked, list[list[int]], Progress], "pd.DataFrame"]


def ask(cell: CellIdentity, engine: Engine, template: ChatTemplate, blocks: Blocks) -> "pd.DataFrame":
    """One row a completion: persona, prompt (its number), user, sample, completion, tokens, finish.

    Of a multiple-choice question the likeliest label is the completion; the right one, its probability among the
    item's own labels and all log-probabilities stand beside it. Personas are asked block by block: a block whose part
    is there is not asked again, and no batch spans two, so that going on changes nothing.
    """
    import pandas as pd

    asked = everything(cell)
    tokens, make, what = _prepared(cell, template, asked)
    samples = 1 if cell.data.evaluated.choices else cell.config.eval.samples
    size = len(cell.data.prompts) * ceil(BLOCK * cell.config.eval.batch_size / (len(cell.data.prompts) * samples))
    frames = []
    with progress(len(asked) * samples, f"{cell.data.label}: asking", what) as advance:
        for start in range(0, len(asked), size):
            name, block = f"{start}-{size}", slice(start, start + size)
            frame = blocks.read(name)
            if frame is None:
                frame = blocks.keep(name, make(engine, asked[block], tokens[block], advance))
            else:
                advance(len(frame))
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def everything(cell: CellIdentity) -> Asked:
    """Every persona with every prompt and its number."""
    return [(persona, i, item) for persona in cell.data.personas.members for i, item in enumerate(cell.data.prompts)]


def ask_some(cell: CellIdentity, engine: Engine, template: ChatTemplate, asked: Asked) -> "pd.DataFrame":
    """The rows that `ask` has for some of what it asks: no answer depends on what else is asked."""
    tokens, make, _ = _prepared(cell, template, asked)
    return make(engine, asked, tokens, unseen)


def _prepared(cell: CellIdentity, template: ChatTemplate, asked: Asked) -> tuple[list[list[int]], Make, str]:
    """The prompts as tokens, what makes rows of them, and what it is called; refused where there is no room."""
    tokens = template.prompts([under(persona, item.prompt) for persona, _, item in asked])
    make: Make
    if cell.data.evaluated.choices:
        tokens, make = as_choices(template, asked, tokens)
        room, what = 1, "question"
    else:
        make, room, what = partial(complete, cell), cell.config.eval.max_new_tokens, "answer"
    check_context(cell.config.model, max(map(len, tokens)) + room, f"the longest prompt with room for its {what}", LESS)
    return tokens, make, what


def as_choices(template: ChatTemplate, asked: Asked, tokens: list[list[int]]) -> tuple[list[list[int]], Make]:
    """Prompts up to where a label stands, and what makes rows of them (see choose)."""
    labels = {wanted: template.labels(wanted) for wanted in dict.fromkeys(openings(item) for _, _, item in asked)}
    up_to = [labels[openings(item)].after(ids) for ids, (_, _, item) in zip(tokens, asked, strict=True)]
    return up_to, partial(choose, labels)


def complete(
    cell: CellIdentity, engine: Engine, asked: Asked, tokens: list[list[int]], advance: Progress
) -> "pd.DataFrame":
    """Sample every prompt as often as the settings say; a sample's randomness is a function of its key alone."""
    import pandas as pd

    settings = cell.config.eval
    requests = [
        Request(prompt, tuple(f"{cell.train_id}/{persona.name}/{i}/{n}" for n in range(settings.samples)))
        for prompt, (persona, i, _) in zip(tokens, asked, strict=True)
    ]
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    replies = engine.generate(requests, sampling, progress=advance)
    rows = [
        {"persona": persona.name, "prompt": i, "user": item.prompt, "sample": n, **_columns(completion)}
        for (persona, i, item), completions in zip(asked, replies, strict=True)
        for n, completion in enumerate(completions)
    ]
    return pd.DataFrame(rows)


def _columns(completion: Completion) -> dict[str, Any]:
    return {"completion": completion.text, "tokens": completion.tokens, "finish": completion.finish}


def choose(
    labels: Mapping[tuple[str, ...], Labels], engine: Engine, asked: Asked, tokens: list[list[int]], advance: Progress
) -> "pd.DataFrame":
    """Log-probability of each of an item's own labels, where the template has an answer's first word stand."""
    import pandas as pd

    choices = [labels[openings(item)].ids for _, _, item in asked]
    logprobs = engine.choice_logprobs(tokens, choices, progress=advance)
    rows = [
        {"persona": persona.name, "prompt": i, "user": item.prompt, "sample": 0, **_chosen(item, found.tolist())}
        for (persona, i, item), found in zip(asked, logprobs, strict=True)
    ]
    return pd.DataFrame(rows)


def _chosen(item: Item, logprobs: list[float]) -> dict[str, Any]:
    from math import exp

    by_label = dict(zip(item.labels, logprobs, strict=True))
    right = right_label(item)
    most = max(by_label.values())
    weights = {label: exp(logprob - most) for label, logprob in by_label.items()}
    return {
        "completion": max(by_label, key=lambda label: by_label[label]),
        "right": right,
        "p_right": weights[right] / sum(weights.values()),
        "logprobs": logprobs,
        "tokens": 0,
        "finish": "choice",
    }
