"""kill -9 at random moments of one cell: each start goes on, and the scores are those of an undisturbed run."""

import random

import pytest

from leakage.store.find import find
from leakage.store.record import Record
from leakage.studies.persona_leakage.results import results
from tests.survival.helpers import few_personas, same_frame, tables

SEED = 20261121  # of the moments; recorded, so that a failure can be had again
KILLS = 30
# a cell with every stage, short of breath: a checkpoint after every step, and a dozen blocks of personas
CELL = ["train.max_steps=6", "train.checkpoint_s=0", "eval.prompts=2", "eval.samples=1", "eval.batch_size=1"]


@pytest.fixture(scope="module")
def undisturbed(harness, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    cell = [*CELL, few_personas(folder)]
    code, seconds = harness.start(*cell, f"paths.multirun={folder / 'multirun'}")
    assert code == 0
    return cell, folder / "multirun", seconds


@pytest.mark.timeout(900)
def test_thirty_kills_at_random_moments_change_nothing(harness, undisturbed, tmp_path):
    cell, whole, seconds = undisturbed
    moments = random.Random(SEED)
    kills = finished = 0
    interrupted = set()
    multirun = tmp_path / "0"
    while kills < KILLS:
        code, _ = harness.start(*cell, f"paths.multirun={multirun}", kill_after=moments.uniform(0, seconds))
        if code == -9:
            kills += 1
            interrupted |= {found.folder.name.partition("-")[0] for found in find(multirun) if found.manifest is None}
            continue
        assert code == 0
        assert tables(multirun) == tables(whole)
        finished += 1
        multirun = tmp_path / str(finished)
    code, _ = harness.start(*cell, f"paths.multirun={multirun}")
    assert code == 0
    assert tables(multirun) == tables(whole)
    assert same_frame(results(multirun), results(whole))
    assert {"geometry", "seed42", "refusal"} <= interrupted  # the moments fell into every stage


def test_a_kill_leaves_no_litter_once_the_cell_is_done(harness, undisturbed, tmp_path):
    cell, _, seconds = undisturbed
    for part in (0.4, 0.6, 0.8):
        harness.start(*cell, f"paths.multirun={tmp_path}", kill_after=seconds * part)
    assert harness.start(*cell, f"paths.multirun={tmp_path}")[0] == 0
    names = [path.name for path in tmp_path.rglob("*")]
    assert not [name for name in names if name.startswith((".claim", "parts-", "checkpoint", "failed.json"))]
    assert not [name for name in names if name.endswith((".tmp", ".draft"))]
    assert all(Record(found.folder).manifest for found in find(tmp_path))
