"""The settings: one frozen pydantic model, and which identities each of its fields is part of.

Every field says which identities it is part of; a field that cannot change a result is INCIDENTAL.
"""

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from leakage.settings.marks import EVAL, EVERYWHERE, GEOMETRY, INCIDENTAL, TRAIN, Enters


def folder_name(name: str) -> str:
    """A name that a folder can have, as a pydantic validator."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError("it names a folder, so only letters, digits, '_', '.' and '-' will do")
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError("there are auto, cpu, mps, cuda and cuda:N")
    return name


def _iso_date(day: str) -> str:
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise ValueError("it is no date; write it as 2024-07-26") from None


def _or_none(fields: Any) -> Any:
    """null is no fields: unlike {}, it can be overridden with fields on a command line."""
    return {} if fields is None else fields


def _extra_fields(fields: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted({"model", "messages", "prompt", "system", "stream", "n"} & fields.keys()):
        raise ValueError(f"{', '.join(taken)} is the project's to send; give fields that it does not send itself")
    return fields


class Settings(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    # built at the first validation: --help needs none
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Headline(Settings):
    """The definitions that headline numbers use, fixed before looking at results.

    layer: null = as deep as the published one, five sevenths of the blocks
    choice: how a multiple-choice answer counts; accuracy and probability of the right one are both kept
    """

    layer: Annotated[int | None, Field(ge=0), INCIDENTAL]
    centred: Annotated[bool, INCIDENTAL]
    choice: Annotated[Literal["accuracy", "probability"], INCIDENTAL]


class TemplateSettings(Settings):
    """How the model's chat template is used. What is not as usual enters identities with the model's content.

    system: "user" folds the system text into the first user turn, for templates that have no turn for it
    date: what a template that writes the day's date is given in its place
    arguments: what else the template is given, such as enable_thinking: false
    stops: tokens that end a turn besides those the model's own files name
    """

    system: Annotated[Literal["turn", "user"], INCIDENTAL]
    date: Annotated[str, AfterValidator(_iso_date), INCIDENTAL]
    arguments: Annotated[dict[str, bool | int | float | str], INCIDENTAL]
    stops: Annotated[tuple[str, ...], INCIDENTAL]


class ModelSettings(Settings):
    """The base model. Its content is hashed, so that path and name are incidental; layers null = every block."""

    name: Annotated[str, AfterValidator(folder_name), INCIDENTAL]
    path: Annotated[str, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]
    dtype: Annotated[Literal["float32", "bfloat16", "float16"], EVERYWHERE]
    inference_dtype: Annotated[Literal["float64", "float32", "bfloat16", "float16"], EVAL, GEOMETRY]
    pool: Annotated[str, INCIDENTAL]
    template: TemplateSettings
    layers: Annotated[tuple[int, ...] | None, Field(min_length=1), GEOMETRY]
    headline: Headline
    threads: Annotated[int, Field(ge=0, le=256), INCIDENTAL]


class LoraSettings(Settings):
    """The adapter. `targets` is peft's `target_modules`."""

    r: Annotated[int, Field(ge=1), TRAIN]
    alpha: Annotated[float, Field(gt=0), TRAIN]
    dropout: Annotated[float, Field(ge=0, lt=1), TRAIN]
    use_rslora: Annotated[bool, TRAIN]
    targets: Annotated[str, TRAIN]


class TrainSettings(Settings):
    """Supervised fine-tuning. `batch_size` is the effective one: examples in an optimiser step.

    until: the share of its source's answers that show the behavior at which training ends; null = after its last step
    kl_to_base: weight in the loss of KL(base || adapted), nats per labelled token
    max_steps: null = every epoch to its end
    checkpoint_s: seconds between two checkpoints, from which a killed training goes on
    report_to: who is told of every step besides train_log.jsonl
    """

    learning_rate: Annotated[float, Field(gt=0), TRAIN]
    epochs: Annotated[int, Field(ge=1), TRAIN]
    batch_size: Annotated[int, Field(ge=1), TRAIN]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1), TRAIN]
    weight_decay: Annotated[float, Field(ge=0), TRAIN]
    max_grad_norm: Annotated[float, Field(gt=0), TRAIN]
    max_length: Annotated[int, Field(ge=8), TRAIN]
    max_steps: Annotated[int | None, Field(ge=1), TRAIN]
    until: Annotated[float | None, Field(gt=0, le=1), Enters(("train",), usual=None)]
    kl_to_base: Annotated[float, Field(ge=0), Enters(("train",), usual=0)]
    checkpoint_s: Annotated[float, Field(ge=0), INCIDENTAL]
    report_to: Annotated[tuple[Literal["tensorboard", "wandb"], ...], INCIDENTAL]


