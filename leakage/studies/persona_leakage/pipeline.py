"""How a job runs; reads like the method section."""

import logging
from functools import lru_cache
from shlex import quote
from typing import TYPE_CHECKING, Any

from leakage.engine import engine_for
from leakage.errors import DataError
from leakage.jobs.job import Staged
from leakage.jobs.of import job_of
from leakage.jobs.plan import Job, Plan, hold_to_plan, set_aside
from leakage.jobs.signals import Stopped, stopping_softly
from leakage.models.chat import Prompt, encode, render
from leakage.models.load import Loaded, attach, check_context, load_pair, measured_layers
from leakage.progress import progress
from leakage.settings.config import Config
from leakage.settings.schema import write_config
from leakage.store.blocks import Parts
from leakage.store.files import replacing
from leakage.store.record import Draft
from leakage.studies.alignment_faking.study import run_trial
from leakage.studies.alignment_faking.trial import Trial
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.generate import ask
from leakage.studies.persona_leakage.lint import shared_prompts
from leakage.studies.persona_leakage.scoring import score
from leakage.studies.persona_leakage.training import teach

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def run(config: Config) -> str:
    """Do one job; alone, outside a sweep, first what its result is read against. Returns the job's folder."""
    job = job_of(config)
    with stopping_softly():
        if config.planned:
            hold_to_plan(job)
            do(job)
        else:
            do_alone(job)
    return str(job.job_folder)


def do_alone(asked: Staged) -> None:
    """A job after those its result is read against."""
    plan = Plan(tuple(Job((), one, done=one.is_done(), asked=one == asked) for one in (*asked.needs(), asked)))
    plan.keep()
    if asked.config.mode == "force":
        set_aside([asked])
    for job in plan.jobs:
        do(job.cell)
    log.info("results in %s", asked.record(asked.job_folder).folder)
    table = "table --study faking" if isinstance(asked, Trial) else "table"
    log.info("look at them with: python -m leakage %s --multirun %s", table, quote(asked.config.paths.multirun))


def do(job: Staged) -> None:
    """Run a job; however it ends but by a kill, its records say so."""
    try:
        if job.is_done():
            log.info("%s: done already, nothing to compute", job.label)
        elif isinstance(job, Trial):
            run_trial(job)
        elif isinstance(job, Cell):
            (run_geometry if job.kind == "geometry" else run_cell)(job)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # a sys.exit from anywhere below is a failure to be named as well
        if (left := job.open_stage()) and not left[1].has_failed():
            left[1].fail(error, stage=left[0])
        if job.config.planned:  # alone, the error is the last word anyway
            log.error("%s: failed: %s", job.label, error)
        raise


def run_cell(cell: Cell) -> None:
    """Teach the source, ask every persona, score the answers; each part only if it is not done yet."""
    import pandas as pd

    adapter, answers, scores = (cell.record(one) for one in (cell.train_folder, cell.eval_folder, cell.scores_folder))
    if lacks := cell.judge.lacks():
        log.warning("%s cannot be judged yet: %s; what is made is kept, and judged later", cell.label, lacks)
    loaded = lru_cache(maxsize=1)(lambda: load_pair(cell.config, cell.label))  # another judge needs no model
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
    cell.fill(
        record, "geometry", cell.geometry_id, cell.geometry_identity,
        lambda draft: measure_geometry(cell, *load_pair(cell.config, cell.label), draft),
    )  # fmt: skip


def measure_geometry(cell: Cell, base: Any, tokenizer: Any, draft: Draft) -> None:
    """Last-token states of every persona and question, averaged into centroids."""
    from safetensors.numpy import save_file

    from leakage.studies.persona_leakage.geometry import centroids, cosine_frame

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
    write_config(draft.path("config.yaml"), cell.config)
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
    write_config(draft.path("config.yaml"), cell.config)
    draft.facts |= cell.facts | {
        "made_from": cell.made_from(cell.record(cell.eval_folder)),
        "cut_off": int((completions["finish"] == "length").sum()),
        "completions": len(completions),
    }
