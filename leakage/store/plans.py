"""What was asked for: the jobs of every sweep, kept so that a job can be held to its plan and a lost one be missed."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from leakage.errors import StoreError
from leakage.store.files import canonical, digest, replacing

log = logging.getLogger(__name__)
FOLDER = ".plans"


class PlannedStep(BaseModel):
    """One record as it was planned: its folder below the multirun, its id, and what its manifest must tell."""

    model_config = ConfigDict(frozen=True)

    kind: str
    folder: Path
    id: str = ""
    facts: dict[str, Any] = {}


class PlannedJob(BaseModel):
    """One job as it was planned. steps: the records it fills, in order; folder: that of the last of them."""

    model_config = ConfigDict(frozen=True)

    label: str
    kind: str
    folder: str
    steps: tuple[PlannedStep, ...]
    config: dict[str, Any]
    identity: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _older(cls, values: Any) -> Any:
        """Plans of before named the folder of each kind of record, and nothing else of it."""
        if isinstance(values, dict) and "stages" in values:
            stages = values["stages"].items()
            values = {name: value for name, value in values.items() if name != "stages"}
            return values | {"steps": [{"kind": kind, "folder": folder} for kind, folder in stages]}
        return values

    @classmethod
    def of_record(cls, folder: str) -> "PlannedJob":
        """A record that lies there without a plan: copied from elsewhere, or made for several cells at once."""
        step = PlannedStep(kind="record", folder=Path(folder))
        return cls(label=folder, kind="record", folder=folder, steps=(step,), config={}, identity={})


class Plan(BaseModel):
    """The jobs of one sweep."""

    model_config = ConfigDict(frozen=True)

    jobs: list[PlannedJob]


def keep_plan(multirun: Path, jobs: Sequence[PlannedJob]) -> str:
    """Write a plan; its name is a digest, so that the same sweep started again has the same."""
    content = {"jobs": [job.model_dump(mode="json") for job in jobs]}
    name = digest(content)[:12]
    with replacing(multirun / FOLDER / f"{name}.json") as draft:  # also in the place of one that is damaged or old
        draft.write_text(canonical(content), encoding="utf-8")
    return name


def planned_job(multirun: Path, reference: str) -> PlannedJob:
    """A job by its plan's name and its place there: 1f2e3d4c5b6a/7."""
    name, _, place = reference.partition("/")
    file = multirun / FOLDER / f"{name}.json"
    try:
        return Plan.model_validate_json(file.read_bytes()).jobs[int(place)]
    except (OSError, ValueError, IndexError) as error:
        cause = "it is gone" if not file.exists() else "it is damaged"
        raise StoreError(f"the plan of this job, {file}, cannot be read: {cause}; start the sweep again") from error


def planned_jobs(multirun: Path) -> list[PlannedJob]:
    """The jobs of all plans, each folder once, in the order in which they were asked for."""
    jobs: dict[str, PlannedJob] = {}
    folder = multirun / FOLDER
    files = [file for file in folder.iterdir() if file.suffix == ".json"] if folder.exists() else []
    for file in sorted(files, key=lambda file: file.stat().st_mtime):
        try:
            jobs |= {job.folder: job for job in Plan.model_validate_json(file.read_bytes()).jobs}
        except ValidationError:
            log.warning("the plan %s is damaged; what it promised is not missed until its sweep is started again", file)
    return list(jobs.values())


def as_planned(job: PlannedJob, folder: str, config: dict[str, Any], identity: dict[str, Any]) -> None:
    """Refuse a job whose ids are not the planned ones, and say which field changed."""
    if folder == job.folder:
        return
    changed = list(_changes(job.config, config)) or list(_changes(job.identity, identity))
    fields = "; ".join(changed[:3]) + (f"; and {len(changed) - 3} more" if len(changed) > 3 else "")
    raise StoreError(
        f"{job.label} is not what was planned: {fields or 'its folder'}; a config or data file was edited while "
        "the job waited; start the sweep again for the new settings, or undo the edit"
    )


def _changes(planned: Any, now: Any, name: str = "") -> Iterable[str]:
    """Every leaf that differs, by dotted name."""
    if isinstance(planned, dict) and isinstance(now, dict):
        for key in sorted(planned.keys() | now.keys()):
            if key != "planned":
                yield from _changes(planned.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif planned != now:
        yield f"{name} was {_short(planned)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:8]}…"
