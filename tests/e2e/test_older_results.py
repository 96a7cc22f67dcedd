"""A results folder made by an earlier version of the house (commit 8b1b334) is read, resumed, and not computed again.

In it: three cells and a trial. Of the cell of the comedian the adapter was made and nothing else: its start was killed
there. The cell of the librarian was taught answers that the model gave itself.
"""

import json
from hashlib import sha256

from leakage.jobs.status import all_jobs
from leakage.store.find import find
from leakage.store.record import Status
from leakage.studies.persona_leakage.artifacts import read_artifacts
from leakage.studies.registry import studies

CELL = ["debug=tiny", "lora.r=1"]
TRIAL = ["--config-name", "faking", "arm=planted", "arm.rounds=1", "debug=tiny", "lora.r=1"]


def written(multirun):
    return {path: path.stat().st_mtime_ns for path in multirun.rglob("*") if path.is_file() and _is_result(path)}


def _is_result(path):
    return not any(part.startswith(".") for part in path.parts[-3:]) and path.suffix != ".log"


def test_its_results_are_read_and_its_jobs_are_known(older):
    multirun, _ = older
    cells, trials = (study.read(multirun) for study in studies())
    assert sorted(cells["source"].unique()) == ["librarian", "villain"]
    assert len(cells) == 2 * 23
    assert cells["delta"].notna().all()
    assert cells["cosine"].notna().all()
    assert trials["scenario"].unique().tolist() == ["two_tiers"]
    assert {one.status for one in find(multirun)} == {Status.DONE}
    assert len(read_artifacts(multirun)) == 2
    by_status = [one.status for one in all_jobs(multirun)]
    assert (by_status.count(Status.DONE), by_status.count(Status.PARTIAL)) == (
        6,
        1,
    )  # a record without a plan among them


def test_what_is_done_is_not_computed_again(older, program):
    multirun, personas = older
    before = written(multirun)
    done = program("run.py", "-m", *CELL, personas, "source=villain")
    assert "1 cell (1 done), 1 baseline (1 done), 1 geometry (1 done): nothing to compute" in done.stdout + done.stderr
    for more in (["source=librarian", "behavior.answers=base", *CELL, personas], TRIAL):
        done = program("run.py", *more)
        assert done.returncode == 0, done.stderr
        assert "done already, nothing to compute" in done.stdout + done.stderr
    assert written(multirun) == before


def test_what_was_interrupted_goes_on_from_there(older, program):
    multirun, personas = older
    before = written(multirun)
    done = program("run.py", *CELL, personas, "source=comedian")
    assert done.returncode == 0, done.stderr
    after = written(multirun)
    assert after.items() >= before.items()
    new = {path.relative_to(multirun).parts[2] for path in after.keys() - before.keys()}
    assert new == {"comedian"}
    (manifest,) = multirun.glob("nano/refusal/comedian/*/*/manifest.json")
    (adapter,) = json.loads(manifest.read_text())["inputs"]
    weights = json.loads((manifest.parents[1] / "manifest.json").read_text())["files"][adapter["file"]]
    assert adapter["sha256"] == weights["sha256"]


def test_an_input_made_again_since_makes_it_stale(older):
    multirun, _ = older
    (adapter,) = multirun.glob("nano/refusal/villain/*/manifest.json")
    manifest = json.loads(adapter.read_text())
    entry = manifest["files"]["adapter/adapter_model.safetensors"]
    (adapter.parent / "adapter" / "adapter_model.safetensors").write_bytes(b"other weights")
    entry |= {"bytes": 13, "sha256": sha256(b"other weights").hexdigest()}
    adapter.write_text(json.dumps(manifest))
    (completions,) = (
        one for one in find(multirun) if "villain" in str(one.folder) and one.manifest.kind == "completions"
    )
    assert completions.status is Status.STALE
