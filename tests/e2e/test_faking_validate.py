"""`python -m leakage validate` as a user meets it: votes from a server on loopback, a record, a table, a figure."""

import json
import re
import shutil
from collections import Counter
from io import StringIO
from threading import Lock

import numpy as np
import pandas as pd
import pytest

from leakage.studies.alignment_faking.auroc import auroc_by_votes, expected_auroc
from tests.e2e.faking_server import (
    FAKING,
    JUDGE,
    SUBJECTS,
    UNREADABLE,
    Voters,
    finish,
    kept,
    kill_when,
    manifest,
    start,
    table,
    think,
)  # fmt: skip
from tests.network.faults import Fault, refused
from tests.network.openai_server import OpenAIServer
from tests.network.server import JudgeServer

POSITIVES, NEGATIVES, VOTES, LOST = 20, 24, 8, 0.05
ALL = (POSITIVES + NEGATIVES) * VOTES
LABELS = np.arange(POSITIVES + NEGATIVES) < POSITIVES
RNG = np.random.default_rng(20)
Q = np.where(LABELS, RNG.beta(3, 2, size=LABELS.size), RNG.beta(1, 4, size=LABELS.size))  # P(yes) of each transcript
BALLOTS = [
    ["?" if lost else "y" if yes else "n" for yes, lost in zip(*drawn, strict=True)]
    for drawn in ((RNG.random(VOTES) < q, RNG.random(VOTES) < LOST) for q in Q)
]
LEAKAGE = ["-m", "leakage"]
SETTINGS = ["judge.max_usd=20", f"reasoning.votes={VOTES}"]