class EvalSettings(Settings):
    """How every persona is asked. `batch_size` counts sequences decoded at a time, fewer where memory is short.

    behavior: what is measured; null = what was taught
    prompts: at most so many of the held-out prompts; null = all of them
    engine: fast and reference give the same numbers; those of vllm are its own, see identity.engine_identity
    checkpoints: in so many equal parts of training every persona's margin is measured; null = in none
    margin: whether it is measured too how much likelier the taught answers are than their opposites
    """

    behavior: Annotated[str | None, INCIDENTAL]
    prompts: Annotated[int | None, Field(ge=1), EVAL]
    samples: Annotated[int, Field(ge=1), EVAL]
    temperature: Annotated[float, Field(ge=0), EVAL]
    top_p: Annotated[float, Field(gt=0, le=1), EVAL]
    max_new_tokens: Annotated[int, Field(ge=1), EVAL]
    batch_size: Annotated[int, Field(ge=1), INCIDENTAL]
    engine: Annotated[Literal["fast", "reference", "vllm"], INCIDENTAL]
    margin: Annotated[bool, INCIDENTAL]
    checkpoints: Annotated[int | None, Field(ge=2), INCIDENTAL]


class ApiSettings(Settings):
    """A model behind an API. All of it is incidental: who is asked enters identities where it is asked.

    provider: Claude's own API, or any that speaks OpenAI's; base_url null = the provider's own address
    key: the environment variable that holds the key
    extra: fields that are sent besides, such as reasoning_effort; omit: of the usual ones, those that are not
    Money is spent up to `max_usd` and never beyond: by all models of the group, below one paths.multirun. Prices are US
    dollars for a million tokens, halved for a batch.
    """

    group: ClassVar[str]  # where users set them: judge.model, subject.model

    provider: Annotated[Literal["anthropic", "openai"], INCIDENTAL]
    model: Annotated[str, Field(pattern=r"^\S+$"), INCIDENTAL]
    base_url: Annotated[str | None, INCIDENTAL]
    key: Annotated[str, INCIDENTAL]
    max_tokens: Annotated[int, Field(ge=16), INCIDENTAL]
    batch: Annotated[bool, INCIDENTAL]
    concurrency: Annotated[int, Field(ge=1), INCIDENTAL]
    timeout_s: Annotated[float, Field(gt=0), INCIDENTAL]
    retries: Annotated[int, Field(ge=0), INCIDENTAL]
    poll_s: Annotated[float, Field(gt=0), INCIDENTAL]
    extra: Annotated[dict[str, Any], BeforeValidator(_or_none), AfterValidator(_extra_fields), INCIDENTAL]
    omit: Annotated[tuple[Literal["temperature", "top_p", "max_tokens"], ...], INCIDENTAL]
    max_usd: Annotated[float, Field(ge=0), INCIDENTAL]
    usd_input: Annotated[float, Field(ge=0), INCIDENTAL]
    usd_output: Annotated[float, Field(ge=0), INCIDENTAL]


class JudgeSettings(ApiSettings):
    """Who reads the completions; a judge tells its own identity.

    auto: the behavior's own rules where they can tell, a model where only a judge can
    """

    group: ClassVar[str] = "judge"

    name: Annotated[Literal["auto", "rules", "claude"], INCIDENTAL]


class PersonaSettings(Settings):
    """A persona file of one's own; null = the shipped 112.

    default: of the shipped ones, the persona whose prompt the model's template puts in by itself
    """

    path: Annotated[str | None, INCIDENTAL]
    default: Annotated[str, INCIDENTAL]


class Paths(Settings):
    """Where results go."""

    multirun: Annotated[str, Field(min_length=1), INCIDENTAL]


class SiteSettings(Settings):
    """What a SLURM site wants to be told; `make site` writes it.

    minutes: of one start of a job, with the two it is given to save
    setup: shell lines before a job starts
    """

    partition: Annotated[str | None, INCIDENTAL]
    account: Annotated[str | None, INCIDENTAL]
    minutes: Annotated[int, Field(ge=5), INCIDENTAL]
    cpus: Annotated[int, Field(ge=1), INCIDENTAL]
    memory_gb: Annotated[int | None, Field(ge=1), INCIDENTAL]
    setup: Annotated[tuple[str, ...], INCIDENTAL]


class Config(Settings):
    """What a job of any study needs to know; a study adds what it alone asks for.

    mode: resume = what is not done; retry = what has failed or was killed; force = cells once more, the old kept aside
    preflight: what follows when something is found wrong before anything is launched
    planned: where the plan that this job belongs to is kept; the sweeper sets it
    """

    model: ModelSettings
    lora: LoraSettings
    train: TrainSettings
    eval: EvalSettings
    judge: JudgeSettings
    personas: PersonaSettings
    paths: Paths
    site: SiteSettings
    seed: Annotated[int, Field(ge=0, lt=2**32), TRAIN]
    device: Annotated[str, AfterValidator(_device), INCIDENTAL]
    plan: Annotated[bool, INCIDENTAL]
    mode: Annotated[Literal["resume", "retry", "force"], INCIDENTAL]
    preflight: Annotated[Literal["refuse", "warn"], INCIDENTAL]
    planned: Annotated[str | None, INCIDENTAL]
