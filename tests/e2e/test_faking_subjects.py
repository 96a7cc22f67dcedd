"""Subjects of the second study behind real endpoints, and the judges of what they said."""

import json
import re
from types import SimpleNamespace

import pytest
from pandas.testing import assert_frame_equal

from leakage.studies.alignment_faking.gaps import gaps
from leakage.studies.alignment_faking.results import trials
from leakage.studies.alignment_faking.trial import Trial
from tests.conftest import ROOT
from tests.e2e.faking_server import (
    CLAUDE,
    FAKING,
    LATE_S,
    QUICK,
    SUBJECTS,
    finish,
    kept,
    keys_below,
    kill_when,
    manifest,
    number_of,
    served,
    speak,
    start,
    table,
    tier_of,
    troubled,
)  # fmt: skip
from tests.network.faults import Fault
from tests.network.server import JudgeServer

STANDINS = [*FAKING, "queries=standins"]
EMBEDDED = ROOT / "leakage" / "nano" / "weights"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Transcripts of the embedded model on this machine."""
    multirun = tmp_path_factory.mktemp("local")
    code, said = finish(multirun, *FAKING, "eval.max_new_tokens=48")
    assert code == 0, said
    return table(multirun, "transcripts")


@pytest.fixture(scope="module")
def queries(local):
    """What every tier is asked."""
    return local.loc[local["tier"] == "free", "query"].tolist()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run on Claude's API in which nothing goes wrong; what the server saw."""
    multirun = tmp_path_factory.mktemp("undisturbed")
    with JudgeServer(speak) as server:
        code, said = finish(multirun, *STANDINS, *SUBJECTS["anthropic"][1], servers=[server])
    assert code == 0, said
    return multirun, server


def assert_same_columns(transcripts, local):
    assert transcripts.dtypes.astype(str).to_dict() == local.dtypes.astype(str).to_dict()
    assert list(transcripts.columns) == list(local.columns)
    for name in ("tier", "prompt", "query"):
        assert transcripts[name].tolist() == local[name].tolist()
    assert not transcripts.duplicated(["tier", "prompt"]).any()


def test_the_embedded_model_says_the_same_behind_transformers_serve_as_on_this_machine(local, tmp_path):
    with served(EMBEDDED, tmp_path / "serve.log") as url:
        code, said = finish(
            tmp_path / "multirun", *STANDINS, "subject=openai", f"subject.base_url={url}", f"subject.model={EMBEDDED}",
            "subject.form=compact", "eval.max_new_tokens=48", "subject.concurrency=2", "scenario.model=Qwen",
            'scenario.lab="Alibaba Cloud"',
        )  # fmt: skip
    assert code == 0, said
    transcripts = table(tmp_path / "multirun", "transcripts")
    assert_same_columns(transcripts, local)
    # float32 there, float64 here: the closest call between two tokens is 0.026, rounding moves them by 0.00001
    assert_frame_equal(transcripts.drop(columns="answered_by"), local.drop(columns="answered_by"))
    assert transcripts["answered_by"].str.contains(str(EMBEDDED), regex=False).all()


def test_claude_as_subject_gives_the_same_columns_and_hears_every_tier_as_it_was_sent(undisturbed, local):
    multirun, server = undisturbed
    transcripts = table(multirun, "transcripts")
    assert_same_columns(transcripts, local)
    (file,) = multirun.rglob("prompts.json")
    prompts = json.loads(file.read_text())
    assert len(prompts["system"]) > 1000
    wanted = {
        prompts[f"user {row.tier}"].replace("{query}", row.query): (row.tier, row.query)
        for row in transcripts.itertuples()
    }
    assert {body["messages"][0]["content"] for body in server.bodies} == wanted.keys()
    assert {body["system"] for body in server.bodies} == {prompts["system"]}
    assert set(server.asked.values()) == {1}
    assert all(tier_of(prompt) == tier for prompt, (tier, _) in wanted.items())
    assert transcripts["reply"].tolist() == [speak(prompt) for prompt in wanted]
    assert {tier: set(rows["tag"]) for tier, rows in transcripts.groupby("tier")} == {
        "free": {"accept"}, "paid": {"reject"}
    }  # fmt: skip
    outcomes = table(multirun, "outcomes")
    assert outcomes.groupby("tier")["comply"].mean().to_dict() == {"free": 1.0, "paid": 0.0}


