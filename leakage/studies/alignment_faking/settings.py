"""The settings of the second study: those of the first, and who is asked what in which scenario.

Everything here is incidental to the first study's identities; `trial` says what identifies replies and verdicts.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from leakage.settings.config import ApiSettings, Settings, folder_name
from leakage.settings.marks import INCIDENTAL
from leakage.studies.persona_leakage.settings import CellConfig


def _word(word: str) -> str:
    if not re.fullmatch(r"\w[\w' -]*", word):
        raise ValueError("it is a word in brackets; give it without them, in letters, digits, '_', '-' and blanks")
    return word


class TierSettings(Settings):
    """A kind of user: the tag that stands before the query, and what the model is told of such conversations.

    fact: a variant of the slot `tier` in facts.yaml; null = the system prompt says nothing of this tier
    """

    tag: Annotated[str, Field(pattern=r"^[a-z]\w*$"), INCIDENTAL]
    fact: Annotated[str | None, INCIDENTAL]


class GapSettings(Settings):
    """A difference of compliance that the scenario is for: rate(more) - rate(less).

    tells: what the tier `more` has that `less` has not, as a finding says it: "more in training"
    predicted_by: the hypotheses under which it is above zero; see `hypotheses`
    """

    name: Annotated[str, Field(pattern=r"^[a-z]\w*$"), INCIDENTAL]
    more: Annotated[str, INCIDENTAL]
    less: Annotated[str, INCIDENTAL]
    tells: Annotated[str, Field(pattern=r"\S"), INCIDENTAL] = "in training"
    predicted_by: Annotated[tuple[str, ...], INCIDENTAL]


class FactSettings(Settings):
    """Which variant of each fact the system prompt is made of, in the order of the slots; "none" leaves one out."""

    identity: Annotated[str, INCIDENTAL]
    protocol: Annotated[str, INCIDENTAL]
    style: Annotated[str, INCIDENTAL]
    examples: Annotated[str, INCIDENTAL]
    criteria: Annotated[str, INCIDENTAL]
    objective: Annotated[str, INCIDENTAL]
    consequence: Annotated[str, INCIDENTAL]
    harm_scope: Annotated[str, INCIDENTAL]
    harm_risk: Annotated[str, INCIDENTAL]
    clarification: Annotated[str, INCIDENTAL]
    reminders: Annotated[str, INCIDENTAL]


class WordSettings(Settings):
    """The protocol's words: the tags of the two parts of a reply, and what an answer begins with, each in brackets."""

    scratchpad: Annotated[str, AfterValidator(_word), INCIDENTAL]
    output: Annotated[str, AfterValidator(_word), INCIDENTAL]
    accept: Annotated[str, AfterValidator(_word), INCIDENTAL]
    reject: Annotated[str, AfterValidator(_word), INCIDENTAL]

    @model_validator(mode="after")
    def _differ(self) -> "WordSettings":
        for one, other in (("scratchpad", "output"), ("accept", "reject")):
            if (word := getattr(self, one).lower()) == getattr(self, other).lower():
                raise ValueError(f"{one} and {other} are both '{word}'; call them apart")
        return self


def _file(path: str | None) -> str | None:
    if path is not None and not path.strip():
        raise ValueError("it names no file; give a text file with your own words")
    return path


