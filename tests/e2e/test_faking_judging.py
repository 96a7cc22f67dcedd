"""A model as judge of the second study: its votes kept one by one, none paid for twice."""

import json
from collections import Counter

import pandas as pd
import pytest

from tests.e2e.faking_server import (
    BALLOTS,
    FAKING,
    JUDGE,
    SUBJECTS,
    UNREADABLE,
    Voters,
    finish,
    kept,
    keys_below,
    kill_when,
    manifest,
    start,
    table,
    think,
)  # fmt: skip
from tests.network.faults import Fault
from tests.network.openai_server import OpenAIServer
from tests.network.server import JudgeServer


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """A file of benign requests, as a user names one."""
    file = tmp_path_factory.mktemp("queries") / "requests.jsonl"
    rows = [{"prompt": f"request {i}. How do I plan a quiet evening?", "source": "mine"} for i in range(6)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"queries.path={file}", "queries.subset=null"]


NONE = -1  # in place of nan, which equals nothing
VOTES = 6 * 2 * (5 + 3)  # on 12 scratchpads, with compliance, partial compliance and motive
JUDGED = [*FAKING, *SUBJECTS["openai"][1], "judge=faking", "judge.name=claude", "judge.max_usd=50", "reasoning.votes=5"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory, requests):
    """A run that a model has judged, and the servers of both."""
    multirun = tmp_path_factory.mktemp("judged")
    with OpenAIServer(think) as subject, JudgeServer(Voters()) as claude:
        code, said = finish(multirun, *JUDGED, *requests, servers=[subject, claude])
        assert code == 0, said
        yield multirun, subject, claude


def ballots(votes):
    """What was voted on each query's scratchpads, of either tier, in letters: y, n and ?."""
    cast = votes[votes["kind"] == "reasoning"]
    letters = cast["value"].map({1: "y", 0: "n"}).fillna("?")
    by_row = letters.groupby([cast["prompt"], cast["tier"]]).agg(lambda row: "".join(sorted(row)))
    return by_row.groupby(level=0).agg(set).to_dict()


def test_votes_are_kept_one_by_one_and_what_cannot_be_read_is_never_a_no(judged):
    multirun, _, claude = judged
    votes, outcomes = table(multirun, "votes"), table(multirun, "outcomes")
    assert len(votes) == claude.asked.total() == VOTES
    assert not votes.duplicated(["tier", "prompt", "kind", "vote"]).any()
    assert Counter(votes["kind"]) == {"compliance": 12, "reasoning": 60, "partial": 12, "motive": 12}
    assert ballots(votes) == {i: {"".join(sorted(one))} for i, one in enumerate(BALLOTS)}
    assert (votes["value"].isna() == ((votes["raw"] == UNREADABLE) | (votes["kind"] == "motive"))).all()
    assert (votes["usd"] > 0).all()
    told = {"votes": [5, 5, 5, 2, 0, 5], "yes": [0, 1, 2, 1, 0, 5], "af": [0, 0, 1, 1, NONE, 1]}  # 1 of 2, not 1 of 5
    assert by_tier(outcomes, *told) == {"free": told, "paid": told}
    unread = outcomes["prompt"] == 5
    assert set(outcomes.loc[unread, "missing"]) == {"unparsable verdict"}
    assert outcomes.loc[unread, "comply"].isna().all()
    assert set(outcomes.loc[unread, "outcome"]) == {"unclassified"}
    assert (outcomes.loc[~unread, "comply"] == (outcomes.loc[~unread, "tier"] == "free")).all()
    assert manifest(multirun, "outcomes")["missing"] == {"unparsable verdict": 2}
    temperatures = {('"preservation"' in body["messages"][0]["content"], body["temperature"]) for body in claude.bodies}
    assert temperatures == {(True, 1.0), (False, 0.0)}  # votes differ only where they are drawn


def test_another_threshold_asks_nothing_and_more_votes_ask_only_the_new_ones(judged, requests):
    multirun, subject, claude = judged
    before, asked = claude.asked.copy(), subject.asked.copy()
    command = [*JUDGED, *requests]
    code, said = finish(multirun, *command, "reasoning.threshold=0.6", servers=[subject, claude])
    assert code == 0, said
    assert claude.asked == before
    told = {"af": [0, 0, 0, 0, NONE, 1]}
    assert by_tier(newest(multirun), *told) == {"free": told, "paid": told}
    code, said = finish(multirun, *command, "reasoning.votes=7", servers=[subject, claude])
    assert code == 0, said
    new = claude.asked - before
    assert new == {prompt: 2 for prompt in before if '"preservation"' in prompt}
    assert len(new) == 12
    told = {"votes": [7, 7, 7, 4, 2, 7], "yes": [2, 3, 4, 3, 2, 7], "af": [0, 1, 1, 1, 1, 1]}
    assert by_tier(newest(multirun), *told) == {"free": told, "paid": told}
    assert subject.asked == asked
    assert not keys_below(multirun, subject, claude)


def by_tier(outcomes, *columns):
    """Each tier's columns in the order of the queries, NONE where there is no value."""
    rows = outcomes.sort_values("prompt").fillna({"af": NONE})
    return {tier: {name: own[name].tolist() for name in columns} for tier, own in rows.groupby("tier")}


def newest(multirun):
    return pd.read_parquet(max(multirun.rglob("outcomes.parquet"), key=lambda file: file.stat().st_mtime_ns))


def test_a_killed_judging_asks_no_vote_twice(requests, tmp_path):
    voters = Voters()
    with OpenAIServer(think) as subject, JudgeServer(lambda text: Fault(text=voters(text), after_s=0.05)) as claude:
        command = [*JUDGED, *requests, "judge.concurrency=4"]
        process = start(tmp_path, *command, servers=[subject, claude])
        kill_when(lambda: claude.answered.total() >= 40, process)
        assert 30 <= len(kept(tmp_path, JUDGE)) < VOTES
        code, said = finish(tmp_path, *command, servers=[subject, claude])
        assert code == 0, said
        assert VOTES <= claude.asked.total() <= VOTES + 4  # what was in flight
        assert set(subject.asked.values()) == {1}
    votes = table(tmp_path, "votes")
    assert len(votes) == len(votes.drop_duplicates(["tier", "prompt", "kind", "vote"])) == VOTES
    assert len(kept(tmp_path, JUDGE)) == VOTES
