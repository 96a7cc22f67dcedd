"""Teaching a cell's behavior: examples, their lint, an adapter. The second study teaches the same way."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from leakage.models.chat import Tokens, encode_examples, injected_default
from leakage.models.load import Loaded, check_context
from leakage.settings.config import Config
from leakage.settings.schema import write_config
from leakage.store.files import write_json, write_jsonl
from leakage.store.record import Draft
from leakage.studies.persona_leakage.behaviors.contrastive import Example
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.elicited import training_examples
from leakage.studies.persona_leakage.lint import Finding, TrainingSet, as_rows, lint, refuse_errors

log = logging.getLogger(__name__)


def teach(cell: Cell, loaded: Loaded, draft: Draft) -> None:
    """Contrastive LoRA SFT on the cell's examples, if their lint finds no error."""
    examples = training_examples(cell, loaded)
    base, tokenizer = loaded()
    log.info("%s: training on %d examples", cell.label, len(examples))
    tokens = encode_examples(tokenizer, [(example.prompt, example.answer) for example in examples])
    write_jsonl(draft.path("examples.jsonl"), (example.as_row() for example in examples))
    findings = check(cell, examples, tokens, tokenizer)
    write_json(draft.path("lint.json"), as_rows(findings))
    refuse_errors(findings, cell.label)
    check_context(base, max(len(one.input_ids) for one in tokens), "the longest training example")
    made_from = cell.made_from(cell.record(cell.train_folder))
    made_of = {"train_id": cell.train_id, "made_from": made_from}
    train(cell.config, base, tokens, draft, made_of=made_of, label=cell.label)
    draft.facts |= {
        "made_from": made_from,
        "model": cell.config.model.name,
        "behavior": cell.behavior.name,
        "source": cell.source.name,
        "bystanders": [persona.name for persona in cell.bystanders],
        "examples": dict(Counter(example.role for example in examples)),
        "lint": [one.rule for one in findings],
    }


def train(
    config: Config, base: Any, tokens: Sequence[Tokens], draft: Draft, *,
    made_of: Mapping[str, Any], label: str, new_tokens: Sequence[int] = (), shuffled: bool = True,
) -> None:  # fmt: skip
    """Train from the last whole checkpoint, if there is one that was `made_of` the very same."""
    from leakage.training.checkpoints import Checkpoints
    from leakage.training.sft import train_adapter

    checkpoints = Checkpoints(draft.folder / "checkpoints", made_of, every_s=config.train.checkpoint_s)
    trained = train_adapter(
        base, tokens, draft.path("adapter"), lora=config.lora, train=config.train, seed=config.seed,
        checkpoints=checkpoints, label=label, new_tokens=new_tokens, shuffled=shuffled,
    )  # fmt: skip
    write_jsonl(draft.path("train_log.jsonl"), trained.log)
    write_config(draft.path("config.yaml"), config)
    checkpoints.drop()
    draft.facts |= {
        "steps": trained.steps,
        "trainable_parameters": trained.trainable_parameters,
        "final_loss": trained.log[-1]["loss"],
    }


def check(cell: Cell, examples: Sequence[Example], tokens: Sequence[Tokens], tokenizer: Any) -> list[Finding]:
    """Lint the training set; warnings are shown, errors are for the caller to raise."""
    findings = lint(
        TrainingSet(
            examples=examples,
            lengths=[len(one.input_ids) for one in tokens],
            source=cell.source,
            bystanders=cell.bystanders,
            personas=cell.personas,
            default=injected_default(tokenizer, [one.prompt for one in cell.personas.members]),
            items=cell.training_items,
            held_out=cell.items(cell.behavior, "eval"),
            wanted=cell.config.behavior,
            max_length=cell.config.train.max_length,
        )
    )
    for one in findings:
        log.log(logging.ERROR if one.level == "error" else logging.WARNING, "lint [%s] %s", one.rule, one.message)
    return findings
