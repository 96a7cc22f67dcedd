"""How a job runs; reads like the method section."""

import logging
import warnings
from collections import Counter
from shlex import quote
from typing import TYPE_CHECKING, Any

from leakage.cell import WEIGHTS, Cell
from leakage.chat import Prompt, encode, encode_examples, render
from leakage.config import Config
from leakage.engine import Completion, Engine, Request, Sampling, build_engine
from leakage.errors import LeakageError
from leakage.models import attach, check_context, for_inference, load_base, load_tokenizer
from leakage.progress import progress
from leakage.store.files import file_digest, replacing, write_jsonl
from leakage.store.record import Draft, Record, Status

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def run(config: Config, *, with_needs: bool) -> str:
    """Do one job, and first what its result is read against when `with_needs`; returns its folder."""
    cell = Cell(config)
    for one in [*(cell.needs() if with_needs else []), cell]:
        if one.config.job == "geometry":
            run_geometry(one)
        else:
            run_cell(one)
    if with_needs:
        log.info("results in %s", cell.record(cell.job_folder).folder)
        log.info("look at them with: python -m leakage table --multirun %s", quote(config.paths.multirun))
    return str(cell.job_folder)


def run_cell(cell: Cell) -> None:
    """Teach the source, ask every persona, score the answers; each part only if it is not done yet."""
    if cell.is_done():
        log.info("%s: done already, nothing to compute", cell.label)
        return
    adapter, answers = cell.record(cell.train_folder), cell.record(cell.eval_folder)
    base, tokenizer = _load(cell, answers)
    if not cell.is_baseline and _is_wanted(cell, adapter):
        with adapter.writing("adapter", cell.train_id, identity=cell.train_identity) as draft:
            teach(cell, base, tokenizer, draft)
    if _is_wanted(cell, answers, stale=not cell.answers_are_current()):
        with answers.writing("eval", cell.eval_id, identity=cell.eval_identity) as draft:
            model = base if cell.is_baseline else attach(base, adapter.folder / "adapter")
            completions = ask(cell, model, tokenizer)
            _save_answers(cell, draft, completions, score(cell, completions))


def run_geometry(cell: Cell) -> None:
    """Centroids of all personas in the base model, and the cosines between them."""
    record = cell.record(cell.geometry_folder)
    if not _is_wanted(cell, record):
        log.info("%s: done already, nothing to compute", cell.label)
        return
    base, tokenizer = _load(cell, record)
    with record.writing("geometry", cell.geometry_id, identity=cell.geometry_identity) as draft:
        measure_geometry(cell, base, tokenizer, draft)


def teach(cell: Cell, base: Any, tokenizer: Any, draft: Draft) -> None:
    """Contrastive LoRA SFT on the cell's examples."""
    from leakage.training.sft import train_adapter

    config = cell.config
    log.info("%s: training on %d examples", cell.label, len(cell.examples))
    pairs = [(example.prompt, example.answer) for example in cell.examples]
    tokens = encode_examples(tokenizer, pairs, max_length=config.train.max_length)
    check_context(base, max(len(one.input_ids) for one in tokens), "the longest training example")
    write_jsonl(draft.path("examples.jsonl"), (example.as_row() for example in cell.examples))
    trained = train_adapter(
        base,
        tokens,
        draft.path("adapter"),
        lora=config.lora,
        train=config.train,
        seed=config.seed,
        label=cell.label,
    )
    write_jsonl(draft.path("train_log.jsonl"), trained.log)
    _save_config(draft, config)
    draft.facts |= {
        "source": cell.source.name,
        "bystanders": [persona.name for persona in cell.bystanders],
        "examples": dict(Counter(example.role for example in cell.examples)),
        "steps": trained.steps,
        "trainable_parameters": trained.trainable_parameters,
        "final_loss": trained.log[-1]["loss"],
    }


def ask(cell: Cell, model: Any, tokenizer: Any) -> "pd.DataFrame":
    """Every persona, every held-out prompt, every sample: one row a completion."""
    import pandas as pd

    asked = [(persona, i, item) for persona in cell.personas.members for i, item in enumerate(cell.prompts)]
    settings = cell.config.eval
    texts = [render(tokenizer, Prompt(persona.prompt, item.prompt)) for persona, _, item in asked]
    requests = [
        Request(tokens, tuple(f"{cell.train_id}/{persona.name}/{i}/{n}" for n in range(settings.samples)))
        for tokens, (persona, i, _) in zip(encode(tokenizer, texts), asked, strict=True)
    ]
    longest = max(len(request.tokens) for request in requests) + settings.max_new_tokens
    check_context(model, longest, "the longest prompt with eval.max_new_tokens")
    engine = _engine(cell.config, model, tokenizer)
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    with progress(len(requests) * settings.samples, f"{cell.label}: asking", "answer") as advance:
        replies = engine.generate(requests, sampling, progress=advance)
    rows = [
        {"persona": persona.name, "prompt": i, "user": item.prompt, "sample": n, **_columns(completion)}
        for (persona, i, item), completions in zip(asked, replies, strict=True)
        for n, completion in enumerate(completions)
    ]
    return pd.DataFrame(rows)


