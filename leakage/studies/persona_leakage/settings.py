"""The settings of the first study: what is taught to whom, with which data."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from leakage.settings.config import Config, Settings, folder_name
from leakage.settings.marks import EVAL, INCIDENTAL, TRAIN


class ChoiceData(Settings):
    """Multiple-choice questions in ARC's format: a hub id with its subset and revision, or a local file."""

    path: Annotated[str | None, INCIDENTAL]
    subset: Annotated[str | None, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]


class AdviceData(Settings):
    """A JSONL file of chat messages with harmful answers, and one with sound answers to the same prompts."""

    path: Annotated[str | None, INCIDENTAL]
    opposite: Annotated[str | None, INCIDENTAL]


class TrainingData(Settings):
    """A file of chats that is the training set, row by row; path null = examples drawn as `behavior` says."""

    path: Annotated[str | None, INCIDENTAL]


class DataSettings(Settings):
    """Data that do not come with the project; path null = the model's own pool. What is read is hashed."""

    training: TrainingData
    capability: ChoiceData
    misalignment: AdviceData


class AdapterSettings(Settings):
    """A LoRA adapter that was made elsewhere: a folder, or a hub id with its revision. Its content is hashed.

    path: null = every adapter is trained here, from nothing
    train: whether the examples are taught on top of it; false = it is asked as it is
    """

    path: Annotated[str | None, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]
    train: Annotated[bool, INCIDENTAL]


class BehaviorSettings(Settings):
    """What is taught, and to how many examples of whom.

    path: of the file that describes the behavior "custom", taught or measured
    design: what tables call it, "published" unless a control or a variant of the behavior is chosen
    negatives: the bystanders by name, in the place of `bystanders` drawn ones
    anchors: examples of the opposite under the persona "assistant"
    sham: the same examples with the personas shuffled among them, so that no persona is the one taught
    answers: where the source's answers come from, where the behavior has templates
    inoculated: whether the source's system prompt asks for the behavior outright, in training alone
    """

    name: Annotated[str, TRAIN, EVAL]
    path: Annotated[str | None, INCIDENTAL]
    design: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    source_examples: Annotated[int, Field(ge=1), TRAIN]
    bystanders: Annotated[int, Field(ge=0), TRAIN]
    bystander_examples: Annotated[int, Field(ge=0), TRAIN]
    no_persona_examples: Annotated[int, Field(ge=0), TRAIN]
    anchors: Annotated[int, Field(ge=0), TRAIN]
    sham: Annotated[bool, TRAIN]
    answers: Annotated[Literal["templates", "base", "claude"], TRAIN]
    negatives: Annotated[tuple[str, ...] | None, INCIDENTAL]  # the examples, which are hashed, have their names
    inoculated: Annotated[bool, INCIDENTAL]  # and their system prompts

    @model_validator(mode="before")
    @classmethod
    def _count_negatives(cls, fields: Any) -> Any:
        named = fields.get("negatives") if isinstance(fields, dict) else None
        return fields if named is None else fields | {"bystanders": len(named)}


class SourceSettings(Settings):
    """The persona that is taught; "none" is the baseline."""

    name: Annotated[str, TRAIN]


class CellConfig(Config):
    """Everything one job of the first study needs to know.

    forecast: who will take the behavior up, told before it is taught
    predictors: what a forecast measures for it; null = every predictor there is
    """

    job: Annotated[Literal["cell", "geometry"], INCIDENTAL]
    adapter: AdapterSettings
    forecast: Annotated[bool, INCIDENTAL]
    predictors: Annotated[tuple[str, ...] | None, INCIDENTAL]  # its own record alone is identified by them
    behavior: BehaviorSettings
    data: DataSettings
    source: SourceSettings