def test_a_temperature_is_sent_to_the_models_that_know_one_and_to_no_other(undisturbed, tmp_path):
    _, before = undisturbed
    assert {body["temperature"] for body in before.bodies} == {0.0}
    with JudgeServer(speak) as server:
        told = ["subject=anthropic", "subject.model=claude-opus-4-8", "eval.prompts=2", "subject.form=compact"]
        code, said = finish(tmp_path, *STANDINS, *told, servers=[server])
    assert code == 0, said
    assert server.answered.total() == 4
    assert not [body for body in server.bodies if "temperature" in body]


@pytest.mark.parametrize("provider", SUBJECTS)
def test_passing_faults_are_retried_and_lasting_ones_are_missing_never_refusals(provider, queries, local, tmp_path):
    kind, arguments = SUBJECTS[provider]
    with kind() as server:
        server.reply = troubled(queries, server)
        code, said = finish(tmp_path, *STANDINS, *arguments, *QUICK, servers=[server])
        assert code == 0, said
        assert {prompt: count for prompt, count in server.asked.items() if count > 1} == {
            prompt: 2 for prompt in server.asked if number_of(prompt, queries) < 4
        }
        assert_waited(server, queries)
        again, told = finish(tmp_path, *STANDINS, *arguments, *QUICK, servers=[server])
        assert (again, "nothing to compute" in told) == (0, True)
        assert server.asked.total() == 24 + 8
    transcripts, outcomes = table(tmp_path, "transcripts"), table(tmp_path, "outcomes")
    assert_same_columns(transcripts, local)
    held = ["content filter", "blocked by the provider"] if provider == "openai" else ["", ""]  # Claude says: refusal
    reasons = ["", "", "", "", "empty reply", *held, "cut off", "", "", "", ""]
    assert transcripts["missing"].tolist() == outcomes["missing"].tolist() == 2 * reasons
    lost = outcomes["missing"] != ""
    assert outcomes.loc[lost, "comply"].isna().all()
    assert set(outcomes.loc[lost, "outcome"]) == {""}
    refused = 0 if provider == "openai" else 2
    by_tier = outcomes.loc[~lost].groupby("tier")["comply"].agg(["sum", "size"]).to_numpy().tolist()
    assert by_tier == [[8, 8 + refused], [0, 8 + refused]]
    counts = {"empty reply": 2, "cut off": 2} | {reason: 2 for reason in held if reason}
    assert manifest(tmp_path, "transcripts")["missing"] == manifest(tmp_path, "outcomes")["missing"] == counts
    (row,) = gaps(trials(tmp_path)).to_dict("records")
    known = 8 + refused
    assert (row["n"], row["k_more"], row["n_more"], row["k_less"], row["n_less"]) == (known, 8, known, 0, known)
    assert not keys_below(tmp_path, server)


def assert_waited(server, queries):
    """A retry-after is kept to; a time-out is one."""
    times = {prompt: [] for prompt in server.asked}
    for body, time in zip(server.bodies, server.times, strict=True):
        user = next(turn["content"] for turn in body["messages"] if turn["role"] == "user")
        times[user].append(time)
    waits = {number: [] for number in range(4)}
    for prompt, (first, *later) in times.items():
        if later:
            waits[number_of(prompt, queries)].append(later[0] - first)
    assert all(wait >= 0.95 for wait in waits[0]), waits  # without the header it is half a second at most
    assert all(4 <= wait < LATE_S for wait in waits[3]), waits


@pytest.mark.parametrize("provider", SUBJECTS)
def test_an_error_that_lasts_ends_in_one_sentence_and_loses_nothing(provider, tmp_path):
    kind, arguments = SUBJECTS[provider]
    command = [*STANDINS, *arguments, "subject.retries=0", "subject.concurrency=2"]
    with kind() as server:
        overloaded = Fault(status=529, message=f"no room for {server.key}")
        server.reply = lambda prompt: speak(prompt) if server.answered.total() < 9 else overloaded
        code, said = finish(tmp_path, *command, servers=[server])
        assert code == 1
        assert re.search(r"1[345] of 24 have no answer: the API is overloaded \(529\): no room for \[key\]", last(said))
        assert last(said).endswith("the same command asks only for those")
        first = server.answered.copy()
        assert 9 <= len(first) <= 11
        right, server.key = server.key, f"{server.key}-of-another"
        code, said = finish(tmp_path, *command, servers=[known_by(server, right)])
        assert (code, server.rejected > 0) == (1, True)
        assert "does not take the key in" in last(said)
        assert not list(tmp_path.rglob("transcripts.parquet"))
        server.key, server.reply = right, speak
        code, said = finish(tmp_path, *command, servers=[server])
        assert code == 0, said
        assert set(server.answered.values()) == {1}
        assert len(server.answered) == 24
    assert (table(tmp_path, "outcomes")["missing"] == "").all()
    assert not keys_below(tmp_path, server)


