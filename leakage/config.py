"""The settings: one frozen pydantic model at the border, and the Hydra schema made from it.

Every field says which identities it is part of; a field that cannot change a result is INCIDENTAL.
"""

import re
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeGuard, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from leakage.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Enters:
    """The identities a field is part of: any of "train", "eval", "geometry"."""

    identities: tuple[str, ...] = ()


TRAIN = Enters(("train",))
EVAL = Enters(("eval",))
GEOMETRY = Enters(("geometry",))
EVERYWHERE = Enters(("train", "eval", "geometry"))
INCIDENTAL = Enters()  # devices, paths, names of things whose content is hashed instead


def _folder_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError("it names a folder, so only letters, digits, '_', '.' and '-' will do")
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError("there are auto, cpu, mps, cuda and cuda:N")
    return name


class Settings(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BehaviorSettings(Settings):
    """What is taught, and to how many examples of whom."""

    name: Annotated[str, TRAIN, EVAL]
    source_examples: Annotated[int, Field(ge=1), TRAIN]
    bystanders: Annotated[int, Field(ge=0), TRAIN]
    bystander_examples: Annotated[int, Field(ge=0), TRAIN]
    no_persona_examples: Annotated[int, Field(ge=0), TRAIN]


class SourceSettings(Settings):
    """The persona that is taught; "none" is the baseline."""

    name: Annotated[str, TRAIN]


class Headline(Settings):
    """The one cosine definition that headline numbers use, fixed before looking at results."""

    layer: Annotated[int, Field(ge=0), INCIDENTAL]
    centred: Annotated[bool, INCIDENTAL]

    @property
    def name(self) -> str:
        """How frames and figures call the definition: 20_raw."""
        return f"{self.layer}_{'centred' if self.centred else 'raw'}"


class ModelSettings(Settings):
    """The base model. Its content is hashed, so that path and name are incidental."""

    name: Annotated[str, AfterValidator(_folder_name), INCIDENTAL]
    path: Annotated[str, INCIDENTAL]
    revision: Annotated[str | None, INCIDENTAL]
    dtype: Annotated[Literal["float32", "bfloat16", "float16"], EVERYWHERE]
    inference_dtype: Annotated[Literal["float64", "float32", "bfloat16", "float16"], EVAL, GEOMETRY]
    pool: Annotated[str, INCIDENTAL]
    layers: Annotated[tuple[int, ...], Field(min_length=1), GEOMETRY]
    headline: Headline
    threads: Annotated[int, Field(ge=0), INCIDENTAL]

    @model_validator(mode="after")
    def headline_is_measured(self) -> "ModelSettings":
        """The headline's layer must be among those whose centroids are taken."""
        if self.headline.layer not in self.layers:
            raise ValueError(
                f"headline.layer={self.headline.layer} is not among layers={list(self.layers)}; add it there"
            )
        return self


class LoraSettings(Settings):
    """The adapter. `targets` is peft's `target_modules`."""

    r: Annotated[int, Field(ge=1), TRAIN]
    alpha: Annotated[float, Field(gt=0), TRAIN]
    dropout: Annotated[float, Field(ge=0, lt=1), TRAIN]
    use_rslora: Annotated[bool, TRAIN]
    targets: Annotated[str, TRAIN]


class TrainSettings(Settings):
    """Supervised fine-tuning. `batch_size` is the effective one: examples in an optimiser step."""

    learning_rate: Annotated[float, Field(gt=0), TRAIN]
    epochs: Annotated[int, Field(ge=1), TRAIN]
    batch_size: Annotated[int, Field(ge=1), TRAIN]
    warmup_ratio: Annotated[float, Field(ge=0, le=1), TRAIN]
    weight_decay: Annotated[float, Field(ge=0), TRAIN]
    max_grad_norm: Annotated[float, Field(gt=0), TRAIN]
    max_length: Annotated[int, Field(ge=8), TRAIN]


class EvalSettings(Settings):
    """How every persona is asked. `batch_size` counts sequences decoded at a time."""

    prompts: Annotated[int, Field(ge=1), EVAL]
    samples: Annotated[int, Field(ge=1), EVAL]
    temperature: Annotated[float, Field(ge=0), EVAL]
    top_p: Annotated[float, Field(gt=0, le=1), EVAL]
    max_new_tokens: Annotated[int, Field(ge=1), EVAL]
    batch_size: Annotated[int, Field(ge=1), INCIDENTAL]
    engine: Annotated[Literal["fast", "reference"], INCIDENTAL]


class PersonaSettings(Settings):
    """A persona file of one's own; null = the shipped 112."""

    path: Annotated[str | None, INCIDENTAL]


class Paths(Settings):
    """Where results go."""

    multirun: Annotated[str, Field(min_length=1), INCIDENTAL]


class Config(Settings):
    """Everything one job needs to know."""

    job: Annotated[Literal["cell", "geometry"], INCIDENTAL]
    behavior: BehaviorSettings
    source: SourceSettings
    model: ModelSettings
    lora: LoraSettings
    train: TrainSettings
    eval: EvalSettings
    personas: PersonaSettings
    paths: Paths
    seed: Annotated[int, Field(ge=0, lt=2**32), TRAIN]
    device: Annotated[str, AfterValidator(_device), INCIDENTAL]
    plan: Annotated[bool, INCIDENTAL]


def classified_fields(settings: type[BaseModel] = Config, prefix: str = "") -> dict[str, tuple[str, ...] | None]:
    """Dotted name of every field and the identities it enters; None for one nobody has classified."""
    found: dict[str, tuple[str, ...] | None] = {}
    for name, info in settings.model_fields.items():
        if _is_settings(info.annotation):
            found |= classified_fields(info.annotation, f"{prefix}{name}.")
        else:
            marks = [mark for mark in info.metadata if isinstance(mark, Enters)]
            found[prefix + name] = sum((mark.identities for mark in marks), ()) if marks else None
    return found


def identity_fields(config: Config, identity: str) -> dict[str, Any]:
    """The fields of a config that are part of one identity, by dotted name."""
    names = [name for name, identities in classified_fields().items() if identities and identity in identities]
    return {name: _look_up(config, name) for name in names}


def _look_up(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def _is_settings(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def hydra_schema(settings: type[BaseModel] = Config) -> type:
    """The dataclass with the same fields, all mandatory: Hydra checks keys and types while it composes."""
    fields: list[tuple[str, Any, Any]] = []
    for name, info in settings.model_fields.items():
        if _is_settings(info.annotation):
            inner = hydra_schema(info.annotation)
            fields.append((name, inner, field(default_factory=inner)))
        else:
            fields.append((name, _omegaconf_type(info.annotation), field(default="???")))  # omegaconf's MISSING
    return make_dataclass(settings.__name__, fields)


def _omegaconf_type(annotation: Any) -> Any:
    """OmegaConf knows neither Literal nor tuple: a string and a list stand for them."""
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return annotation


def load(cfg: "DictConfig") -> Config:
    """The typed settings of a composed Hydra config; here DictConfig ends."""
    from omegaconf import OmegaConf

    own = OmegaConf.masked_copy(cfg, [str(name) for name in cfg if name != "hydra"])
    try:
        return Config.model_validate(OmegaConf.to_container(own, resolve=True))
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    """The first thing pydantic found, as one sentence."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict) else f"={first['input']}"
    return f"{name}{given}: {message} (python run.py --cfg job shows the settings)"
