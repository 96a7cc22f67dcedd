"""Whether a model and its chat template are fit to be taught and asked: seconds, without the weights."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from importlib.util import find_spec
from inspect import signature, unwrap
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from leakage.errors import LeakageError, ModelError, first_line
from leakage.models.adapter import fresh
from leakage.models.chat import SPOKEN, ChatTemplate, Prompt
from leakage.models.fingerprint import SHIPPED, locate, text_config

if TYPE_CHECKING:
    from leakage.settings.config import EvalSettings, LoraSettings, ModelSettings


@dataclass(frozen=True)
class Probes:
    """What a job asks, as far as a chat template could make one thing of two.

    prompts: all different; labels: those of every kind of multiple-choice question
    """

    prompts: tuple[Prompt, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()

    def __or__(self, other: "Probes") -> "Probes":
        """Both."""
        prompts, labels = dict.fromkeys(self.prompts + other.prompts), dict.fromkeys(self.labels + other.labels)
        return Probes(tuple(prompts), tuple(labels))


OWN = {"messages", "conversation", "tokenize", "add_generation_prompt", "strftime_now"}  # what no user may set
CHOICES = Probes(labels=(("A)", "B)", "C)", "D)"),))  # of most multiple-choice questions


def engine_findings(settings: "EvalSettings", model: "ModelSettings") -> Iterator[str]:
    """Why the engine that is asked for cannot ask this model, each with its mend."""
    if settings.engine != "vllm":
        return
    if model.path.startswith(SHIPPED):
        yield f"eval.engine=vllm: {model.name} is none of vLLM's models (its heads are 24 wide); leave out eval.engine"
        return
    if find_spec("vllm") is None:
        yield "eval.engine=vllm: vLLM is not installed here; docs/models.md says how, or leave out eval.engine"
    if model.inference_dtype == "float64":
        yield (
            f"eval.engine=vllm: it has no float64, in which {model.name} is asked; add model.inference_dtype=float32"
        )


def refuse_unfit(template: ChatTemplate, settings: "ModelSettings", probes: Probes) -> None:
    """An error that names everything that is wrong with a model's template, each with its mend."""
    if wrong := list(template_findings(template, settings, probes)):
        raise ModelError("; and ".join(wrong))


def template_findings(template: ChatTemplate, settings: "ModelSettings", probes: Probes) -> Iterator[str]:
    """What would make plausible numbers of the wrong text, a sentence each."""
    if own := sorted(set(template.settings.arguments) & OWN):
        yield f"model.template.arguments.{own[0]} is set by the project itself; leave it out"
        return  # nothing works with it
    checks: list[Callable[[], object]] = [
        partial(_vocabulary_fits, template, settings),
        partial(_arguments_are_asked_for, template),
        partial(_answers_are_learnt_as_they_are, template),
        partial(_prompts_render_apart, template, probes.prompts),
        *(partial(template.labels, labels) for labels in probes.labels),
    ]  # fmt: skip
    said = set()
    for check in checks:
        try:
            check()
        except LeakageError as error:
            if str(error) not in said:  # a template that always fails, fails them all
                yield str(error)
            said.add(str(error))


def _vocabulary_fits(template: ChatTemplate, settings: "ModelSettings") -> None:
    largest = max(template.tokenizer.get_vocab().values())
    rows = int(text_config(settings.path, settings.revision)["vocab_size"])
    if largest >= rows:
        raise ModelError(
            f"the tokenizer of {settings.name} has tokens up to {largest}, and the model knows {rows}; copy both of "
            "one model"
        )


def _arguments_are_asked_for(template: ChatTemplate) -> None:
    if unused := template.unused():
        raise ModelError(
            f"the chat template of {template.tokenizer.name_or_path} never asks for {unused[0]}, so that "
            f"model.template.arguments.{unused[0]} changes nothing; mind its spelling, or leave it out"
        )


def _answers_are_learnt_as_they_are(template: ChatTemplate) -> None:
    """A chat of one answer: its words are kept, and its end is a token that ends a turn."""
    _ = template.opening
    template.examples([(Prompt(None, "Hello"), SPOKEN)])


def _prompts_render_apart(template: ChatTemplate, prompts: Sequence[Prompt]) -> None:
    by_text: dict[str, Prompt] = {}
    for prompt in prompts:
        text = template.text(prompt)
        other = by_text.setdefault(text, prompt)
        if other != prompt and not _is_put_in(other, prompt, text):
            one, two = (_short(each.system if other.user == prompt.user else each.user) for each in (other, prompt))
            raise ModelError(
                f"the chat template of {template.tokenizer.name_or_path} makes the same text of {one} and {two}; "
                "where it leaves the system turn out, model.template.system=user folds it into the user turn"
            )


def _is_put_in(one: Prompt, other: Prompt, text: str) -> bool:
    """Whether two prompts, of which one has no system text, are one text because the template puts the other's in."""
    if replace(one, system=None) != replace(other, system=None) or (one.system and other.system):
        return False
    return (one.system or other.system or "") in text


def _short(text: str | None) -> str:
    return "no system text" if text is None else repr(text if len(text) < 60 else f"{text[:57]}...")


def adapted(settings: "ModelSettings", lora: "LoraSettings") -> Any:
    """The model with an adapter on it, both without weights; an error where it cannot be built, read from a cache or
    given the adapter. Told from its config alone.
    """
    model = _skeleton(settings)
    if not _hands_over_what_it_read(type(model).forward):
        raise ModelError(
            f"{settings.name} ({model.config.model_type}) keeps what it has read in a way of its own, which the engine "
            "does not know; use a model whose forward takes and returns past_key_values"
        )
    return fresh(model, lora)


def _hands_over_what_it_read(forward: Callable[..., Any]) -> bool:
    """Whether a forward takes a cache and returns it: some take one, and keep half of it to themselves."""
    if "past_key_values" not in signature(forward).parameters:
        return False
    try:
        returned = get_type_hints(unwrap(forward)).get("return")
    except Exception:  # a hint that only a type checker can read
        return True
    outputs = [kind for kind in get_args(returned) or [returned] if is_dataclass(kind)]
    return not outputs or any("past_key_values" in {one.name for one in fields(kind)} for kind in outputs)


def _skeleton(settings: "ModelSettings") -> Any:
    """The model without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    located = locate(settings.path)
    try:
        config = AutoConfig.from_pretrained(located, revision=settings.revision, trust_remote_code=False)
        if quantised := getattr(config, "quantization_config", None):
            method = dict(quantised).get("quant_method", "somehow")
            raise ModelError(
                f"the weights of {located} are quantised ({method}), so that no adapter could be merged and "
                "model.dtype would not be true; give model.path the full weights"
            )
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except LeakageError:
        raise
    except Exception as error:  # each family's configuration checks itself in its own way
        raise ModelError(
            f"{located} cannot be built: {first_line(error)}; only causal language models that transformers knows by "
            "itself can be used, a model's own code is never run"
        ) from error
