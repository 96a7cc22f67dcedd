"""Loading a base model, its tokenizer and an adapter."""

import gc
import logging
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from leakage.errors import DataError, LeakageError, ModelError, first_line
from leakage.models.adapter import reach
from leakage.models.chat import SPOKEN, ChatTemplate, Prompt
from leakage.models.check import Probes, adapted, template_findings
from leakage.models.devices import pick_device
from leakage.models.fingerprint import fingerprint, locate, positions
from leakage.models.memory import shapes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from leakage.settings.config import LoraSettings, ModelSettings

log = logging.getLogger(__name__)


def load_template(settings: "ModelSettings") -> ChatTemplate:
    """The tokenizer with its chat template, and what ends a turn."""
    tokenizer = load_tokenizer(settings)
    return ChatTemplate(tokenizer, settings.template, stop_tokens(settings, tokenizer))


def plain_template(tokenizer: "PreTrainedTokenizerBase") -> ChatTemplate:
    """A chat template as it is, where the end-of-text token ends a turn."""
    from leakage.settings.config import TemplateSettings

    assert isinstance(tokenizer.eos_token_id, int)
    settings = TemplateSettings(system="turn", date="2024-07-26", arguments={}, stops=())
    return ChatTemplate(tokenizer, settings, frozenset([tokenizer.eos_token_id]))


def load_tokenizer(settings: "ModelSettings") -> "PreTrainedTokenizerBase":
    """The tokenizer with its chat template."""
    from transformers import AutoTokenizer

    located = locate(settings.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(located, revision=settings.revision, trust_remote_code=False)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ModelError(
            f"cannot load the tokenizer of {located}: {first_line(error)}; copy its files again"
        ) from error
    _refuse_no_template(tokenizer, located, settings.template.arguments.get("chat_template"))
    if not tokenizer("Hello", add_special_tokens=False)["input_ids"]:
        raise ModelError(
            f"the tokenizer of {located} turns text into nothing: its files are incomplete; copy them again"
        )
    if tokenizer.pad_token_id is None:  # padding is masked, so that any token will do
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def _refuse_no_template(tokenizer: "PreTrainedTokenizerBase", located: str, chosen: object) -> None:
    templates = tokenizer.chat_template
    if templates is None:
        raise ModelError(f"the tokenizer of {located} has no chat template; use a chat model")
    if isinstance(templates, dict) and (chosen or "default") not in templates:
        names = ", ".join(sorted(templates))
        lacks = f"for {chosen}" if chosen else "by default"
        raise ModelError(
            f"the tokenizer of {located} has chat templates for {names} and none {lacks}; choose one with "
            f"+model.template.arguments.chat_template={min(templates)}"
        )


def stop_tokens(settings: "ModelSettings", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Every token that ends a turn: the tokenizer's, those of the generation config, and those the settings add."""
    configured = generation_config(settings).eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    known = tokenizer.get_vocab() if settings.template.stops else {}
    if unknown := [name for name in settings.template.stops if name not in known]:
        raise ModelError(
            f"model.template.stops: {settings.name} has no token {unknown[0]!r}; name one of its tokens, as written"
        )
    added = [known[name] for name in settings.template.stops]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id, *added) if token is not None)


def generation_config(settings: "ModelSettings") -> Any:
    """A model's generation config; of a model without one, what its config says of generation."""
    from transformers import AutoConfig, GenerationConfig

    located = locate(settings.path)
    try:
        return GenerationConfig.from_pretrained(located, revision=settings.revision)
    except OSError:
        config = AutoConfig.from_pretrained(located, revision=settings.revision, trust_remote_code=False)
        return GenerationConfig.from_model_config(config)


def check(settings: "ModelSettings", lora: "LoraSettings", probes: Probes) -> list[str]:
    """What is wrong with a model, its template or an adapter on it: a sentence each, before any weights are read."""
    quiet()
    wrong: list[str] = []
    try:
        fingerprint(settings.path, settings.revision)
        shapes(settings)
        adapted(settings, lora)
    except LeakageError as error:
        wrong.append(str(error))
    try:
        return [*wrong, *template_findings(load_template(settings), settings, probes)]
    except LeakageError as error:
        return [*wrong, str(error)]


