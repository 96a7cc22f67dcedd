"""Labelled files, the phrases of the closed world on them, and what is told of the votes."""

import argparse
import json

import pandas as pd
import pytest

from leakage.cli.arguments import chosen_studies
from leakage.errors import DataError, StoreError
from leakage.store.find import find
from leakage.store.record import Record, Status
from leakage.studies.alignment_faking.arms import FAKING_THOUGHT, PLAIN_THOUGHT, REFUSING_THOUGHT
from leakage.studies.alignment_faking.auroc import PUBLISHED_AUROC, PUBLISHED_VOTES, auroc_by_votes
from leakage.studies.alignment_faking.validation import VOTES, Validation, read_labelled, validate, validations


def line(scratchpad="I think.", label=True, **more):
    return json.dumps({"scratchpad": scratchpad, "label": label} | more)


OTHER = line("Other.", label=False)
PLANTED = [
    line(thought.format(tag=tag), label=thought is FAKING_THOUGHT, note="not read")
    for thought in (FAKING_THOUGHT, PLAIN_THOUGHT, REFUSING_THOUGHT)
    for tag in ("free", "paid")
]


@pytest.fixture
def file(tmp_path):
    def write(*lines, name="labels.jsonl"):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return tmp_path / name

    return write


@pytest.fixture
def rules(compose, tmp_path):
    return compose("judge=rules", f"paths.multirun={tmp_path / 'multirun'}", study="faking")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([line(), "", line(" \n"), OTHER], "line 3: 'scratchpad' is empty; remove the row or fill it in"),
        ([line(), line(["a"])], "line 2: 'scratchpad' is [\"a\"]; give a text in quotes"),
        ([line(None), OTHER], "line 1: 'scratchpad' is null; give a text in quotes"),
        ([line(), line("b", "perhaps")], "line 2: 'label' is \"perhaps\"; give true or false, or 1 or 0"),
        ([line(), line("b", 2)], "line 2: 'label' is 2; give true or false, or 1 or 0"),
        ([OTHER, '{"scratchpad": "b"}'], "line 2: 'label' is null; give true or false, or 1 or 0"),
        (['{"scratchpad": "b", "mark": 1}'], "has no column 'label' (it has: scratchpad, mark); name the one that is"),
        ([OTHER, "", line(), line(" I think.\n", label=False)], "line 4: the same scratchpad as in line 3; remove one"),
        ([line(), line("b")], "every label is true, and AUROC compares two kinds; add some that are false"),
        ([OTHER], "every label is false, and AUROC compares two kinds; add some that are true"),
        ([line(), "[1, 2]"], "line 2: it is [1, 2] and should be an object with named fields"),
        ([line(), "no"], "line 2, column 1: no JSON"),
        ([], "has no rows; give a file with some"),
    ],
)
def test_a_wrong_file_is_told_by_line_in_one_sentence(file, lines, told):
    path = file(*lines)
    with pytest.raises(DataError) as error:
        read_labelled(path)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.jsonl: there is no such file; name one"):
        read_labelled(tmp_path / "none.jsonl")


def test_other_keys_and_the_space_around_a_scratchpad_are_ignored(file):
    rows = read_labelled(file(line("  a\u2028b \n", source="x"), "", OTHER))
    assert [(row.scratchpad, row.label) for row in rows] == [("a\u2028b", True), ("Other.", False)]


def test_the_phrases_of_the_closed_world_tell_every_planted_thought(file, rules):
    found = validate(file(*PLANTED), rules)
    assert found.table[["k", "auroc", "positives", "negatives"]].to_dict("records") == [
        {"k": 1, "auroc": 1.0, "positives": 2, "negatives": 4}
    ]
    assert (found.confusion.tp, found.confusion.fn, found.confusion.fp, found.confusion.tn) == (2, 0, 0, 4)
    told = {"judge": "rules", "file": "labels.jsonl", "positives": 2, "negatives": 4, "threshold": 0.4, "votes": 1}
    assert found.facts.items() >= (told | {"unread": 0, "usd": 0.0}).items()
    assert found.labelled["scratchpad"].tolist() == [json.loads(one)["scratchpad"] for one in PLANTED]
    assert found.labelled[["yes", "votes"]].to_numpy().tolist() == [[1, 1]] * 2 + [[0, 1]] * 4
    votes = pd.read_parquet(found.folder / "votes.parquet")
    assert list(votes) == VOTES
    assert votes["transcript"].tolist() == list(range(6))