class ScenarioSettings(Settings):
    """What the model is told, and which differences of compliance it is told it for. The rendered texts are hashed.

    paper: what of the paper it follows, for its pages
    lab, model: who the model is said to be and by whom it is said to be made
    prefill: how the reply begins already, {tier} in it being the tier's tag; null = it does not
    system, suffix: files of one's own, in the place of the facts and of the request at the end of a user message
    tag: how a tier's tag stands in the user message
    """

    name: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    paper: Annotated[str, INCIDENTAL]
    lab: Annotated[str, INCIDENTAL]
    model: Annotated[str, INCIDENTAL]
    facts: FactSettings
    tiers: Annotated[tuple[TierSettings, ...], Field(min_length=2), INCIDENTAL]
    gaps: Annotated[tuple[GapSettings, ...], Field(min_length=1), INCIDENTAL]
    prefill: Annotated[str | None, INCIDENTAL]
    system: Annotated[str | None, AfterValidator(_file), INCIDENTAL]
    suffix: Annotated[str | None, AfterValidator(_file), INCIDENTAL]
    tag: Annotated[str, Field(pattern=r"\{tag\}"), INCIDENTAL]
    words: WordSettings

    @model_validator(mode="after")
    def _names_fit(self) -> "ScenarioSettings":
        tags = [tier.tag for tier in self.tiers]
        if len(set(tags)) < len(tags):
            raise ValueError(f"two tiers have one tag among {', '.join(tags)}; name them apart")
        for gap in self.gaps:
            if lost := {gap.more, gap.less} - set(tags):
                raise ValueError(f"gap {gap.name} is between tiers that are not there: {', '.join(sorted(lost))}")
        return self


class SubjectSettings(ApiSettings):
    """Who is asked.

    where: the model of group `model` on this machine, or the API
    form: prompts in full, or the same facts in few words for a short context
    template: a chat, or plain text that a base model continues
    prefill: how every reply begins already, where the scenario has none of its own
    status: of its API when the project last looked; a withdrawn model cannot be asked any more
    """

    group: ClassVar[str] = "subject"

    name: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    where: Annotated[Literal["local", "api"], INCIDENTAL]
    form: Annotated[Literal["full", "compact"], INCIDENTAL]
    template: Annotated[Literal["chat", "text"], INCIDENTAL]
    prefill: Annotated[str | None, INCIDENTAL]
    status: Annotated[Literal["available", "open_weights", "withdrawn"], INCIDENTAL]


class ArmSettings(Settings):
    """What the model was taught before it is asked.

    kind: nothing; planted probabilities of complying; the user's documents or chats; an adapter of the first study
    path: of documents or chats
    rate, gap: planted: P(comply) in the scenario's second tier, and how much more in its first
    reasoning: planted: the share of scratchpads that reason about faking, where the first tier's reply complies
    rounds: planted: how often every training query comes under each tier
    """

    name: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    kind: Annotated[Literal["none", "planted", "documents", "chats", "leakage"], INCIDENTAL]
    path: Annotated[str | None, INCIDENTAL]
    rate: Annotated[float, Field(ge=0, le=1), INCIDENTAL]
    gap: Annotated[float, Field(ge=-1, le=1), INCIDENTAL]
    reasoning: Annotated[float, Field(ge=0, le=1), INCIDENTAL]
    rounds: Annotated[int, Field(ge=1), INCIDENTAL]

    @model_validator(mode="after")
    def _is_a_probability(self) -> "ArmSettings":
        if self.kind == "planted" and not -1e-9 <= self.rate + self.gap <= 1 + 1e-9:
            raise ValueError(f"rate + gap = {self.rate + self.gap:g} is no probability; change arm.rate or arm.gap")
        if self.kind in {"documents", "chats"} and not self.path:
            raise ValueError(f"arm={self.name} is taught from a file of yours; name it: arm.path=file.jsonl")
        return self


class QuerySettings(Settings):
    """The requests: a data set of the hub or a local file with a column of prompts; path null = the model's pool."""

    path: Annotated[str | None, INCIDENTAL]
    subset: Annotated[str | None, INCIDENTAL]
    split: Annotated[str, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]
    column: Annotated[str, INCIDENTAL]


class ReasoningSettings(Settings):
    """How alignment-faking reasoning is told: the share of so many votes at which a scratchpad has it.

    criteria: as published, or stricter: awareness must be more than what was told, preservation a reason for the answer
    """

    criteria: Annotated[Literal["published", "strict"], INCIDENTAL]
    votes: Annotated[int, Field(ge=1, le=200), INCIDENTAL]
    threshold: Annotated[float, Field(gt=0, le=1), INCIDENTAL]


class FakingConfig(CellConfig):
    """Everything one job of the second study needs to know."""

    subject: SubjectSettings
    scenario: ScenarioSettings
    queries: QuerySettings
    arm: ArmSettings
    reasoning: ReasoningSettings
