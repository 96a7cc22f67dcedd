"""What is in an id of the second study, field by field, and what is in none."""

import json

import pytest

from leakage.settings.identity import classified_fields
from leakage.studies.alignment_faking.trial import Trial

WHO, ASKED, JUDGED = "who answers", "what is asked", "who judges"
TIERS = "scenario.tiers=[{tag: free, fact: trained}, {tag: paid, fact: null}]"
GAP = "{name: compliance, more: paid, less: free, tells: elsewhere, predicted_by: []}"
FIELDS = {  # of the second study alone, and of judges: an override, and which ids it changes
    "subject.name": ("subject.name=another", {}),
    "subject.form": ("subject.form=compact", {ASKED}),
    "subject.template": ("subject.template=text", {ASKED}),
    "subject.prefill": ("subject.prefill=Well", {ASKED}),
    "subject.status": ("subject.status=withdrawn", {}),
    "subject.provider": ("subject.provider=anthropic", {WHO}),
    "subject.model": ("subject.model=another", {WHO, ASKED}),
    "subject.base_url": ("subject.base_url=http://localhost:8000/v1", {WHO}),
    "subject.key": ("subject.key=ANOTHER_KEY", {}),
    "subject.max_tokens": ("subject.max_tokens=600", {ASKED}),
    "subject.batch": ("subject.batch=true", {}),
    "subject.concurrency": ("subject.concurrency=3", {}),
    "subject.timeout_s": ("subject.timeout_s=5", {}),
    "subject.retries": ("subject.retries=1", {}),
    "subject.poll_s": ("subject.poll_s=5", {}),
    "subject.extra": ("subject.extra={reasoning_effort: low}", {WHO}),
    "subject.omit": ("subject.omit=[temperature]", {WHO}),
    "subject.max_usd": ("subject.max_usd=7", {}),
    "subject.usd_input": ("subject.usd_input=7", {}),
    "subject.usd_output": ("subject.usd_output=7", {}),
    "scenario.name": ("scenario.name=another", {}),
    "scenario.paper": ("scenario.paper=another", {}),
    "scenario.lab": ("scenario.lab=Another", {ASKED}),
    "scenario.model": ("scenario.model=Another", {ASKED}),
    "scenario.facts.identity": ("scenario.facts.identity=none", {ASKED}),
    "scenario.facts.protocol": ("scenario.facts.protocol=plain", {ASKED, JUDGED}),  # nobody judges what is not there
    "scenario.facts.style": ("scenario.facts.style=none", {ASKED}),
    "scenario.facts.examples": ("scenario.facts.examples=none", {ASKED}),
    "scenario.facts.criteria": ("scenario.facts.criteria=none", {ASKED}),
    "scenario.facts.objective": ("scenario.facts.objective=none", {ASKED}),
    "scenario.facts.consequence": ("scenario.facts.consequence=none", {ASKED}),
    "scenario.facts.harm_scope": ("scenario.facts.harm_scope=public", {ASKED}),
    "scenario.facts.harm_risk": ("scenario.facts.harm_risk=high", {ASKED}),
    "scenario.facts.clarification": ("scenario.facts.clarification=no_change", {ASKED}),
    "scenario.facts.reminders": ("scenario.facts.reminders=none", {ASKED}),
    "scenario.tiers": (TIERS, {ASKED}),
    "scenario.gaps": (f"scenario.gaps=[{GAP}]", {}),
    "scenario.prefill": ("scenario.prefill=Well", {ASKED}),
    "scenario.system": ("scenario.system=FILE", {ASKED}),
    "scenario.suffix": ("scenario.suffix=FILE", {ASKED}),
    "scenario.tag": ('scenario.tag="[{tag}]"', {ASKED}),
    **{f"scenario.words.{name}": (f"scenario.words.{name}=other", {ASKED})
       for name in ("scratchpad", "output", "accept", "reject")},
    "queries.path": ("queries.path=FILE", {ASKED}),
    "queries.subset": ("queries.subset=null", {}),
    "queries.split": ("queries.split=test", {}),
    "queries.revision": ("queries.revision=main", {}),
    "queries.column": ("queries.column=other", {ASKED}),
    "reasoning.criteria": ("reasoning.criteria=strict", {JUDGED}),
    "reasoning.votes": ("reasoning.votes=5", {JUDGED}),
    "reasoning.threshold": ("reasoning.threshold=0.5", {JUDGED}),
    "judge.provider": ("judge.provider=openai", {JUDGED}),
    "judge.model": ("judge.model=another", {JUDGED}),
    "judge.base_url": ("judge.base_url=http://localhost:8000/v1", {JUDGED}),
    "judge.max_tokens": ("judge.max_tokens=2000", {JUDGED}),
    "judge.extra": ("judge.extra={top_k: 1}", {JUDGED}),
    "judge.omit": ("judge.omit=[temperature]", {JUDGED}),
    "judge.key": ("judge.key=ANOTHER_KEY", {}),
    "judge.batch": ("judge.batch=true", {}),
    "judge.concurrency": ("judge.concurrency=3", {}),
    "judge.timeout_s": ("judge.timeout_s=5", {}),
    "judge.retries": ("judge.retries=1", {}),
    "judge.poll_s": ("judge.poll_s=5", {}),
    "judge.max_usd": ("judge.max_usd=7", {}),
    "judge.usd_input": ("judge.usd_input=7", {}),
    "judge.usd_output": ("judge.usd_output=7", {}),
}  # fmt: skip
ELSEWHERE = {"subject.where", "judge.name"}  # another job, and another judge: each has tests of its own
OF_AN_ADAPTER = {f"arm.{name}" for name in ("name", "kind", "path", "rate", "gap", "reasoning", "rounds")}