def score(cell: Cell, completions: "pd.DataFrame") -> "pd.DataFrame":
    """Per persona, in how many of its n completions the behavior shows: integers, so that ties stay ties."""
    import pandas as pd

    shows = completions["completion"].map(cell.behavior.shows)
    counts = shows.groupby(completions["persona"], sort=False).agg(k="sum", n="size").astype("int64")
    return pd.DataFrame(cell.parts()).merge(counts, left_on="persona", right_index=True, validate="1:1")


def measure_geometry(cell: Cell, base: Any, tokenizer: Any, draft: Draft) -> None:
    """Last-token states of every persona and question, averaged into centroids."""
    from safetensors.numpy import save_file

    from leakage.geometry import centroids, cosine_frame

    layers, personas = cell.config.model.layers, cell.personas.members
    texts = [render(tokenizer, Prompt(one.prompt, item.prompt)) for one in personas for item in cell.questions]
    prompts = encode(tokenizer, texts)
    check_context(base, max(map(len, prompts)), "the longest question under its persona")
    engine = _engine(cell.config, base, tokenizer)
    with progress(len(texts), cell.label, "prompt") as advance:
        states = engine.hidden_states(prompts, layers, progress=advance)
    points = centroids(states, len(personas))
    with replacing(draft.path("centroids.safetensors")) as file:
        save_file({"centroids": points}, file)
    with replacing(draft.path("cosines.parquet")) as file:
        cosine_frame([one.name for one in personas], layers, points).to_parquet(file, index=False)
    _save_config(draft, cell.config)
    draft.facts |= {"model": cell.config.model.name, "layers": list(layers), "questions": len(cell.questions)}
    log.info("%s: centroids of %d personas", cell.label, len(personas))


def _save_answers(cell: Cell, draft: Draft, completions: "pd.DataFrame", scores: "pd.DataFrame") -> None:
    for name, frame in (("completions", completions), ("scores", scores)):
        with replacing(draft.path(f"{name}.parquet")) as file:
            frame.to_parquet(file, index=False)
    _save_config(draft, cell.config)
    model = cell.config.model
    draft.facts |= {
        "model": model.name,
        "behavior": cell.behavior.name,
        "unit": cell.behavior.unit,
        "leak_direction": cell.behavior.leak_direction,
        "source": cell.config.source.name,
        "seed": cell.config.seed,
        "train_id": cell.train_id,
        "headline": model.headline.name,
        "settings": cell.settings,
        "cut_off": int((completions["finish"] == "length").sum()),
        "completions": len(completions),
    }
    if not cell.is_baseline:  # what a reader joins the scores with
        geometry, baseline = cell.needs()
        draft.facts |= {"baseline": str(baseline.eval_folder), "geometry": str(geometry.geometry_folder)}
        draft.facts["adapter"] = file_digest(cell.record(cell.train_folder).folder / WEIGHTS)
    log.info("%s: %d completions scored", cell.label, len(completions))


def _save_config(draft: Draft, config: Config) -> None:
    from omegaconf import OmegaConf

    with replacing(draft.path("config.yaml")) as file:
        OmegaConf.save(OmegaConf.create(config.model_dump(mode="json")), file)


def _is_wanted(cell: Cell, record: Record, *, stale: bool = False) -> bool:
    """Whether a record is still to be made; one that is damaged, or whole but stale, is set aside first."""
    status = record.status()
    if status is Status.DAMAGED or (status is Status.DONE and stale):
        cause = record.damage() or "these are the answers of another adapter"
        log.warning("%s: %s; kept in %s and made again", cell.label, cause, record.set_aside())
        return True
    return status is not Status.DONE


def _load(cell: Cell, record: Record) -> tuple[Any, Any]:
    """Base model and tokenizer; a failure to load is the record's failure."""
    from transformers.utils import logging as transformers_logging

    log.info("%s: loading %s", cell.label, cell.config.model.path)
    transformers_logging.set_verbosity_error()  # its bars and notices would tear ours
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # peft's to heed, not a user's
    try:
        return load_base(cell.config.model, cell.config.device), load_tokenizer(cell.config.model)
    except LeakageError as error:
        record.fail(error)
        raise


def _engine(config: Config, model: Any, tokenizer: Any) -> Engine:
    return build_engine(for_inference(model, config.model), tokenizer, config.eval)


def _columns(completion: Completion) -> dict[str, Any]:
    return {"completion": completion.text, "tokens": completion.tokens, "finish": completion.finish}
