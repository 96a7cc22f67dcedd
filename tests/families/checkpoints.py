"""Tiny random checkpoints, one of every family of chat models, written as the hub stores them.

Each is an architecture with the tokenizer and the chat template it goes with: faults sit where the three meet. The
weights are random and wide, so that every logit tells a wrong position or a wrong neighbour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.families.tokenizers import Style, tokenizer
from tests.unit.helpers import lora_settings, model_settings, template_settings

TEMPLATES = Path(__file__).parent / "templates"

CHATML = Style("bytes", ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), eos="<|im_end|>", pad="<|endoftext|>")
THINKING = Style(
    "bytes", CHATML.specials, eos="<|im_end|>", pad="<|endoftext|>", added=("<think>", "</think>")
)  # fmt: skip
LLAMA3 = Style(
    "bytes", ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    bos="<|begin_of_text|>", eos="<|eot_id|>", digits=3,
)  # fmt: skip
LLAMA2 = Style("legacy", ("<s>", "</s>"), bos="<s>", eos="</s>")
MISTRAL3 = Style("first", ("<s>", "</s>", "[INST]", "[/INST]"), bos="<s>", eos="</s>")
GEMMA = Style(
    "never", ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"), bos="<bos>", eos="<eos>", pad="<pad>"
)
PHI3 = Style(
    "first", ("<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
    bos="<s>", eos="<|endoftext|>", pad="<|endoftext|>",
)  # fmt: skip
OLMO2 = Style("bytes", ("<|endoftext|>", "<|pad|>"), bos="<|endoftext|>", eos="<|endoftext|>", pad="<|pad|>")
LFM2 = Style(
    "bytes", ("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    bos="<|startoftext|>", eos="<|im_end|>", pad="<|pad|>",
)  # fmt: skip
HARMONY = Style(
    "bytes", ("<|startoftext|>", "<|endoftext|>", "<|return|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>"),
    bos="<|startoftext|>", eos="<|return|>", pad="<|endoftext|>", digits=3,
)  # fmt: skip
GPT = Style("bytes", ("<|endoftext|>",), bos="<|endoftext|>", eos="<|endoftext|>")

USUAL = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 128, "max_position_embeddings": 2048, "initializer_range": 0.3, "tie_word_embeddings": False,
}  # fmt: skip
GEMMA_SIZES = {"head_dim": 16, "sliding_window": 16, "query_pre_attn_scalar": 16}


@dataclass(frozen=True)
class Family:
    """An architecture with the tokenizer and template it goes with.

    taught: what the labelled tokens of an answer read as; config: what the architecture has besides USUAL, None for a
    name it does not have; template_settings: model.template's; ends: stops of the generation config besides eos;
    dtype: the widest that its forward takes; reach: the least share of its blocks' weights that all-linear adapts
    """

    name: str
    model_type: str
    style: Style
    template: str
    taught: str
    config: Mapping[str, Any] = field(default_factory=dict)
    template_settings: Mapping[str, Any] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    dtype: str = "float64"
    reach: float = 0.9
    lora: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, folder: Path, **changes: Any) -> Any:
        """The model's settings, as a configuration would give them."""
        values = {"name": self.name, "path": str(folder), "layers": None, "inference_dtype": self.dtype}
        return model_settings(**(values | {"template": template_settings(**self.template_settings)} | changes))

    def adapter(self, **changes: Any) -> Any:
        """The settings of an adapter that fits it."""
        return lora_settings(**(dict(self.lora) | changes))

    def overrides(self) -> list[str]:
        """The template's settings as arguments of the program."""
        arguments = self.template_settings.get("arguments", {})
        given = [f"+model.template.arguments.{name}={str(value).lower()}" for name, value in arguments.items()]
        return given + [
            f"model.template.{name}={value}" for name, value in self.template_settings.items() if name != "arguments"
        ]


def write(family: Family, folder: Path) -> None:
    """The family's checkpoint: weights, configurations and tokenizer."""
    from transformers import AutoConfig, GenerationConfig

    words = tokenizer(family.style, (TEMPLATES / f"{family.template}.jinja").read_text())
    ids = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    sizes = {name: value for name, value in (USUAL | dict(family.config)).items() if value is not None}
    if "text_config" in sizes:
        sizes["text_config"] = sizes["text_config"] | {"vocab_size": len(words)} | ids
    model = _random(AutoConfig.for_model(family.model_type, vocab_size=len(words), **sizes, **ids))
    stops = [words.eos_token_id, *words.convert_tokens_to_ids(list(family.ends))]
    model.generation_config = GenerationConfig(**(ids | {"eos_token_id": stops}))
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def _random(config: Any) -> Any:
    """A model of random weights; of one that only sees and speaks, its own class."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    torch.manual_seed(0)
    kind = AutoModelForImageTextToText if config.model_type == "llava" else AutoModelForCausalLM
    return kind.from_config(config, dtype=torch.float32)
