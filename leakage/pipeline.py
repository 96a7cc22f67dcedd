"""How a job runs; reads like the method section."""

import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from shlex import quote
from typing import TYPE_CHECKING, Any

from leakage.answers import Loaded, training_examples
from leakage.asking import ask
from leakage.behaviors.contrastive import Example
from leakage.cell import Cell
from leakage.chat import Prompt, Tokens, encode, encode_examples, injected_default, render
from leakage.config import Config
from leakage.engine import engine_for
from leakage.errors import DataError
from leakage.lint import Finding, TrainingSet, as_rows, lint, refuse_errors, shared_prompts
from leakage.models import attach, check_context, load_base, load_tokenizer, measured_layers
from leakage.progress import progress
from leakage.scoring import score
from leakage.stopping import Stopped, stopping_softly
from leakage.store.files import replacing, write_json, write_jsonl
from leakage.store.parts import Parts
from leakage.store.record import Draft
from leakage.sweep import Job, Plan, hold_to_plan, set_aside

if TYPE_CHECKING:
    import pandas as pd

    from leakage.training.sft import Trained

log = logging.getLogger(__name__)


def run(config: Config) -> str:
    """Do one job; alone, outside a sweep, first what its result is read against. Returns the job's folder."""
    cell = Cell(config)
    with stopping_softly():
        if config.planned:
            hold_to_plan(cell)
            do(cell)
        else:
            do_alone(cell)
    return str(cell.job_folder)


def do_alone(cell: Cell) -> None:
    """A cell with its geometry and its baseline, one after the other."""
    plan = Plan(tuple(Job((), one, done=one.is_done(), asked=one == cell) for one in (*cell.needs(), cell)))
    plan.keep()
    if cell.config.mode == "force":
        set_aside([cell])
    for job in plan.jobs:
        do(job.cell)
    log.info("results in %s", cell.record(cell.job_folder).folder)
    log.info("look at them with: python -m leakage table --multirun %s", quote(cell.config.paths.multirun))


def do(cell: Cell) -> None:
    """Run a job; however it ends but by a kill, its records say so."""
    try:
        (run_geometry if cell.config.job == "geometry" else run_cell)(cell)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # a sys.exit from anywhere below is a failure to be named as well
        if (left := cell.open_stage()) and not left[1].has_failed():
            left[1].fail(error, stage=left[0])
        if cell.config.planned:  # alone, the error is the last word anyway
            log.error("%s: failed: %s", cell.label, error)
        raise


def run_cell(cell: Cell) -> None:
    """Teach the source, ask every persona, score the answers; each part only if it is not done yet."""
    import pandas as pd

    if cell.is_done():
        log.info("%s: done already, nothing to compute", cell.label)
        return
    adapter, answers, scores = (cell.record(one) for one in (cell.train_folder, cell.eval_folder, cell.scores_folder))
    if lacks := cell.judge.lacks():
        log.warning("%s cannot be judged yet: %s; what is made is kept, and judged later", cell.label, lacks)
    loaded = lru_cache(maxsize=1)(lambda: _load(cell))  # another judge needs no model
    if not cell.is_baseline:
        cell.fill(adapter, "adapter", cell.train_id, cell.train_identity, lambda draft: teach(cell, loaded, draft))
    cell.fill(answers, "completions", cell.eval_id, cell.eval_identity, lambda draft: question(cell, loaded, draft))
    score(
        answers, cell.judge, facts=cell.facts, personas=pd.DataFrame(cell.parts()), label=cell.label,
        wanted=lambda: cell.wants(scores),
    )  # fmt: skip


def question(cell: Cell, loaded: Loaded, draft: Draft) -> None:
    """Ask every persona, with the adapter on the base model unless the cell is a baseline."""
    check_held_out(cell)
    base, tokenizer = loaded()
    adapter, answers = cell.record(cell.train_folder), cell.record(cell.eval_folder)
    model = base if cell.is_baseline else attach(base, adapter.folder / "adapter")
    asked_of = (cell.made_from(answers) or cell.train_id)[:8]  # parts of another adapter are no use
    parts = Parts(answers.folder / f"parts-{asked_of}")
    _save_completions(cell, draft, ask(cell, engine_for(cell.config, model, tokenizer), model, tokenizer, parts))
    parts.drop()


def check_held_out(cell: Cell) -> None:
    """Refuse to ask what an adapter was trained on; it may have been made for fewer prompts or another behavior."""
    trained = [] if cell.is_baseline else [example.prompt.user for example in cell.examples]
    if found := shared_prompts(trained, cell.prompts):
        raise DataError(f"{cell.label}: [overlap] {found}; remove them from one of the two")


