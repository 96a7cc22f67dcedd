"""The families: which architecture goes with which tokenizer and chat template, and how small it can be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.families.checkpoints import (
    CHATML,
    GEMMA,
    GEMMA_SIZES,
    GPT,
    HARMONY,
    LFM2,
    LLAMA2,
    LLAMA3,
    MISTRAL3,
    OLMO2,
    PHI3,
    THINKING,
    USUAL,
    Family,
)
from tests.unit.helpers import template_settings

HYBRID = {
    "num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"], "head_dim": 16,
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
NO_SIZES = dict.fromkeys(USUAL)
EYE = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
IM_END = "{answer}<|im_end|>"

# Where `reach` is below 0.9, peft's all-linear leaves linear layers out. Of a mixture it takes the experts' projections
# for those of fused experts alone, and leaves a shared expert's and a dense block's of the same names as they are
# (qwen3-next, deepseek-v3); experts that are no linear layers in any version it does not know at all (gpt-oss).
# Layers of a state space it refuses (falcon-h1), so that others are named.
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
    Family("qwen3-next", "qwen3_next", CHATML, "chatml", IM_END, HYBRID | MIXTURE, dtype="float32", reach=0.85),
    Family("granite", "granite", CHATML, "chatml", IM_END,
           {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
            "attention_multiplier": 0.0625}),
    Family("gpt-neox", "gpt_neox", GPT, "plain", "{answer}<|endoftext|>"),
    Family("gpt2", "gpt2", GPT, "plain", "{answer}<|endoftext|>", GPT2),
    Family("mixtral", "mixtral", CHATML, "chatml", IM_END,
           {"num_local_experts": 4, "num_experts_per_tok": 2}),
    Family("qwen3-moe", "qwen3_moe", CHATML, "chatml", IM_END, MIXTURE | {"head_dim": 16}),
    Family("bloom", "bloom", GPT, "plain", "{answer}<|endoftext|>", dtype="float32"),
    Family("falcon", "falcon", GPT, "plain", "{answer}<|endoftext|>"),
    Family("gemma3-vision", "gemma3", GEMMA, "gemma3", "{answer}<end_of_turn>",
           NO_SIZES | {"tie_word_embeddings": False, "initializer_range": 0.3, "vision_config": EYE,
            "text_config": USUAL | GEMMA_SIZES | {"layer_types": ["sliding_attention", "full_attention"]},
            "mm_tokens_per_image": 4}, ends=("<end_of_turn>",)),
    Family("llava", "llava", CHATML, "chatml", IM_END,
           NO_SIZES | {"text_config": {"model_type": "llama"} | USUAL, "vision_config": EYE}),
    Family("gpt-oss", "gpt_oss", HARMONY, "harmony", "<|channel|>final<|message|>{answer}<|return|>",
           {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 16, "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"]}, reach=0.1),
    Family("falcon-h1", "falcon_h1", CHATML, "chatml", IM_END,
           {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16, "mamba_n_groups": 1,
            "mamba_chunk_size": 16}, dtype="float32", reach=0.8,
           lora={"targets": r".*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj|in_proj)"}),
    Family("recurrent-gemma", "recurrent_gemma", GEMMA, "gemma3", "{answer}<end_of_turn>",
           {"num_hidden_layers": 3, "attention_window_size": 16, "lru_width": 64}, ends=("<end_of_turn>",)),
    Family("deepseek-v3", "deepseek_v3", CHATML, "chatml", IM_END,
           {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "n_group": 1, "topk_group": 1,
            "num_key_value_heads": 4, "first_k_dense_replace": 1, "q_lora_rank": 16, "kv_lora_rank": 16,
            "qk_rope_head_dim": 16, "qk_nope_head_dim": 16, "v_head_dim": 16}, reach=0.6),
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
OF_ITS_OWN = (
    "{name} ({type}) keeps what it has read in a way of its own, which the engine does not know; use a model whose "
    "forward takes and returns past_key_values"
)
ALIEN = {"mamba2": "mamba2", "recurrent-gemma": "recurrent_gemma"}
REFUSED = [
    Refused(
        named("mistral1"),
        f"{FAILS}: Conversation roles must alternate user/assistant/user/assistant/; {FOLDS}",
        SYSTEM_TURN,
    ),
    Refused(named("gemma2"), f"{FAILS}: System role not supported; {FOLDS}", SYSTEM_TURN),
    Refused(named("mixtral"), NO_DROPOUT, lora={"dropout": 0.05}),
    Refused(named("qwen3-moe"), NO_DROPOUT, lora={"dropout": 0.05}),
    *(Refused(named(name), OF_ITS_OWN.format(name=name, type=kind)) for name, kind in ALIEN.items()),
    Refused(
        named("llava"),
        "{path} cannot be built: Unrecognized configuration class <class "
        "'transformers.models.llava.configuration_llava.LlavaConfig'> for this kind of AutoModel: "
        "AutoModelForCausalLM; only causal language models that transformers knows by itself can be used, a model's "
        "own code is never run",
    ),
    Refused(
        named("falcon-h1"),
        "lora.targets=all-linear: [PEFT:PeftType.LORA] Module 'out_proj' is incompatible with Mamba-based models "
        "(model_type='falcon_h1'); name the layers by a pattern of their full names, such as "
        "lora.targets='.*[.](q|k|v|o|gate|up|down)_proj'",
        lora={"targets": "all-linear"},
    ),
]
RIGHT = [
    family for family in FAMILIES
    if not any(one.family == family and not one.settings and not one.lora for one in REFUSED)
]  # fmt: skip
LONG = {"gpt-oss", "deepseek-v3", "falcon-h1", "gemma3-vision"}  # what the others do not show takes a fifth of the time
EVERY = [
    pytest.param(family, id=family.name, marks=[pytest.mark.long] if family.name in LONG else []) for family in RIGHT
]
