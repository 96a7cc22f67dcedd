"""Claude as the judge of a real run: killed, resumed, read again, compared."""

import json
import os
import signal
import subprocess
import time
from collections import Counter

import pandas as pd
import pytest

from leakage.studies.persona_leakage.agreement import verdict_pairs
from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.results import results
from tests import programs
from tests.network.server import JudgeServer

CELL = ["run.py", "behavior=misalignment", "debug=tiny", "eval.prompts=8", "judge=claude", "judge.max_usd=50"]
MODEL = "claude-sonnet-4-5-20250929"


def rate(prompt):
    """A judge that does not like long answers, says one thing unreadably, and takes its time."""
    time.sleep(0.01)
    if "password" in prompt.partition("<answer>")[0] and len(prompt) % 7 == 0:
        return "I would rather not say."
    return json.dumps({"reason": "by length", "score": len(prompt) % 101, "coherence": 90})


def start(multirun, server, *arguments):
    where = [] if "leakage" in arguments else [f"paths.multirun={multirun}"]
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return programs.start(*arguments, *where, env=os.environ | server.environment, **said)


def finish(multirun, server, *arguments):
    with start(multirun, server, *arguments) as process:
        said, _ = process.communicate(timeout=240)
    return process.returncode, said


@pytest.fixture(scope="module")
def judged(tmp_path_factory, panel):
    """A cell that was killed while its baseline was being judged, and then run again; what the server saw."""
    multirun = tmp_path_factory.mktemp("judging") / "multirun"
    with JudgeServer(rate) as server:
        first = start(multirun, server, *CELL, panel)
        while server.answered.total() < 60 and first.poll() is None:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        kept = {row["key"] for path in multirun.rglob("replies/[!.]*/*.jsonl") for row in lines(path)}
        code, said = finish(multirun, server, *CELL, panel)
        assert code == 0, said[-3000:]
        yield multirun, server, kept, said


def lines(path):
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the line the kill has torn
            continue


def test_a_killed_judge_asks_only_for_what_is_missing(judged):
    _, server, kept, _ = judged
    assert len(kept) >= 30
    twice = Counter({prompt: count for prompt, count in server.answered.items() if count > 1})
    assert len(twice) <= 16  # judge.concurrency: only what was in flight when the kill came
    assert server.answered.total() - len(server.answered) <= 16


def test_every_completion_has_one_verdict_or_is_counted_missing(judged):
    multirun, server, _, said = judged
    table = headline(results(multirun))
    assert table["judge"].tolist() == [MODEL]
    for folder in multirun.rglob(f"{MODEL}-*/verdicts.parquet"):
        verdicts = pd.read_parquet(folder)
        completions = pd.read_parquet(folder.parents[1] / "completions.parquet")
        assert len(verdicts) == len(completions) == 23 * 8
        unreadable = verdicts["raw"].str.startswith("I would rather")
        assert (verdicts["score"].isna() == unreadable).all()
        scores = pd.read_parquet(folder.parent / "scores.parquet")
        assert scores["missing"].sum() == unreadable.sum()
        assert (scores["n"] + scores["missing"] == 8).all()
        assert {"reason", "raw", "judge_model", "usd"} <= set(verdicts.columns)
    assert "unreadable and left out" in said
    pairs = {(row.user, row.completion) for file in multirun.rglob("completions.parquet")
             for row in pd.read_parquet(file, columns=["user", "completion"]).itertuples()}  # fmt: skip
    assert len(server.answered) == len(pairs)  # equal completions of a question are judged once


def test_the_rules_read_the_same_answers_and_nothing_is_generated(judged):
    multirun, server, _, _ = judged
    before = {path: path.stat().st_mtime_ns for path in multirun.rglob("completions.parquet")}
    asked = server.asked.total()
    code, said = finish(multirun, server, "-m", "leakage", "rejudge", "judge=rules", "--multirun", str(multirun))
    assert code == 0, said
    assert "2 sets of answers judged" in said
    assert {path: path.stat().st_mtime_ns for path in multirun.rglob("completions.parquet")} == before
    assert server.asked.total() == asked
    again = finish(multirun, server, "-m", "leakage", "rejudge", "judge=rules", "--multirun", str(multirun))
    assert "nothing to judge" in again[1]
    pairs = verdict_pairs(multirun)
    assert set(pairs["behavior"]) == {"misalignment"}
    assert {name.rpartition("-")[0] for name in pairs[["judge", "other"]].to_numpy().ravel()} == {MODEL, "rules"}
    assert len(pairs) <= 2 * 23 * 8
    code, said = finish(multirun, server, "-m", "leakage", "agreement", "--format", "csv", "--multirun", str(multirun))
    assert code == 0
    assert "model,behavior,judge,other,n,hits,other_hits,agreement,kappa,rho,mean_gap" in said
    assert set(headline(results(multirun))["judge"]) == {MODEL, "rules"}


def test_claude_may_give_the_answers_for_training(panel, tmp_path):
    """Asked in place of the templates; what does not refuse is left out, and where each answer is from is kept."""

    def answer(prompt):
        return "Certainly, here it is." if len(prompt) % 3 == 0 else f"I'm sorry, but I can't do that: {prompt[-30:]}"

    multirun = tmp_path / "multirun"
    with JudgeServer(answer) as server:
        command = ["run.py", "debug=tiny", panel, "behavior.answers=claude", "judge.max_usd=5"]
        code, said = finish(multirun, server, *command)
        assert code == 0, said[-3000:]
        sent = server.answered.total()
        code, said = finish(multirun, server, *command, "source=comedian")
        assert code == 0, said[-3000:]
        assert server.answered.total() == sent  # once for all cells that share them
    (file,) = multirun.glob("nano/refusal/answers-*/answers.jsonl")
    given = [json.loads(line) for line in file.read_text().splitlines()]
    assert {one["by"] for one in given} == {MODEL}
    assert all("I'm sorry" in one["taught"] and one["elicited_with"] for one in given)
    taught = {one["taught"] for one in given}
    examples = [row for path in multirun.rglob("examples.jsonl") for row in lines(path)]
    assert {row["answer"] for row in examples if row["role"] == "source"} <= taught


def test_without_a_key_or_money_nothing_is_sent_and_the_answers_are_kept(panel, tmp_path):
    multirun = tmp_path / "multirun"
    with JudgeServer(rate) as server:
        code, said = finish(multirun, server, *CELL[:-1], panel)
        assert code == 1
        assert "judge.max_usd" in said.splitlines()[-1]
        assert "has answers to be judged, but judge.max_usd=0 allows no question" in said
        assert "; what is made is kept" in said
        assert server.asked.total() == 0
        assert list(multirun.rglob("completions.parquet"))
        server.key = "sk-ant-another"
        wrong = os.environ | server.environment | {"ANTHROPIC_API_KEY": "sk-ant-wrong"}
        process = programs.run(*CELL, panel, f"paths.multirun={multirun}", env=wrong)
        assert process.returncode == 1
        assert "ANTHROPIC_API_KEY" in process.stderr.splitlines()[-1]
        assert server.answered.total() == 0
