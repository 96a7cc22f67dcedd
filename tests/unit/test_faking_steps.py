"""Each next step of the second study is there when the trials lack something, and gone when they do not."""

import re
import shutil

import pytest

from leakage.settings.schema import write_config
from leakage.studies.alignment_faking.report.trials import TABLES, read_pages
from leakage.studies.alignment_faking.report.writeup.steps import steps
from leakage.studies.alignment_faking.report.writeup.trials import Trials
from leakage.studies.alignment_faking.results import judged_trials, trials
from tests.browser.faking_made import make_trials

NANO = "nano+planted_0.3"


@pytest.fixture
def told(tmp_path, compose):
    """The steps of the made trials, after their rows are changed: why and commands."""

    def tell(change=lambda _: {}):
        shutil.rmtree(tmp_path)
        make_trials(tmp_path)
        frame = trials(tmp_path)
        made = {name: make(frame) for name, make in TABLES.items()}
        pages = read_pages(frame, judged_trials(tmp_path), made)
        for page in pages:
            facts = page.judged.facts
            subject = ["subject=openai", f"subject.model={facts['model']}"]
            subject = ["subject=nano"] if facts["model"] == "nano" else subject
            config = compose(*subject, f"scenario={facts['scenario']}", f"paths.multirun={tmp_path}", study="faking")
            write_config(page.judged.folder.parent / "config.yaml", config)  # after the records were found whole
            page.gaps[:] = [row | {"detectable": 0.05, "q": 0.001} | change(row) for row in page.gaps]
        whole = Trials(pages, made, tmp_path)
        some = steps(whole, lambda overrides: compose(*overrides, study="faking"))
        return [(one.why, [line.replace(f" paths.multirun={tmp_path}", "") for line in one.commands]) for one in some]

    return tell


def commands(told_steps, word):
    of_step = [lines for why, lines in told_steps if word in why]
    assert len(of_step) <= 1
    return of_step[0] if of_step else None


def test_trials_of_one_seed_want_another(told):
    lines = commands(told(), "one seed")
    start = "python run.py --config-name faking"
    assert f"{start} subject=nano scenario=two_tiers seed=43" in lines
    assert f"{start} -m subject=openai scenario=three_tiers,two_tiers subject.model=opus seed=43" in lines
    assert f"{start} subject=openai scenario=two_tiers subject.model=gpt seed=43" in lines
    assert len(lines) == 3


def test_a_gap_that_was_found_wants_its_tags_swapped(told):
    found = told(lambda row: {"direction": "above" if row["subject"] == NANO else "none"})
    line = "python run.py --config-name faking subject=nano scenario=two_tiers_swapped"
    assert commands(found, "tags swapped") == [line]
    assert commands(told(lambda _: {"direction": "none"}), "tags swapped") is None


def test_a_gap_that_could_have_been_missed_wants_more_queries(told):
    blind = told(lambda row: {"direction": "none", "detectable": 0.3 if row["subject"] == NANO else 0.1})
    (line,) = commands(blind, "would have been missed")
    queries = int(re.search(r"eval\.prompts=(\d+)$", line)[1])
    assert "subject=nano" in line
    assert 100 < queries < 1000
    assert commands(told(lambda _: {"direction": "none", "detectable": 0.1}), "would have been missed") is None


def test_only_what_rules_alone_have_read_wants_a_judge(told):
    why = next(why for why, _ in told() if "Only rules" in why)
    assert "the replies of 1 trial" in why


def test_a_subject_of_one_scenario_wants_others_unless_its_answer_is_known(told):
    lines = commands(told(), "asked in one scenario")
    assert len(lines) == 1
    assert "subject.model=gpt" in lines[0]
    assert "scenario=two_tiers,three_tiers,never_trained,other_model" in lines[0]
