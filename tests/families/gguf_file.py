"""A family's checkpoint written as one GGUF file, as llama.cpp's converter does of Qwen2."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

BLOCKS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def write_gguf(folder: Path, file: Path, *, architecture: str = "qwen2", quantised: bool = True) -> None:
    """Weights, tokenizer and chat template of a Qwen2 in the hub's format as one file, its matrices in 8 bits."""
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    writer = GGUFWriter(file, architecture)
    config = json.loads((folder / "config.json").read_text())
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    _add_tokenizer(writer, folder, config)
    for name, weight in load_file(folder / "model.safetensors").items():
        if quantised and weight.ndim == 2:
            eight = GGMLQuantizationType.Q8_0
            writer.add_tensor(_called(name), quantize(weight, eight), raw_dtype=eight)
        else:
            writer.add_tensor(_called(name), weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer, folder, config):
    words = json.loads((folder / "tokenizer.json").read_text())
    special = {one["content"]: one["id"] for one in words["added_tokens"]}
    vocabulary = sorted((words["model"]["vocab"] | special).items(), key=lambda pair: pair[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if token in special else 1 for token, _ in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in words["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def _called(name):
    """llama.cpp's name of a tensor."""
    parts = name.split(".")
    if parts[1] == "layers":
        return f"blk.{parts[2]}.{BLOCKS['.'.join(parts[3:-1])]}.{parts[-1]}"
    return {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[parts[1]]
