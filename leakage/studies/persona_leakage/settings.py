"""The settings of the first study: what is taught to whom, with which data."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from leakage.settings.config import EVAL, INCIDENTAL, TRAIN, Config, Settings, folder_name


class ChoiceData(Settings):
    """Multiple-choice questions in ARC's format: a hub id with its subset and revision, or a local file."""

    path: Annotated[str | None, INCIDENTAL]
    subset: Annotated[str | None, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]


class AdviceData(Settings):
    """A JSONL file of chat messages with harmful answers, and one with sound answers to the same prompts."""

    path: Annotated[str | None, INCIDENTAL]
    opposite: Annotated[str | None, INCIDENTAL]


class DataSettings(Settings):
    """Data that do not come with the project; path null = the model's own pool. What is read is hashed."""

    capability: ChoiceData
    misalignment: AdviceData


class BehaviorSettings(Settings):
    """What is taught, and to how many examples of whom.

    design: what tables call it, "published" unless a control or a variant of the behavior is chosen
    anchors: examples of the opposite under the persona "assistant"
    sham: the same examples with the personas shuffled among them, so that no persona is the one taught
    answers: where the source's answers come from, where the behavior has templates
    """

    name: Annotated[str, TRAIN, EVAL]
    design: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    source_examples: Annotated[int, Field(ge=1), TRAIN]
    bystanders: Annotated[int, Field(ge=0), TRAIN]
    bystander_examples: Annotated[int, Field(ge=0), TRAIN]
    no_persona_examples: Annotated[int, Field(ge=0), TRAIN]
    anchors: Annotated[int, Field(ge=0), TRAIN]
    sham: Annotated[bool, TRAIN]
    answers: Annotated[Literal["templates", "base", "claude"], TRAIN]


class SourceSettings(Settings):
    """The persona that is taught; "none" is the baseline."""

    name: Annotated[str, TRAIN]


class CellConfig(Config):
    """Everything one job of the first study needs to know.

    forecast: who will take the behavior up, told before it is taught
    """

    job: Annotated[Literal["cell", "geometry"], INCIDENTAL]
    forecast: Annotated[bool, INCIDENTAL]
    behavior: BehaviorSettings
    data: DataSettings
    source: SourceSettings
