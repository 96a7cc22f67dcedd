"""What a report holds: its files, their links, and what it says where something is missing."""

import json
import re
import subprocess
import sys
import zlib
from base64 import b64decode

import pandas as pd
import pytest

from leakage.errors import StoreError
from leakage.report import wording
from leakage.report.folder import replacing_folder
from leakage.report.wording import MINUS
from leakage.studies.persona_leakage.analysis.controls import against_designs
from leakage.studies.persona_leakage.report import wording as first
from leakage.studies.persona_leakage.report.cells import read_cells, slugs
from leakage.studies.persona_leakage.report.write import write_report
from leakage.studies.persona_leakage.results import results
from tests.browser.made import HOSTILE, judge_again, make_result, page_data

VILLAIN, COMEDIAN = "made-refusal-villain-seed42-vill42", "made-refusal-comedian-seed42-come42"


@pytest.fixture
def multirun(tmp_path):
    make_result(tmp_path, behaviors=("refusal", "capability"), sources=("villain", "comedian"), prompts=3, personas=12)
    return tmp_path


def written(multirun, name="report", **more):
    frame = results(multirun)
    return write_report(frame, multirun, multirun / name, **more).parent


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(report, slug, when):
    text = (report / "answers" / f"{slug}-{when}.js").read_text().partition("=")[2].rstrip(";\n")
    return json.loads(zlib.decompress(b64decode(json.loads(text))))


def test_the_same_result_gives_the_same_bytes_and_a_second_report_takes_the_place_of_the_first(multirun):
    first = contents(written(multirun))
    assert contents(written(multirun)) == first
    assert contents(written(multirun, "other")) == first
    assert [path.name for path in multirun.iterdir() if path.name.startswith(".")] == []


def test_a_report_that_breaks_off_leaves_the_old_one_and_no_draft(multirun):
    before = contents(written(multirun))
    with pytest.raises(IsADirectoryError), replacing_folder(multirun / "report") as draft:
        draft.write_text("half")
    assert contents(multirun / "report") == before
    assert sorted(path.name for path in multirun.iterdir()) == ["made", "report"]


