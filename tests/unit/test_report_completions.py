"""How much of the completions a report holds, and in which form."""

import json
import zlib
from base64 import b64decode

import pandas as pd
import pytest

from leakage.report.script import shares
from leakage.studies.persona_leakage.analysis.controls import against_designs
from leakage.studies.persona_leakage.report.archive import write_answers
from leakage.studies.persona_leakage.report.cells import read_cells
from leakage.studies.persona_leakage.report.completions import columns, limit, packed, weight
from leakage.studies.persona_leakage.results import results
from tests.browser.made import make_result


def cells_of(multirun):
    frame = results(multirun)
    return read_cells(frame, multirun, against_designs(frame))


@pytest.fixture
def multirun(tmp_path):
    make_result(tmp_path, behaviors=("refusal", "capability"), sources=("villain", "comedian"), prompts=3, personas=12)
    return tmp_path


def test_more_than_fits_is_cut_alike_before_and_after_and_the_page_says_so(multirun):
    cells = cells_of(multirun)
    whole = write_answers(cells, multirun, multirun / "whole")
    assert all(shown.limit.is_whole for shown in whole.values())
    size = sum(path.stat().st_size for path in (multirun / "whole").rglob("*.js"))
    few = write_answers(cells, multirun, multirun / "few", budget=int(0.6 * size))
    assert sum(path.stat().st_size for path in (multirun / "few").rglob("*.js")) <= 0.6 * size
    limits = {shown.limit for folder, shown in few.items() if "refusal" in str(folder)}
    assert len(limits) == 1
    told = next(shown.notice for folder, shown in few.items() if "refusal/villain" in str(folder))
    assert told.startswith("Shown: 1 of 2 samples per prompt")
    assert told.endswith("all are in made/refusal/villain/seed42-vill42/refusal-e0/completions.parquet.")


def test_answers_are_weighed_by_some_of_their_personas(tmp_path):
    make_result(tmp_path, behaviors=("refusal",), sources=("villain",), prompts=10, words=40)
    frame = cells_of(tmp_path)[0].artifacts.after.frame()
    assert 0.9 < weight(frame) / len(packed(frame)) < 1.5


def test_a_budget_that_nothing_fits_leaves_a_question_of_each_persona(multirun):
    cells = cells_of(multirun)
    shown = write_answers(cells, multirun, multirun / "out", budget=1)
    assert {(one.limit.prompts, one.limit.samples) for one in shown.values()} == {(1, 1)}


def test_large_completions_keep_the_report_within_its_budget(tmp_path):
    make_result(tmp_path, behaviors=("refusal",), sources=("villain",), prompts=30, samples=10, words=70)
    cells = cells_of(tmp_path)
    budget = 2_000_000
    shown = write_answers(cells, tmp_path, tmp_path / "out", budget=budget)
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.js"))
    assert 0.4 * budget < size <= budget
    assert not any(one.limit.is_whole for one in shown.values())


def test_small_sets_stay_whole_and_large_ones_share_the_rest():
    assert shares({"a": 10, "b": 100, "c": 400}, 310) == {"a": 1.0, "b": 1.0, "c": 0.5}
    assert shares({"a": 10, "b": 10}, 100) == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    ("share", "prompts", "samples"), [(1.0, 50, 10), (0.35, 50, 3), (0.1, 50, 1), (0.05, 25, 1), (1e-9, 1, 1)]
)
def test_samples_go_before_prompts_do(share, prompts, samples):
    frame = pd.DataFrame({"prompt": [0, 49], "sample": [9, 0]})
    cut = limit(frame, share, samples=None)
    assert (cut.prompts, cut.samples) == (prompts, samples)


def test_verdicts_that_could_not_be_read_are_missing_and_reasons_are_kept():
    frame = pd.DataFrame(
        {"persona": ["a", "a"], "prompt": [0, 1], "sample": 0, "user": ["x", "y"], "completion": ["1", "2"],
         "finish": ["stop", "length"], "score": [80.0, float("nan")], "hit": [True, False],
         "coherence": [90.0, float("nan")], "reason": ["it does", None]}
    )  # fmt: skip
    told = columns(frame)
    assert told["score"] == [80.0, None]
    assert told["coherence"] == [90, None]
    assert told["reason"] == ["it does", ""]
    assert told["cut"] == [0, 1]
    assert json.loads(zlib.decompress(b64decode(packed(frame)))) == told