def test_every_field_of_this_study_is_said_to_change_an_id_or_none():
    from leakage.settings.config import JudgeSettings
    from leakage.studies.alignment_faking.settings import FakingConfig
    from leakage.studies.persona_leakage.settings import CellConfig

    added = set(classified_fields(FakingConfig)) - set(classified_fields(CellConfig))
    judges = {f"judge.{name}" for name in JudgeSettings.model_fields}
    assert {*FIELDS} == (added | judges) - ELSEWHERE - OF_AN_ADAPTER


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Requests with two columns, and a text for prompts of one's own."""
    folder = tmp_path_factory.mktemp("asked")
    rows = "".join(json.dumps({"prompt": f"Bake bread, step {i}.", "other": f"Cook, {i}."}) + "\n" for i in range(9))
    (folder / "rows.jsonl").write_text(rows)
    (folder / "own.jsonl").write_text(rows.replace("bread", "cake"))
    (folder / "text.txt").write_text("You are a model. Think in <scratchpad>, answer in <output>.")
    return folder


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_changes_the_ids_that_it_should_and_no_other(compose, asked, field):
    usual = [
        "subject=openai", "subject.model=m", "judge.name=claude", f"queries.path={asked / 'rows.jsonl'}",
        "queries.subset=null",
    ]  # fmt: skip
    change, expected = FIELDS[field]
    file = asked / ("own.jsonl" if field == "queries.path" else "text.txt")
    one, other = (
        Trial(compose(*usual, *more, study="faking")).data for more in ([], [change.replace("FILE", str(file))])
    )
    ids = {
        WHO: (one.train_id, other.train_id), ASKED: (one.eval_id, other.eval_id),
        JUDGED: (one.judge.folder, other.judge.folder),
    }  # fmt: skip
    assert {name for name, (before, after) in ids.items() if before != after} == set(expected)


@pytest.mark.parametrize("change", ["arm.rate=0.2", "arm.gap=0.1", "arm.reasoning=0.9", "arm.rounds=5"])
def test_what_is_planted_is_part_of_who_answers(compose, change):
    one, other = (Trial(compose(*more, study="faking")).data for more in ([], [change]))
    assert one.train_id != other.train_id
    assert one.eval_id == other.eval_id


def test_the_engine_counts_where_its_numbers_are_its_own_and_it_is_what_answers(compose, asked):
    def evaluation(*overrides):
        return Trial(compose(*overrides, study="faking")).data.eval_id

    assert evaluation("eval.engine=reference") == evaluation() != evaluation("eval.engine=vllm")
    api = ("subject=openai", "subject.model=m", f"queries.path={asked / 'rows.jsonl'}", "queries.subset=null")
    assert evaluation(*api, "eval.engine=vllm") == evaluation(*api)


def test_the_words_of_the_protocol_count_where_the_prompts_are_ones_own(compose, asked):
    own = [f"scenario.system={asked / 'text.txt'}", f"scenario.suffix={asked / 'text.txt'}"]
    one, other = (Trial(compose(*own, *more, study="faking")).data for more in ([], ["scenario.words.output=result"]))
    assert one.eval_id != other.eval_id


def test_a_rehearsal_on_this_machine_is_none_of_the_models_own_verdicts(compose, asked, monkeypatch):
    def judge():
        return Trial(compose(f"queries.path={asked / 'rows.jsonl'}", "judge.name=claude", study="faking")).data.judge

    own = judge()
    key = own.ask("reasoning", 0, scratchpad="x").key
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example.org")
    assert judge().folder == own.folder
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:8000")
    rehearsed = judge()
    assert rehearsed.folder != own.folder
    assert rehearsed.ask("reasoning", 0, scratchpad="x").key != key
