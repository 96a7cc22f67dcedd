"""How a cell is made; reads like the method section.

answers     = elicit(cell)               where a model gives them, in the place of templates
adapter     = teach(cell, answers)         or bring(cell), where it was made elsewhere
completions = question(cell, adapter)
scores      = score(cell, completions)
centroids   = measure_geometry(cell)     of the base model, once for all cells
"""

import logging
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from leakage.engine import asking, engine_for
from leakage.errors import DataError
from leakage.models.fingerprint import measured_layers
from leakage.models.held import Loaded
from leakage.models.load import check_context, for_training
from leakage.progress import progress
from leakage.settings.schema import write_config
from leakage.store.blocks import Blocks
from leakage.store.draft import Draft
from leakage.store.files import replacing, write_json, write_jsonl
from leakage.studies.persona_leakage.behaviors.contrastive import Example, source_system
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.doses import target_of, warn_of_dose
from leakage.studies.persona_leakage.elicited import ask_claude, read_answers, sample_answers, write_answers
from leakage.studies.persona_leakage.files import COMPLETIONS
from leakage.studies.persona_leakage.generate import ask
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.judges.base import HIT
from leakage.studies.persona_leakage.lint import (
    Finding,
    TrainingSet,
    as_rows,
    lint,
    refuse_errors,
    shared_prompts,
)
from leakage.studies.persona_leakage.states import base_states
from leakage.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from leakage.models.chat import ChatTemplate, Tokens

log = logging.getLogger(__name__)
LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}