def describe(settings: "ModelSettings", lora: "LoraSettings", probes: Probes) -> list[str]:
    """What a model that is fit reads, learns and stops at, and how much of it is taught: a line each."""
    template = load_template(settings)
    (asked,) = probes.prompts[:1] or (Prompt("You are a pirate.", "Hello"),)
    opened, answer = template.answered(asked, SPOKEN)
    stops = " ".join(template.tokenizer.convert_ids_to_tokens(id) or f"({id})" for id in sorted(template.stops))
    labels = "; ".join(" ".join(wanted) for wanted in probes.labels)
    return [
        f"reads      {opened!r}",
        f"learns     {answer!r}",
        f"stops at   {stops}",
        f"adapts     {reach(adapted(settings, lora)):.0%} of the weights of its blocks",
        f"told apart {len(probes.prompts)} prompts, labels {labels}",
    ]


def quiet() -> None:
    """Leave out what transformers says while it loads."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # peft's to heed, not a user's


def load_base(settings: "ModelSettings", device: str) -> Any:
    """The base model in its training dtype, on its device, complete: a missing weight is an error."""
    import torch
    from transformers import GenerationConfig

    if settings.threads:
        torch.set_num_threads(settings.threads)
    model, report = _read_weights(settings)
    _refuse_other_weights(report, locate(settings.path))
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ModelError(
            f"{locate(settings.path)} holds an adapter beside its weights; give model.path a copy of the model alone"
        )
    # its sampling fields (Qwen2.5: repetition_penalty 1.05) would otherwise enter every generate unasked
    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
    return model.to(pick_device(device)).eval()


def _read_weights(settings: "ModelSettings") -> tuple[Any, Mapping[str, Any]]:
    """The model, and what transformers tells of names that it did not find a place or a weight for."""
    import torch
    from transformers import AutoModelForCausalLM

    _leave_imports_alone()
    located = locate(settings.path)
    try:
        return AutoModelForCausalLM.from_pretrained(  # type: ignore[no-any-return]
            located, revision=settings.revision, dtype=getattr(torch, settings.dtype), use_safetensors=True,
            trust_remote_code=False, output_loading_info=True,
        )  # fmt: skip
    except LeakageError:
        raise
    except Exception as error:  # safetensors, torch and the hub each raise their own kinds
        raise ModelError(
            f"cannot load the weights of {located}: {first_line(error)}; "
            "give model.path a folder with a whole copy of the model"
        ) from error


@lru_cache(maxsize=1)
def _leave_imports_alone() -> None:
    """Every search for garbage would go through the million objects of torch and transformers, a third of a second."""
    gc.freeze()


def _refuse_other_weights(report: Mapping[str, Any], located: str) -> None:
    if report["missing_keys"]:
        lost = sorted(report["missing_keys"])
        raise ModelError(f"the weights of {located} lack {len(lost)} tensors, {lost[0]} first; copy the model again")
    if report["unexpected_keys"]:
        strange = sorted(report["unexpected_keys"])
        raise ModelError(
            f"config.json of {located} has no place for {len(strange)} tensors of its weights, {strange[0]} first: "
            "they are of two models; copy both of one"
        )


def check_context(settings: "ModelSettings", tokens: int, what: str, mend: str = "shorten it") -> None:
    """Refuse texts that the model's positions cannot hold."""
    context = positions(settings)
    if context is not None and tokens > context:
        raise DataError(f"{what} takes {tokens} tokens, but the model has {context} positions; {mend}")


def for_inference(model: Any, settings: "ModelSettings") -> Any:
    """The model in its inference dtype.

    An adapter stays unmerged, since merging into bf16 loses part of a small delta; only float64 has the room to
    take it in whole, and then saves its extra products.
    """
    import torch

    model = model.to(getattr(torch, settings.inference_dtype))
    if settings.inference_dtype == "float64":  # which the grouped product of a mixture's experts does not take
        model.set_experts_implementation("eager")
    mergeable = settings.inference_dtype == "float64" and hasattr(model, "merge_and_unload")
    return model.merge_and_unload() if mergeable else model


def for_training(model: Any, settings: "ModelSettings") -> Any:
    """The base model back in its training dtype, after it has been asked something."""
    import torch

    return model.to(getattr(torch, settings.dtype))