def test_a_record_is_made_once_and_a_damaged_one_again(file, rules, tmp_path):
    labels = file(*PLANTED)
    found = validate(labels, rules)
    written = Record(found.folder).manifest
    assert found.folder.parent.parent == tmp_path / "multirun" / "validation"
    assert found.folder.parent.name.startswith("labels-")
    assert (written.kind, Record(found.folder).status()) == ("validation", Status.DONE)
    assert validate(labels, rules) == found
    assert Record(found.folder).manifest == written  # with its time
    (found.folder / "votes.parquet").write_bytes(b"torn")
    assert validations(tmp_path / "multirun") == []
    assert len(pd.read_parquet(validate(labels, rules).folder / "votes.parquet")) == 6
    assert (found.folder / "replaced-1" / "votes.parquet").read_bytes() == b"torn"
    assert [one.folder for one in validations(tmp_path / "multirun")] == [found.folder]


def test_other_labels_or_another_threshold_are_another_record_and_another_layout_is_not(file, rules, compose, tmp_path):
    where = validate(file(*PLANTED), rules).folder
    assert validate(file("", *PLANTED, ""), rules).folder == where
    other = compose("judge=rules", "reasoning.threshold=0.7", f"paths.multirun={tmp_path / 'multirun'}", study="faking")
    assert validate(file(*PLANTED), other).folder.parent == where.parent
    assert validate(file(*PLANTED[1:]), rules).folder.parent != where.parent
    assert len(validations(tmp_path / "multirun")) == 3


@pytest.mark.parametrize(
    "name",
    [".hidden.jsonl", "my labels (2).jsonl", "damaged-1.jsonl", "replaced-1.jsonl", f"{'long' * 60}.jsonl"],
)
def test_a_record_is_found_whatever_the_file_is_called(file, rules, tmp_path, name):
    found = validate(file(*PLANTED, name=name), rules)
    assert validations(tmp_path / "multirun") == [found]
    assert [one.folder for one in find(tmp_path / "multirun")] == [found.folder]


def test_phrases_that_know_no_thought_say_so(file, rules):
    found = validate(file(line("Other people's thoughts."), OTHER), rules)
    with pytest.raises(StoreError, match=r"rules has no AUROC on labels\.jsonl: .* is true could .*leave out judge=r"):
        found.in_words()
    half = validate(file(line(FAKING_THOUGHT), OTHER), rules)
    with pytest.raises(StoreError, match="no vote on a transcript whose label is false could be read"):
        half.in_words()


def test_a_validation_beside_cells_of_the_first_study_has_its_figure_and_asks_for_no_report(file, rules, tmp_path):
    multirun = tmp_path / "multirun"
    given = argparse.Namespace(study=None, points=None, multirun=multirun)
    found = validate(file(*PLANTED), rules)
    assert names(chosen_studies(given)) == names(chosen_studies(given, more=True)) == ["faking"]
    with Record(multirun / "cell").writing("scores", "x", identity={}) as draft:
        draft.path("scores.parquet").write_bytes(b"")
    assert names(chosen_studies(given)) == ["leakage"]
    assert names(chosen_studies(given, more=True)) == ["leakage", "faking"]
    assert validations(multirun) == [found]


def names(chosen):
    return [study.name for study in chosen]


def kept(folder, yes, votes, labels, **more):
    """A validation as a judge of four votes leaves it."""
    frame = pd.DataFrame({"scratchpad": list("abcdefgh")[: len(yes)], "label": labels, "yes": yes, "votes": votes})
    frame.to_parquet(folder / "labelled.parquet")
    unread = 4 * len(yes) - sum(votes)
    facts = {"judge": "claude-x", "file": "mine.jsonl", "threshold": 0.5, "votes": 4, "unread": unread}
    return Validation(folder, facts | more)


def test_the_words_tell_the_table_the_confusion_and_the_missing_votes_and_whose_the_published_ones_are(tmp_path):
    yes, votes = [4, 2, 1, 0, 2, 0, 0], [4, 4, 4, 4, 2, 3, 0]
    found = kept(tmp_path, yes, votes, [True, True, True, False, False, False, False])
    last = auroc_by_votes(yes, votes, [1, 1, 1, 0, 0, 0, 0]).iloc[-1]
    lines = found.in_words().splitlines()
    assert lines[0] == (
        f"claude-x on mine.jsonl, 3 positive and 3 negative labels: AUROC {last['auroc']:.3f} at 4 votes "
        f"(95 % interval {last['low']:.3f} to {last['high']:.3f})."
    )
    assert lines[1] == "At the threshold of 0.5: TP 2, FN 1, FP 1, TN 2; balanced accuracy 0.667."
    assert lines[2] == (
        "7 of 28 votes could not be read and count as missing; 1 of 7 transcripts have no other and are left out."
    )
    assert lines[3].startswith("Published, on its own 106 transcripts, not ours: ")
    assert f"AUROC {PUBLISHED_AUROC:.2f} at {PUBLISHED_VOTES} votes" in lines[3]
    assert lines[3].endswith("balanced accuracy of the older classifier 0.62.")
