"""kill -9 in the midst of one cell: each start goes on, and the scores are those of an undisturbed run."""

import random
from time import sleep

import pytest

from leakage.store.find import find
from leakage.store.record import Record
from leakage.studies.persona_leakage.results import results
from tests.cells import SHORT
from tests.survival.helpers import attempt, kill_once, same_frame, tables, tables_of

SEED = 20261121  # of the moments; recorded, so that a failure can be had again
KILLS = 30
CELL = [*SHORT, "eval.batch_size=1"]  # a dozen blocks of personas, and the same results
STAGES = ("geometry-*", "refusal/villain/seed42-*", "refusal/villain/*/refusal-*")


@pytest.fixture(scope="module")
def cell(panel):
    return [*CELL, panel]


def test_a_kill_in_each_stage_changes_nothing_and_leaves_no_litter(short, cell, tmp_path):
    moments = random.Random(SEED)
    for stage in STAGES:

        def at_work(stage=stage):
            return list(tmp_path.glob(f"nano/{stage}/.claim-[0-9]"))

        kill_once(lambda: at_work() and not sleep(moments.uniform(0, 0.05)), tmp_path, *cell)
        assert len(at_work()) == 1  # it was killed before its end
    assert attempt(tmp_path, *cell)[0] == 0
    assert tables(tmp_path) == tables_of(short, "villain")
    assert_no_litter(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_thirty_kills_at_random_moments_change_nothing(short, cell, tmp_path):
    code, seconds = attempt(tmp_path / "timed", *cell)
    assert code == 0
    moments = random.Random(SEED)
    kills = finished = 0
    interrupted = set()
    multirun = tmp_path / "0"
    while kills < KILLS:
        code, _ = attempt(multirun, *cell, kill_after=moments.uniform(0, seconds))
        if code == -9:
            kills += 1
            interrupted |= {found.folder.name.partition("-")[0] for found in find(multirun) if found.manifest is None}
            continue
        assert code == 0
        assert tables(multirun) == tables_of(short, "villain")
        finished += 1
        multirun = tmp_path / str(finished)
    code, _ = attempt(multirun, *cell)
    assert code == 0
    assert tables(multirun) == tables_of(short, "villain")
    villain = results(short).query("source == 'villain'").reset_index(drop=True)
    assert same_frame(results(multirun), villain)
    assert {"geometry", "seed42", "refusal"} <= interrupted  # the moments fell into every stage
    assert_no_litter(multirun)


def assert_no_litter(multirun):
    names = [path.name for path in multirun.rglob("*")]
    assert not [name for name in names if name.startswith((".claim", "parts-", "checkpoint", "failed.json"))]
    assert not [name for name in names if name.endswith((".tmp", ".draft"))]
    assert all(Record(found.folder).manifest for found in find(multirun))