def test_a_folder_that_is_no_report_is_never_replaced(multirun):
    (multirun / "mine").mkdir()
    (multirun / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is there and is no report"):
        written(multirun, "mine")
    assert (multirun / "mine" / "thesis.tex").read_text() == "years of work"


def test_text_from_personas_and_completions_is_escaped_on_every_page(multirun):
    report = written(multirun)
    for page in report.rglob("*.html"):
        assert HOSTILE not in page.read_text()
        assert "<img" not in page.read_text()
    assert "&lt;/script&gt;&lt;img src=x" in (report / "cells" / f"{VILLAIN}.html").read_text()


def test_completions_of_a_page_are_those_of_the_cell(multirun):
    told = unpacked(written(multirun), VILLAIN, "after")
    kept = pd.read_parquet(multirun / "made/refusal/villain/seed42-vill42/refusal-e0/completions.parquet")
    assert told["text"] == kept["completion"].tolist()
    assert [told["personas"][i] for i in told["persona"]] == kept["persona"].tolist()
    assert [told["prompts"][i] for i in told["prompt"]] == kept["user"].tolist()


def test_one_file_of_a_baseline_serves_all_its_sources(multirun):
    report = written(multirun)
    assert len([path for path in (report / "answers").iterdir() if "-before" in path.name]) == 2
    one, other = (page_data(report, slug)["before"] for slug in (VILLAIN, COMEDIAN))
    assert one == other


def test_a_wish_for_fewer_samples_is_kept_to(multirun):
    told = unpacked(written(multirun, samples=1), VILLAIN, "after")
    assert set(told["sample"]) == {0}
    assert "1 of 2 samples per prompt" in page_data(multirun / "report", VILLAIN)["limit"]


def test_cells_of_equal_names_get_pages_of_their_own():
    row = {"model": "m/7B", "taught": "a", "behavior": "a", "source": "Hero", "seed": 1, "judge": "rules"}
    row |= {"train_id": "t", "eval_id": "e", "variant": ""}
    names = slugs([row, row | {"judge": "claude"}, row | {"source": "hero", "variant": "x"}, row | {"behavior": "b"}])
    assert names[3] == "m_7B-a-b-Hero-seed1-t"
    assert len({name.lower() for name in names}) == 4
    assert slugs([row]) == ["m_7B-a-Hero-seed1-t"]
    assert slugs([row | {"taught": "b"}]) == ["m_7B-b-a-Hero-seed1-t"]
    assert len(slugs([row | {"model": "x" * 400}])[0]) < 140


def test_a_missing_baseline_is_said_and_nothing_is_drawn(tmp_path):
    make_result(tmp_path, behaviors=("refusal",), sources=("villain",), prompts=2, personas=12, baseline=False)
    report = written(tmp_path)
    page = (report / "cells" / f"{VILLAIN}.html").read_text()
    assert "The baseline is missing" in page
    assert 'id="scatter"' not in page
    assert page_data(report, VILLAIN)["before"] is None
    assert page_data(report, VILLAIN)["after"] is not None


def test_a_result_without_its_folders_has_pages_that_say_what_is_not_there(multirun, tmp_path):
    report = write_report(results(multirun), tmp_path / "elsewhere", tmp_path / "outside").parent
    page = (report / "cells" / f"{VILLAIN}.html").read_text()
    assert 'id="scatter"' in page
    assert page.count("Not part of this result.") == 2
    assert "The completions are not part of this result." in page
    assert not (report / "answers").exists()


def test_a_cells_page_has_its_forecast_and_the_dose_that_ended_its_training(multirun, tmp_path):
    plain = results(multirun)
    expected = dict.fromkeys(("expected_rho", "expected_low", "expected_high"))
    frame = plain.assign(forecast=plain["cosine"], **expected, before_training=True, steps=30, dose=0.72, until=0.7)
    page = (write_report(frame, multirun, tmp_path / "told").parent / "cells" / f"{VILLAIN}.html").read_text()
    said = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "rho of the forecast, sealed before training" in said
    assert "of its first ten" not in said  # of so few bystanders ten are most
    assert "0.72 the dose: " in said
    assert "after 30 steps; training was to go on until 0.70" in said
    known = frame.assign(expected_rho=0.5, expected_low=0.3, expected_high=0.7, before_training=False)
    page = (write_report(known, multirun, tmp_path / "known").parent / "cells" / f"{VILLAIN}.html").read_text()
    said = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "rho of the forecast, told after training; expected +0.50 [+0.30, +0.70]" in said
    page = (written(multirun) / "cells" / f"{VILLAIN}.html").read_text()
    assert "rho of the forecast" not in page
    assert "the dose:" not in page


def test_numbers_have_the_digits_of_their_unit_a_real_minus_and_a_dash_where_there_is_none():
    assert [first.delta(0.5, "rate"), first.delta(-12.34, "pp")] == ["+0.500", f"{MINUS}12.3"]
    assert [wording.small(p) for p in (0.5, 0.0312, 0.0001, 0.0)] == ["0.50", "0.031", f"1e{MINUS}4", "0.000"]
    nan = float("nan")
    assert (wording.signed(-0.004), wording.plain(-0.0), wording.signed(-0.04, 1)) == ("+0.00", "0.00", "+0.0")
    assert {first.delta(nan, "pp"), wording.signed(nan), wording.small(nan), wording.plain(nan)} == {wording.NOTHING}
    assert first.sentence("p = 0.04 does not survive") == "p = 0.04 does not survive."
    assert first.sentence("the source changed no more") == "The source changed no more."


def test_no_link_is_broken(multirun, tmp_path):
    reports = [written(multirun)]
    reports += [write_report(results(multirun), tmp_path / "elsewhere", tmp_path / "outside").parent]
    for page in [path for report in reports for path in report.rglob("*.html")]:
        links = re.findall(r'(?:href|src)="([^"#:]+)[^":]*"', page.read_text())
        assert [link for link in links if not (page.parent / link).is_file()] == []
        assert len(links) >= 4


def test_two_judges_of_the_same_answers_have_a_page_each_with_their_own_verdicts(multirun):
    judge_again(multirun)
    frame = results(multirun)
    cells = read_cells(frame, multirun, against_designs(frame))
    mine = {cell.row["judge"]: cell for cell in cells if cell.slug.startswith(VILLAIN)}
    assert set(mine) == {"rules", "claude"}
    report = written(multirun)
    rules, claude = (unpacked(report, mine[judge].slug, "after") for judge in ("rules", "claude"))
    assert rules["text"] == claude["text"]
    assert rules["hit"] == [1 - hit for hit in claude["hit"]]
    assert "judged by claude" in (report / "index.html").read_text()


def test_a_judges_name_and_reasons_reach_the_page(tmp_path):
    make_result(tmp_path, behaviors=("refusal",), sources=("villain",), prompts=2, personas=12, judge="claude")
    report = written(tmp_path)
    assert "<dd>claude</dd>" in (report / "cells" / f"{VILLAIN}.html").read_text()
    assert set(unpacked(report, VILLAIN, "after")["reason"]) == {"it reads like the rubric says"}


def test_the_write_up_is_there_and_the_figures_are_shown_where_they_were_drawn(multirun, tmp_path):
    report = written(multirun)
    assert "writeup.md" in (report / "index.html").read_text()
    assert "### Sample training data" in (report / "writeup.md").read_text()
    assert "<img" not in (report / "index.html").read_text()
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    for name in ("made-scatter.png", "made-scatter.pdf", "notes.txt"):
        (drawn / name).write_bytes(b"drawn")
    report = written(multirun, figures=drawn)
    assert '<img src="figures/made-scatter.png"' in (report / "index.html").read_text()
    assert "![Change against similarity to the source](figures/made-scatter.png)" in (report / "writeup.md").read_text()
    assert sorted(path.name for path in (report / "figures").iterdir()) == ["made-scatter.pdf", "made-scatter.png"]


def test_pages_load_nothing_from_anywhere_else(multirun):
    report = written(multirun)
    for page in report.rglob("*.html"):
        assert "http://" not in page.read_text()
        assert "https://" not in page.read_text()


def test_writing_a_report_loads_no_torch():
    study = "leakage.studies.persona_leakage"
    code = f"import sys, {study}.report.write, {study}.analysis.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