def run_geometry(cell: Cell) -> None:
    """Centroids of all personas in the base model, and the cosines between them."""
    record = cell.record(cell.geometry_folder)
    if cell.is_done():
        log.info("%s: done already, nothing to compute", cell.label)
        return
    cell.fill(
        record, "geometry", cell.geometry_id, cell.geometry_identity,
        lambda draft: measure_geometry(cell, *_load(cell), draft),
    )  # fmt: skip


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
    trained = train(cell, base, tokens, draft)
    _save_config(draft, cell.config)
    draft.facts |= {
        "made_from": cell.made_from(cell.record(cell.train_folder)),
        "model": cell.config.model.name,
        "behavior": cell.behavior.name,
        "source": cell.source.name,
        "bystanders": [persona.name for persona in cell.bystanders],
        "examples": dict(Counter(example.role for example in examples)),
        "lint": [one.rule for one in findings],
        "steps": trained.steps,
        "trainable_parameters": trained.trainable_parameters,
        "final_loss": trained.log[-1]["loss"],
    }


def train(cell: Cell, base: Any, tokens: Sequence[Tokens], draft: Draft) -> "Trained":
    """Train from the last whole checkpoint, if there is one of these very examples."""
    from leakage.training.checkpoints import Checkpoints
    from leakage.training.sft import train_adapter

    config, record = cell.config, cell.record(cell.train_folder)
    made_of = {"train_id": cell.train_id, "made_from": cell.made_from(record)}
    checkpoints = Checkpoints(record.folder / "checkpoints", made_of, every_s=config.train.checkpoint_s)
    trained = train_adapter(
        base, tokens, draft.path("adapter"), lora=config.lora, train=config.train, seed=config.seed,
        checkpoints=checkpoints, label=cell.label,
    )  # fmt: skip
    write_jsonl(draft.path("train_log.jsonl"), trained.log)
    checkpoints.drop()
    return trained


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


def measure_geometry(cell: Cell, base: Any, tokenizer: Any, draft: Draft) -> None:
    """Last-token states of every persona and question, averaged into centroids."""
    from safetensors.numpy import save_file

    from leakage.geometry import centroids, cosine_frame

    layers, personas = measured_layers(cell.config.model), cell.personas.members
    texts = [render(tokenizer, Prompt(one.prompt, item.prompt)) for one in personas for item in cell.questions]
    prompts = encode(tokenizer, texts)
    check_context(base, max(map(len, prompts)), "the longest question under its persona")
    engine = engine_for(cell.config, base, tokenizer)
    with progress(len(texts), cell.label, "prompt") as advance:
        states = engine.hidden_states(prompts, layers, progress=advance)
    points = centroids(states, len(personas))
    with replacing(draft.path("centroids.safetensors")) as file:
        save_file({"centroids": points}, file)
    with replacing(draft.path("cosines.parquet")) as file:
        cosine_frame([one.name for one in personas], layers, points).to_parquet(file, index=False)
    _save_config(draft, cell.config)
    draft.facts |= {
        "model": cell.config.model.name,
        "layers": list(layers),
        "questions": len(cell.questions),
        "prompts": len(texts),
    }
    log.info("%s: centroids of %d personas", cell.label, len(personas))


def _save_completions(cell: Cell, draft: Draft, completions: "pd.DataFrame") -> None:
    """Completions with all that scoring and reading them needs, so that neither has to know the model again."""
    import pandas as pd

    for name, frame in (("completions", completions), ("personas", pd.DataFrame(cell.parts()))):
        with replacing(draft.path(f"{name}.parquet")) as file:
            frame.to_parquet(file, index=False)
    _save_config(draft, cell.config)
    draft.facts |= cell.facts | {
        "made_from": cell.made_from(cell.record(cell.eval_folder)),
        "cut_off": int((completions["finish"] == "length").sum()),
        "completions": len(completions),
    }


def _save_config(draft: Draft, config: Config) -> None:
    from omegaconf import OmegaConf

    with replacing(draft.path("config.yaml")) as file:
        OmegaConf.save(OmegaConf.create(config.model_dump(mode="json")), file)


def _load(cell: Cell) -> tuple[Any, Any]:
    """Base model and tokenizer."""
    from transformers.utils import logging as transformers_logging

    log.info("%s: loading %s", cell.label, cell.config.model.path)
    transformers_logging.set_verbosity_error()  # its bars and notices would tear ours
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # peft's to heed, not a user's
    return load_base(cell.config.model, cell.config.device), load_tokenizer(cell.config.model)
