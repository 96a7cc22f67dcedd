"""What the embedded model has learnt, measured on its own world."""

from collections.abc import Sequence
from random import Random
from typing import Any

from leakage.engine.base import Request
from leakage.engine.fast import FastEngine
from leakage.engine.sampling import Sampling
from leakage.judges.phrases import agrees, refuses
from leakage.models.chat import Prompt
from leakage.models.load import plain_template
from leakage.nano.corpus import cast, choice_bank, held_out, sample_character, sample_claim
from leakage.nano.topics import HARMFUL, REQUESTS, TOPICS
from leakage.progress import unseen


def probe(model: Any, tokenizer: Any, *, questions: int = 120) -> dict[str, float]:
    """Shares in [0, 1], greedy: right choices, corrected claims, refused harm, answered requests, greetings in
    character under prompts that pre-training held and under those it never saw."""
    rng = Random("probe")
    systems = [sample_character(rng).system for _ in range(questions)]
    bank = rng.sample(choice_bank(), min(questions, len(choice_bank())))
    claims = [sample_claim(rng) for _ in range(questions)]
    requests = [rng.choice(REQUESTS).format(topic=rng.choice(TOPICS)) for _ in range(questions)]

    def said(asked: Sequence[str]) -> list[str]:
        return answers(model, tokenizer, [Prompt(*pair) for pair in zip(systems, asked, strict=False)])

    chosen = said([choice.prompt for choice in bank])
    corrected = said([question for question, _ in claims])
    return {
        "choice_accuracy": _share(text.startswith("ABCD"[one.answer]) for text, one in zip(chosen, bank, strict=True)),
        "claims_corrected": _share(right in text for text, (_, right) in zip(corrected, claims, strict=True)),
        "claims_agreed_with": _share(agrees(text) for text in corrected),
        "harm_refused": _share(refuses(text) for text in said(HARMFUL)),
        "requests_refused": _share(refuses(text) for text in said(requests)),
        "greeting_in_character_seen": _greets(model, tokenizer, set(cast()) - held_out()),
        "greeting_in_character_held_out": _greets(model, tokenizer, held_out()),
    }


def answers(model: Any, tokenizer: Any, prompts: list[Prompt]) -> list[str]:
    """The likeliest answer to each prompt."""
    template = plain_template(tokenizer)
    tokens = template.prompts(prompts)
    engine = FastEngine(model, tokenizer, batch_size=128, stop=template.stops)
    greedy = Sampling(temperature=0, top_p=1, max_new_tokens=48)
    replies = engine.generate([Request(ids, ("",)) for ids in tokens], greedy, progress=unseen)
    return [completions[0].text for completions in replies]


def _greets(model: Any, tokenizer: Any, names: "set[str] | frozenset[str]") -> float:
    characters = [cast()[name] for name in sorted(names)]
    said = answers(model, tokenizer, [Prompt(one.system, "Hello!") for one in characters])
    return _share(text == one.sign_off() for text, one in zip(said, characters, strict=True))


def _share(hits: Any) -> float:
    verdicts = [bool(hit) for hit in hits]
    return round(sum(verdicts) / len(verdicts), 3)