class Panel:
    """Votes in the order of BALLOTS."""

    def __init__(self):
        self.cast, self.lock = Counter(), Lock()

    def __call__(self, prompt):
        with self.lock:
            place = self.cast[prompt]
            self.cast[prompt] += 1
        ballots = BALLOTS[int(re.search(r"thought (\d+)\.", prompt)[1])]
        return Voters.vote(ballots[place])


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """A labelled file of benign thoughts."""
    file = tmp_path_factory.mktemp("labelled") / "mine.jsonl"
    rows = [{"scratchpad": f"thought {i}.", "label": bool(one), "source": "x"} for i, one in enumerate(LABELS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def validated(tmp_path_factory, labels):
    """A validation, and what was said."""
    multirun = tmp_path_factory.mktemp("validated") / "multirun"
    with JudgeServer(Panel()) as claude:
        code, said = finish(multirun, *LEAKAGE, "validate", str(labels), *SETTINGS, servers=[claude])
        assert code == 0, said
        yield multirun, claude, said


def shown(said):
    """The rows of the printed table, as numbers."""
    return [[float(one) for one in line.split()] for line in said.splitlines() if re.match(r" *\d+ +\d\.\d{3} ", line)]


def test_what_is_printed_is_auroc_by_votes_of_the_votes_kept(validated):
    multirun, claude, said = validated
    votes, rows = table(multirun, "votes"), table(multirun, "labelled")
    assert len(votes) == claude.asked.total() == ALL
    assert {body["temperature"] for body in claude.bodies} == {1.0}
    letters = votes["value"].map({1: "y", 0: "n"}).fillna("?").groupby(votes["transcript"])
    assert letters.agg(lambda one: "".join(sorted(one))).tolist() == ["".join(sorted(one)) for one in BALLOTS]
    assert rows["yes"].tolist() == [one.count("y") for one in BALLOTS]
    assert rows["votes"].tolist() == [VOTES - one.count("?") for one in BALLOTS]  # what cannot be read is no "no"
    assert rows["label"].tolist() == LABELS.tolist()
    expected = auroc_by_votes(rows["yes"], rows["votes"], rows["label"])
    assert shown(said) == np.round(expected.to_numpy(float), 3).tolist()
    assert f"AUROC {expected['auroc'].iloc[-1]:.3f} at {VOTES} votes" in said
    unread = sum(one.count("?") for one in BALLOTS)
    assert unread > 0
    assert f"{unread} of {ALL} votes could not be read and count as missing." in said
    share = rows["yes"] / rows["votes"]
    tp, fp = int((share[LABELS] >= 0.4).sum()), int((share[~LABELS] >= 0.4).sum())
    assert f"TP {tp}, FN {POSITIVES - tp}, FP {fp}, TN {NEGATIVES - fp};" in said
    assert "Published, on its own 106 transcripts, not ours: AUROC 0.92 at 20 votes" in said


def test_the_votes_have_the_auroc_of_the_closed_form_within_chance(validated):
    found = auroc_by_votes(*(table(validated[0], "labelled")[name] for name in ("yes", "votes", "label")))
    rng = np.random.default_rng(1)
    draws = [auroc_by_votes_once(rng.binomial(VOTES, Q)) for _ in range(500)]
    expected = expected_auroc(Q[LABELS], Q[~LABELS], VOTES)
    assert np.mean(draws) == pytest.approx(expected, abs=3 * np.std(draws) / np.sqrt(len(draws)))
    assert found["auroc"].iloc[-1] == pytest.approx(expected, abs=3 * np.std(draws))
    assert found["auroc"].is_monotonic_increasing  # more votes tell more


def auroc_by_votes_once(yes):
    wins = np.sign(yes[LABELS][:, None] - yes[~LABELS][None])
    return (wins.mean() + 1) / 2


def test_the_record_tells_what_it_is_of_and_the_second_time_nothing_is_asked(validated, labels):
    multirun, claude, said = validated
    facts = manifest(multirun, "labelled")
    told = {"judge": JUDGE, "file": "mine.jsonl", "positives": POSITIVES, "negatives": NEGATIVES, "votes": VOTES}
    assert facts.items() >= (told | {"threshold": 0.4}).items()
    before = claude.asked.copy()
    code, again = finish(multirun, *LEAKAGE, "validate", str(labels), *SETTINGS, servers=[claude])
    assert code == 0, again
    assert shown(again) == shown(said)
    assert "the votes are there, nothing is asked" in again
    assert claude.asked == before


def test_fewer_votes_ask_nothing_and_settings_may_stand_behind_flags(validated, labels, tmp_path):
    multirun, claude, _ = validated
    before = claude.asked.copy()
    shutil.copytree(multirun / "replies", tmp_path / "replies")
    command = ["validate", str(labels), "--format", "csv", "reasoning.votes=5", "judge.max_usd=0"]
    code, csv = finish(tmp_path, *LEAKAGE, *command, servers=[claude])
    assert code == 0, csv
    rows = pd.read_csv(StringIO("\n".join(line for line in csv.splitlines() if re.match(r"k,|\d+,", line))))
    assert list(rows) == ["k", "auroc", "low", "high", "positives", "negatives"]
    assert rows["k"].tolist() == [1, 2, 3, 4, 5]
    assert "balanced accuracy" in csv  # on stderr
    code, md = finish(
        tmp_path, *LEAKAGE, "validate", str(labels), "--format", "md", "reasoning.votes=5", servers=[claude]
    )
    assert code == 0, md
    assert "| k | auroc | low | high | positives | negatives |" in md
    assert len([line for line in md.splitlines() if line.startswith("|")]) == 7
    assert claude.asked == before


def test_other_commands_pass_a_validation_over_and_the_figure_is_drawn_without_any_trial(validated, tmp_path):
    multirun = validated[0]
    code, said = finish(multirun, *LEAKAGE, "status")
    assert code == 0, said
    code, said = finish(multirun, *LEAKAGE, "table", "--study", "faking")
    assert (code, said.count("\n")) == (1, 1)
    assert f"no finished trial below {multirun}; run one first: python run.py --config-name faking" in said
    code, said = finish(multirun, *LEAKAGE, "report", "--out", str(tmp_path / "report"))
    assert (code, "no finished trial below" in said, said.count("\n")) == (1, True, 1)
    for study in ([], ["--study", "faking"]):
        out = tmp_path / f"figures{len(study)}"
        code, said = finish(multirun, *LEAKAGE, "figures", "--out", str(out), *study)
        assert code == 0, said
        (picture,) = out.glob("*.png")
        assert picture.name.startswith("faking-auroc-mine-")
        assert picture.stat().st_size > 10_000


def test_the_figure_is_drawn_beside_those_of_trials_and_in_the_report(validated, planted, tmp_path):
    multirun = tmp_path / "multirun"
    shutil.copytree(validated[0], multirun)
    shutil.copytree(planted, multirun, dirs_exist_ok=True)
    code, said = finish(multirun, *LEAKAGE, "figures")
    assert code == 0, said
    names = {path.name for path in (multirun / "figures").glob("*.png")}
    assert any(name.startswith("faking-auroc-mine-") for name in names)
    assert any(name.startswith("faking-compliance") for name in names)
    code, said = finish(multirun, *LEAKAGE, "report")
    assert code == 0, said
    (picture,) = (multirun / "report-faking" / "figures").glob("faking-auroc-*.png")
    assert f"figures/{picture.name}" in (multirun / "report-faking" / "index.html").read_text()
    code, said = finish(multirun, *LEAKAGE, "table", "--study", "faking", "--format", "csv")
    assert (code, len([line for line in said.splitlines() if line.startswith("nano")])) == (0, 2)


def test_a_killed_validation_asks_no_vote_twice(labels, tmp_path):
    panel = Panel()
    with JudgeServer(lambda text: Fault(text=panel(text), after_s=0.05)) as claude:
        command = [*LEAKAGE, "validate", str(labels), *SETTINGS, "judge.concurrency=4"]
        process = start(tmp_path, *command, servers=[claude])
        kill_when(lambda: claude.answered.total() >= 60, process)
        assert 50 <= len(kept(tmp_path, JUDGE)) < ALL
        assert not list(tmp_path.rglob("labelled.parquet"))
        claude.reply = lambda _: Voters.vote("y")
        code, said = finish(tmp_path, *command, servers=[claude])
        assert code == 0, said
        assert ALL <= claude.asked.total() <= ALL + 4  # what was in flight
    assert len(kept(tmp_path, JUDGE)) == ALL
    assert not table(tmp_path, "votes").duplicated(["transcript", "vote"]).any()


def test_votes_are_shared_with_trials_and_other_files(tmp_path):
    (tmp_path / "queries.jsonl").write_text("".join(f'{{"prompt": "request {i}. Plan it."}}\n' for i in range(6)))
    trial = [*FAKING, *SUBJECTS["openai"][1], "judge.max_usd=50", "reasoning.votes=3"]
    trial += [f"queries.path={tmp_path / 'queries.jsonl'}", "queries.subset=null"]
    with OpenAIServer(think) as subject, JudgeServer(Voters()) as claude:
        code, said = finish(tmp_path, *trial, servers=[subject, claude])
        assert code == 0, said
        told = table(tmp_path, "transcripts")
        before = claude.asked.copy()
        rows = [{"scratchpad": f"{row.scratchpad} ", "label": row.tier == "free"} for row in told.itertuples()]
        for votes, order in ((3, 1), (3, -1), (5, 1)):
            file = tmp_path / f"labels{order}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in rows[::order]))
            command = ["validate", str(file), SETTINGS[0], f"reasoning.votes={votes}"]
            code, said = finish(tmp_path, *LEAKAGE, *command, servers=[claude])
            assert code == 0, said
            assert sorted((claude.asked - before).values()) == ([] if votes == 3 else [2] * 12)
    folders = {path.parent for path in tmp_path.rglob("labelled.parquet")}
    assert len(folders) == 3
    (judged,) = (path.parent for path in tmp_path.rglob("outcomes.parquet"))
    assert judged.name in {folder.name for folder in folders}  # the judge of the trial, by name


def test_what_cannot_be_asked_or_read_ends_in_one_sentence(labels, tmp_path):
    with JudgeServer(lambda _: UNREADABLE) as claude:
        told = {
            "judge.max_usd=0": "the next of the 352 left could exceed it, raise judge.max_usd",
            "judge.max_usd=20": "no vote on a transcript whose label is true could be read; see its replies in",
            "judge.max_usd=twenty": "judge.max_usd",
            "judge=rules": "could be read; phrases know the embedded model's thoughts alone, so leave out judge=rules",
        }
        for setting, sentence in told.items():
            command = ["validate", str(labels), setting, SETTINGS[1]]
            code, said = finish(tmp_path, *LEAKAGE, *command, servers=[claude])
            assert code == 1
            assert sentence in said.splitlines()[-1]
    with JudgeServer(lambda _: refused(401)) as claude:
        code, said = finish(tmp_path / "no", *LEAKAGE, "validate", str(labels), *SETTINGS, servers=[claude])
        assert (code, "the API does not take the key in ANTHROPIC_API_KEY" in said) == (1, True)
    for wrong in (["--nonsense"], ["nonsense"]):
        assert finish(tmp_path, *LEAKAGE, "table", *wrong)[0] == 2
