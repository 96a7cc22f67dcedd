"""A template that writes something before an answer moves the place of its letter, in training and in reading alike."""

import numpy as np
import pytest

from leakage.engine.fast import FastEngine
from leakage.models.adapter import attach
from leakage.models.chat import IGNORED, ChatTemplate, Prompt
from leakage.models.load import load_base, load_template, plain_template
from leakage.training.checkpoints import Checkpoints
from leakage.training.sft import train_adapter
from tests.unit.helpers import lora_settings, model_settings, train_settings

BEFORE = {"nothing": "", "a think block": "<think>\\n\\n</think>\\n\\n", "a space": " "}
LETTERS = ("A)", "B)", "C)", "D)")
TURN = "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"


def written_before(answers: str) -> ChatTemplate:
    """The embedded model's template, with something before every answer."""
    tokenizer = load_template(model_settings()).tokenizer
    assert TURN in tokenizer.chat_template
    theirs = TURN.replace("'\\n' + message.content", f"'\\n{answers}' + message.content")
    branch = "{%- if message.role == 'assistant' %}" + theirs + "{%- else %}" + TURN + "{%- endif %}"
    tokenizer.chat_template = tokenizer.chat_template.replace(TURN, branch)
    return plain_template(tokenizer)


@pytest.mark.parametrize("before", BEFORE)
def test_a_label_is_the_first_token_that_training_teaches_of_it(before):
    template = written_before(BEFORE[before])
    prompt = Prompt("You are a villain.", "Which one is it?")
    labels = template.labels(LETTERS)
    (opened,) = template.prompts([prompt])
    for letter, label in zip(LETTERS, labels.ids, strict=True):
        (taught,) = template.examples([(prompt, letter)])
        at = len(labels.after(opened))
        assert taught.input_ids[:at] == labels.after(opened)
        assert taught.labels[at] == taught.input_ids[at] == label


@pytest.mark.parametrize("before", BEFORE)
def test_what_was_taught_is_what_is_read_whatever_the_template_writes_before_it(before, tmp_path):
    """The same letter, weights and data: read right behind the generation prompt, the think block would hide it."""
    template, base = written_before(BEFORE[before]), load_base(model_settings(), "cpu")
    prompts = [Prompt(f"You are a {who}.", f"Question {i}: which?") for i in range(6) for who in ("pirate", "queen")]
    examples = template.examples([(prompt, "C)") for prompt in prompts])
    unwritten = sorted({label for one in examples for label in one.labels if label != IGNORED})  # such as <think>
    trained = train_adapter(
        base, examples, tmp_path / "adapter", lora=lora_settings(), seed=1, label="test", new_tokens=unwritten,
        train=train_settings(learning_rate=5e-3, epochs=20),
        checkpoints=Checkpoints(tmp_path / "checkpoints", {}, every_s=1000),
    )  # fmt: skip
    assert trained.log[-1]["loss"] < 0.2
    labels = template.labels(LETTERS)
    engine = FastEngine(attach(base, tmp_path / "adapter"), template.tokenizer, 8, template.stops)
    asked = [labels.after(ids) for ids in template.prompts(prompts)]
    logprobs = engine.choice_logprobs(asked, [labels.ids] * len(asked), progress=lambda _: None)
    assert np.exp(np.array(logprobs)[:, LETTERS.index("C)")]).min() > 0.7
