"""The families: which architecture goes with which tokenizer and chat template, and how small it can be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.families.checkpoints import (
    CHATML,
    GEMMA,
    GEMMA_SIZES,
    GPT,
    LFM2,
    LLAMA2,
    LLAMA3,
    MISTRAL3,
    OLMO2,
    PHI3,
    THINKING,
    Family,
)
from tests.unit.helpers import template_settings

HYBRID = {
    "num_hidden_layers": 4, "layer_types": ["linear_attention", "full_attention"] * 2, "head_dim": 16,
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip
MIXTURE = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32,
}  # fmt: skip
GPT2 = {
    "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048,
    **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")),
    **dict.fromkeys(("intermediate_size", "max_position_embeddings")),
}  # fmt: skip
IM_END = "{answer}<|im_end|>"

FAMILIES = [
    Family("qwen2", "qwen2", CHATML, "chatml", IM_END, {"tie_word_embeddings": True}),
    Family(
        "qwen3", "qwen3", THINKING, "think", IM_END, {"head_dim": 16},
        {"arguments": {"enable_thinking": False}},
    ),
    Family(
        "qwen3-thinking", "qwen3", THINKING, "think", "<think>\n\n</think>\n\n{answer}<|im_end|>", {"head_dim": 16}
    ),
    Family("llama3.1", "llama", LLAMA3, "llama31", "{answer}<|eot_id|>"),
    Family("llama3.2", "llama", LLAMA3, "llama32", "{answer}<|eot_id|>", {"tie_word_embeddings": True}),
    Family("llama2", "llama", LLAMA2, "llama2", "{answer} </s>"),
    Family("mistral1", "mistral", LLAMA2, "mistral1", "{answer}</s>", {"sliding_window": 16}, {"system": "user"}),
    Family("mistral3", "mistral", MISTRAL3, "mistral3", "{answer}</s>", {"sliding_window": 16}),
    Family(
        "gemma2", "gemma2", GEMMA, "gemma2", "{answer}<end_of_turn>", GEMMA_SIZES | {"final_logit_softcapping": 5.0},
        {"system": "user"}, ("<end_of_turn>",), dtype="float32"),
    Family(
        "gemma3", "gemma3_text", GEMMA, "gemma3", "{answer}<end_of_turn>",
        GEMMA_SIZES | {"layer_types": ["sliding_attention", "full_attention"]}, ends=("<end_of_turn>",),
    ),
    Family("phi3", "phi3", PHI3, "phi3", "{answer}<|end|>", {"original_max_position_embeddings": 2048},
           ends=("<|end|>",)),
    Family("olmo2", "olmo2", OLMO2, "olmo2", "{answer}<|endoftext|>"),
    Family("lfm2", "lfm2", LFM2, "turns", IM_END,
           {"num_hidden_layers": 4, "layer_types": ["conv", "full_attention"] * 2}),
    Family("qwen3-next", "qwen3_next", CHATML, "chatml", IM_END, HYBRID | MIXTURE, dtype="float32"),
    Family("granite", "granite", CHATML, "chatml", IM_END,
           {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
            "attention_multiplier": 0.0625}),
    Family("gpt-neox", "gpt_neox", GPT, "plain", "{answer}<|endoftext|>"),
    Family("gpt2", "gpt2", GPT, "plain", "{answer}<|endoftext|>", GPT2),
    Family("mixtral", "mixtral", CHATML, "chatml", IM_END,
           {"num_local_experts": 4, "num_experts_per_tok": 2}, dtype="float32"),
    Family("qwen3-moe", "qwen3_moe", CHATML, "chatml", IM_END, MIXTURE | {"head_dim": 16}, dtype="float32"),
    Family("bloom", "bloom", GPT, "plain", "{answer}<|endoftext|>", dtype="float32"),
    Family("falcon", "falcon", GPT, "plain", "{answer}<|endoftext|>"),
    Family("mamba2", "mamba2", CHATML, "chatml", IM_END,
           {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1}),
]  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """A use of a family that is an error before anything is computed, with its sentence."""

    family: Family
    sentence: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    lora: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The family, and how it was used."""
        used = [*self.settings, *(f"lora.{name}={value}" for name, value in self.lora.items())]
        return "-".join([self.family.name, *used])


def named(name: str) -> Family:
    """A family by its name."""
    return next(family for family in FAMILIES if family.name == name)


FAILS = "the chat template of {path} fails"
FOLDS = "model.template.system=user folds the system text into the user turn"
SYSTEM_TURN = {"template": template_settings()}
NO_DROPOUT = "lora.dropout=0.05: an adapter on this model's experts can have none; set lora.dropout=0"
REFUSED = [
    Refused(
        named("mistral1"),
        f"{FAILS}: Conversation roles must alternate user/assistant/user/assistant/; {FOLDS}",
        SYSTEM_TURN,
    ),
    Refused(named("gemma2"), f"{FAILS}: System role not supported; {FOLDS}", SYSTEM_TURN),
    Refused(named("mixtral"), NO_DROPOUT, lora={"dropout": 0.05}),
    Refused(named("qwen3-moe"), NO_DROPOUT, lora={"dropout": 0.05}),
    Refused(
        named("mamba2"),
        "{name} (mamba2) keeps what it has read in a way of its own, which the engine does not know; use a model whose "
        "forward takes past_key_values",
    ),
]
RIGHT = [family for family in FAMILIES if family.name != "mamba2"]