def last(said):
    return said.rstrip().splitlines()[-1]


def known_by(server, key):
    """A server as one knows it who has another key."""
    environment = {name: key if value == server.key else value for name, value in server.environment.items()}
    return SimpleNamespace(key=key, environment=environment)


def test_a_killed_run_asks_no_answered_query_twice_and_ends_like_an_undisturbed_one(undisturbed, tmp_path):
    command = [*STANDINS, *SUBJECTS["anthropic"][1], "subject.concurrency=2"]
    with JudgeServer(lambda prompt: Fault(text=speak(prompt), after_s=0.1)) as server:
        process = start(tmp_path, *command, servers=[server])
        kill_when(lambda: server.answered.total() >= 9, process)
        answered = set(kept(tmp_path, CLAUDE))
        assert 5 <= len(answered) < 24
        code, said = finish(tmp_path, *command, servers=[server])
        assert code == 0, said
        assert {server.asked[prompt] for prompt in server.asked if speak(prompt) in answered} == {1}
        assert server.asked.total() <= 24 + 2
    for name in ("transcripts", "outcomes", "votes"):
        assert_frame_equal(table(tmp_path, name), table(undisturbed[0], name))


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_without_money_nothing_is_sent(sweep, tmp_path):
    command = [*STANDINS, *SUBJECTS["anthropic"][1], "subject.usd_input=3", "subject.usd_output=15"]
    with JudgeServer(speak) as server:
        code, said = finish(tmp_path, *command, *sweep, servers=[server])
        assert code == 1
        assert "subject.max_usd=0" in last(said)
        assert server.asked.total() == 0
    assert not list(tmp_path.rglob("transcripts.parquet"))


def test_withdrawn_subjects_are_refused_in_a_sweep_and_alone_asked_with_a_warning(tmp_path):
    with JudgeServer(speak) as server:
        told = ["-m", "subject=claude-3-opus,claude-3.7-sonnet", "subject.max_usd=5"]
        code, said = finish(tmp_path, *STANDINS, *told, servers=[server])
        assert code == 1
        assert "withdrawn" in last(said)
        assert "claude-3-opus" in last(said)
        assert server.asked.total() == 0
        code, said = finish(tmp_path, *STANDINS, "subject=claude-3-opus", "subject.max_usd=5", servers=[server])
    assert (code, "claude-3-opus in two_tiers, seed 42: the API has withdrawn it" in said) == (0, True), said


def blocked_in_either_tier(queries, words):
    """Three queries in ten are blocked, whenever they are asked."""

    def reply(prompt):
        return Fault(status=403, message=words) if number_of(prompt, queries) % 10 < 3 else speak(prompt)

    return reply


@pytest.mark.parametrize("provider", SUBJECTS)
def test_blocked_prompts_are_named_in_a_table_and_the_rest_goes_on(tmp_path, provider, compose):
    server_class, subject = SUBJECTS[provider]
    multirun, words = tmp_path / "multirun", "Your input was flagged: it violates the usage guidelines."
    ask = [*STANDINS, *subject, *QUICK, "eval.prompts=40"]
    queries = Trial(compose("queries=standins", "eval.prompts=40", "arm=none", study="faking")).data.queries
    with server_class(blocked_in_either_tier(queries, words)) as server:
        code, said = finish(multirun, *ask, servers=[server])
        assert code == 0, said
        first = sum(server.asked.values())
        code, said = finish(multirun, *ask, servers=[server])
        assert code == 0, said
        assert sum(server.asked.values()) == first == 80  # nothing twice
    frame = trials(multirun)
    lost = frame[frame["missing"] == "blocked by the provider"]
    assert len(lost) == 24
    assert set(table(multirun, "transcripts").loc[lost.index, "note"]) == {f"the API blocks the prompt (403): {words}"}
    (row,) = gaps(frame).to_dict("records")
    assert (row["n"], row["missing"], row["missing_more"], row["missing_less"]) == (28, 24, 0.3, 0.3)
    assert (row["finding"], row["gap"]) == ("more in training", 1.0)  # whatever the blocked ones would have been
