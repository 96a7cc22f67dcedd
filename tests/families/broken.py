"""A Qwen2 in which one thing is wrong, each as it has been met: check must say what, in one sentence."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TURN = "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"


def rewrite(old: str, new: str) -> Callable[[Path], None]:
    """The template with one thing in another's place."""

    def change(folder: Path) -> None:
        file = folder / "chat_template.jinja"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


def of_answers(written: str) -> Callable[[Path], None]:
    """The template with another way to write an answer."""
    return rewrite(
        TURN, f"{{%- if message.role == 'assistant' %}}{{{{- {written} }}}}{{%- else %}}{TURN}{{%- endif %}}"
    )


def configure(**changes: Any) -> Callable[[Path], None]:
    """config.json with other values."""
    return lambda folder: edit(folder / "config.json", changes)


def edit(file: Path, changes: dict[str, Any]) -> None:
    """A JSON file with other values."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def name_templates(folder: Path) -> None:
    """Two templates with names, none by default."""
    text = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    named = [{"name": name, "template": text} for name in ("tool_use", "rag")]
    edit(folder / "tokenizer_config.json", {"chat_template": named})


def lose_the_ends(folder: Path) -> None:
    """Neither an end nor a padding token in any file."""
    for name in ("config.json", "generation_config.json"):
        edit(folder / name, {"eos_token_id": None, "pad_token_id": None})
    edit(folder / "tokenizer_config.json", {"eos_token": None, "pad_token": None})


def leave_an_adapter(folder: Path) -> None:
    """What peft saves, beside the weights."""
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "elsewhere", "r": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(adapter | {"task_type": "CAUSAL_LM"}))


def bring_code(model_type: str) -> Callable[[Path], None]:
    """A model that names code of its own, which leaves a mark where it is run."""

    def change(folder: Path) -> None:
        mark = f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n"
        (folder / "modeling_own.py").write_text(mark + "class Own: pass\n")
        auto = {"AutoConfig": "modeling_own.Own", "AutoModelForCausalLM": "modeling_own.Own"}
        edit(folder / "config.json", {"auto_map": auto, "model_type": model_type})

    return change


@dataclass(frozen=True)
class Broken:
    """What is wrong, and the sentence of check; {path} and {name} stand for the model's."""

    name: str
    change: Callable[[Path], None]
    sentence: str

    def copy(self, whole: Path, folder: Path) -> Path:
        """A copy of the checkpoint with the fault in it."""
        shutil.copytree(whole, folder)
        self.change(folder)
        return folder


_TEMPLATE = "the chat template of {path}"
_NO_STOP = (
    "which ends no turn: no answer would ever stop; name the token that does in model.template.stops, or mend "
    "eos_token_id in the model's generation_config.json"
)
_UNKNOWN = "only causal language models that transformers knows by itself can be used, a model's own code is never run"
BROKEN = [
    Broken(
        "drops the system turn",
        rewrite(TURN, f"{{%- if message.role != 'system' %}}{TURN}{{%- endif %}}"),
        _TEMPLATE + " makes the same text of 'You are a helpful assistant.' and 'You are a villain.'; where it "
        "leaves the system turn out, model.template.system=user folds it into the user turn",
    ),
    Broken(
        "closes with another token",
        of_answers("'<|im_start|>assistant\\n' + message.content + '<|endoftext|>\\n'"),
        _TEMPLATE + f" closes an answer with '<|endoftext|>', {_NO_STOP}",
    ),
    Broken(
        "closes with nothing",
        of_answers("'<|im_start|>assistant\\n' + message.content"),
        _TEMPLATE + f" closes an answer with '.', {_NO_STOP}",
    ),
    Broken(
        "rewrites the answer",
        of_answers("'<|im_start|>assistant\\n' + message.content|lower + '<|im_end|>\\n'"),
        _TEMPLATE + " rewrites what an answer says ('Ostriches cannot fly, but they run.' becomes 'ostriches cannot "
        "fly, but they run.<|im_end|>'); mend it there",
    ),
    Broken(
        "named templates", name_templates,
        "the tokenizer of {path} has chat templates for rag, tool_use and none by default; choose one with "
        "+model.template.arguments.chat_template=rag",
    ),
    Broken("ends are null", lose_the_ends, _TEMPLATE + f" closes an answer with '<|im_end|>', {_NO_STOP}"),
    Broken(
        "tokenizer too large", configure(vocab_size=700),
        "the tokenizer of {name} has tokens up to 799, and the model knows 700; copy both of one model",
    ),
    Broken(
        "adapter beside the weights", leave_an_adapter,
        "{path} holds an adapter_config.json, which would be loaded on top of the weights; move the adapter elsewhere, "
        "or merge it into the weights",
    ),
    Broken(
        "quantised", configure(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}),
        "the weights of {path} are quantised (bitsandbytes), so that no adapter could be merged and model.dtype would "
        "not be true; give model.path the full weights",
    ),
    Broken("code of its own", bring_code("own"),
           "{path} cannot be built: The repository {path} contains custom code which must be executed to correctly "
           f"load the model. You can inspect the repository content at {{path}}; {_UNKNOWN}"),
    Broken(
        "raises a TypeError", rewrite("message.content +", "message.content + none +"),
        _TEMPLATE + ' fails: can only concatenate str (not "NoneType") to str; mend it there, or give it what it asks '
        "for: +model.template.arguments.NAME=…",
    ),
]  # fmt: skip