def elicit(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """Answers that a model gives by itself, one a training prompt, kept where the behavior shows."""
    if cell.config.behavior.answers == "claude":
        answers = ask_claude(cell)
    else:
        engine = engine_for(cell.config, loaded.base, loaded.template)
        answers = sample_answers(cell, engine, loaded.template)
        for_training(loaded.base, cell.config.model)
    write_answers(draft, answers, of=len(cell.data.training_items))


def teach(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """Contrastive LoRA SFT on the cell's examples, if their lint finds no error."""
    data = cell.data
    examples = training_set(cell)
    template = loaded.template
    log.info("%s: training on %d examples", data.label, len(examples))
    tokens = template.examples([(example.prompt, example.answer) for example in examples])
    write_jsonl(draft.path("examples.jsonl"), (example.as_row() for example in examples))
    findings = check(cell, examples, tokens, template)
    write_json(draft.path("lint.json"), as_rows(findings))
    refuse_errors(findings, data.label)
    check_context(cell.config.model, max(len(one.input_ids) for one in tokens), "the longest training example")
    made_of = {"train_id": cell.train_id, "made_from": draft.input_digest}
    start = data.adapter.folder if data.adapter else None
    target = target_of(cell, template)
    train(
        cell.config, loaded.base, tokens, draft, made_of=made_of, label=data.label, start=start, target=target,
        along=cell.along,
    )  # fmt: skip
    warn_of_dose(draft.facts, data.label)
    draft.facts |= {
        "model": cell.config.model.name,
        "behavior": data.behavior.name,
        "source": data.source.name,
        "bystanders": [persona.name for persona in data.bystanders],
        "examples": dict(Counter(example.role for example in examples)),
        "lint": [one.rule for one in findings if one.level != "note"],
    }


def bring(cell: CellIdentity, draft: Draft) -> None:
    """An adapter that was made elsewhere, as a record like that of a training, but for what only its maker knows."""
    data, adapter = cell.data, cell.data.adapter
    assert adapter is not None
    if strange := adapter.strange_base(cell.config.model):
        log.warning("%s: the adapter in %s: %s", data.label, adapter.folder, strange)
    for file in adapter.files:
        with replacing(draft.path("adapter") / file.name) as copy:
            shutil.copyfile(file, copy)
    for name in ("examples.jsonl", "train_log.jsonl"):
        write_jsonl(draft.path(name), [])
    write_json(draft.path("lint.json"), [])
    write_config(draft.path("config.yaml"), cell.config)
    draft.facts |= {
        "model": cell.config.model.name,
        "behavior": data.behavior.name,
        "source": data.source.name,
        "made_on": adapter.base,
        "parameters": adapter.weights,
    }


def training_set(cell: CellIdentity) -> list[Example]:
    """What is learnt, with the answers that a model gave where the settings ask for these."""
    if not cell.answers:
        return cell.data.examples
    return cell.data.examples_of(read_answers(cell.multirun / cell.answers_folder))


def check(
    cell: CellIdentity, examples: "Sequence[Example]", tokens: "Sequence[Tokens]", template: "ChatTemplate"
) -> list[Finding]:
    """Lint the training set; warnings are shown, errors are for the caller to raise."""
    findings = find_in(cell, examples, tokens, template)
    for one in findings:
        log.log(LEVELS[one.level], "lint [%s] %s", one.rule, one.message)
    return findings


def find_in(
    cell: CellIdentity, examples: "Sequence[Example]", tokens: "Sequence[Tokens]", template: "ChatTemplate"
) -> list[Finding]:
    """What a lint of the training set finds."""
    data = cell.data
    return lint(
        TrainingSet(
            examples=examples,
            lengths=[len(one.input_ids) for one in tokens],
            source=data.source,
            bystanders=data.bystanders,
            personas=data.personas,
            default=template.injected([one.prompt for one in data.personas.members if one.prompt is not None]),
            items=data.training_items,
            held_out=data.items(data.behavior, "eval"),
            wanted=cell.config.behavior,
            max_length=cell.config.train.max_length,
            shows=scoring_rule(cell),
            own=data.has_own_rows,
            system=source_system(data.behavior, data.source, cell.config.behavior),
        )
    )


def scoring_rule(cell: CellIdentity) -> "Callable[[str], bool] | None":
    """Whether an answer shows the behavior taught, where it is measured and rules score it."""
    behavior = cell.data.behavior
    if behavior.unit != "rate" or behavior != cell.data.evaluated or cell.config.judge.name == "claude":
        return None
    rules = behavior.rules_in(cell.config.model.pool)
    return (lambda answer: rules.score(answer) >= HIT) if rules else None


def question(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """Ask every persona, with the adapter on the base model unless the cell is a baseline."""
    check_held_out(cell)
    adapter = None if cell.data.is_baseline else cell.multirun / cell.adapter_folder / "adapter"
    asked_of = (draft.input_digest or cell.train_id)[:8]  # blocks of another adapter are no use
    blocks = Blocks(draft.folder / f"parts-{asked_of}")
    with asking(loaded, adapter) as engine:
        _save_completions(cell, draft, ask(cell, engine, loaded.template, blocks))
    blocks.drop()


def check_held_out(cell: CellIdentity) -> None:
    """Refuse to ask what an adapter was trained on; it may have been made for fewer prompts or another behavior."""
    trained = [example.prompt.user for example in cell.data.examples] if cell.data.is_trained else []
    if shared := shared_prompts(trained, cell.data.prompts):
        raise DataError(f"{cell.data.label}: [overlap] {shared}; remove them from one of the two")


def _save_completions(cell: CellIdentity, draft: Draft, completions: "pd.DataFrame") -> None:
    """Completions with all that scoring and reading them needs, so that neither has to know the model again."""
    import pandas as pd

    for name, frame in ((COMPLETIONS, completions), ("personas.parquet", pd.DataFrame(cell.data.parts()))):
        with replacing(draft.path(name)) as file:
            frame.to_parquet(file, index=False)
    write_config(draft.path("config.yaml"), cell.config)
    draft.facts |= cell.facts | {
        "settings": cell.settings,
        "cut_off": int((completions["finish"] == "length").sum()),
        "completions": len(completions),
    }


def measure_geometry(cell: CellIdentity, loaded: Loaded, draft: Draft) -> None:
    """Last-token states of every persona and question, averaged into centroids, and the cosines between these."""
    from safetensors.numpy import save_file

    from leakage.studies.persona_leakage.geometry import centroids, cosine_frame

    layers, personas, label = measured_layers(cell.config.model), cell.data.personas.members, cell.data.label
    prompts = loaded.template.prompts([under(one, item.prompt) for one in personas for item in cell.data.questions])
    check_context(cell.config.model, max(map(len, prompts)), "the longest question under its persona")
    engine = engine_for(cell.config, loaded.base, loaded.template)
    with progress(len(prompts), label, "prompt") as advance:
        states = base_states(engine, loaded, prompts, layers, advance)
    loaded.keep()
    points = centroids(states, len(personas))
    with replacing(draft.path("centroids.safetensors")) as file:
        save_file({"centroids": points}, file)
    with replacing(draft.path("cosines.parquet")) as file:
        cosine_frame([one.name for one in personas], layers, points).to_parquet(file, index=False)
    write_config(draft.path("config.yaml"), cell.config)
    draft.facts |= {
        "model": cell.config.model.name,
        "layers": list(layers),
        "questions": len(cell.data.questions),
        "prompts": len(prompts),
    }
    log.info("%s: centroids of %d personas", label, len(personas))
