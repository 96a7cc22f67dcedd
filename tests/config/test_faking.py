"""The second study's configs: every subject, scenario and arm composes, and its experiments promise what they hold."""

import json
import re
from functools import cache

import pytest

from leakage.cli import primary
from leakage.cli.primary import with_primary_config
from leakage.errors import ConfigError
from leakage.jobs.estimate import estimate
from leakage.jobs.plan import make_plan
from leakage.settings.identity import classified_fields
from leakage.studies.alignment_faking.trial import Trial
from leakage.studies.persona_leakage.cell import Cell
from tests.config.test_config import options
from tests.config.test_experiments import grid_of
from tests.conftest import ROOT

TRIALS = {
    "base_models": 2, "faking_controls": 10, "faking_models": 25, "faking_motives": 19, "refusal_and_faking": 6,
    "scope_and_risk": 8, "synthetic_documents": 2,
}  # fmt: skip
NEEDED = {  # what the user has to give
    "anthropic": ["subject.model=claude-x"], "base_text": [], "deepseek": ["subject.model=m"],
    "google": ["subject.model=m"], "mistral": ["subject.model=m"], "openai": ["subject.model=m"],
    "together": ["subject.model=m/n"], "xai": ["subject.model=m"],
}  # fmt: skip


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """300 harmless requests in a file of the user's."""
    file = tmp_path_factory.mktemp("queries") / "queries.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"Describe step {i} of baking bread."}) + "\n" for i in range(300)))
    return f"queries.path={file}"


def arm_file(name, folder):
    file = folder / f"{name}.jsonl"
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    file.write_text(json.dumps({"text": "A document."} if name == "synthetic_documents" else {"messages": turns}))
    return f"arm.path={file}"


def work_of(trial, kind):
    return next((step.work.units for step in trial.steps if step.kind == kind), 0)


def trial_of(compose, queries, *overrides, subject):
    return Trial(compose(f"subject={subject}", queries, *NEEDED.get(subject, []), *overrides, study="faking"))


@pytest.mark.parametrize("subject", options("subject"))
def test_every_subject_composes_into_a_trial(compose, queries, subject):
    trial = trial_of(compose, queries, subject=subject)
    assert work_of(trial, "transcripts") == 2 * len(trial.data.queries) > 0
    assert re.fullmatch(r"[\w.+-]+ in two_tiers, seed 42", trial.label)


def pairs_of_subject_and_scenario():
    """All of them; every scenario for the embedded model, every third for the others too, the rest in test-long."""
    for subject in ("nano", "gpt-4o", "base_text"):
        for i, scenario in enumerate(options("scenario")):
            short = subject == "nano" or i % 3 == 0
            yield pytest.param(subject, scenario, marks=[] if short else pytest.mark.long)


@pytest.mark.parametrize(("subject", "scenario"), pairs_of_subject_and_scenario())
def test_every_scenario_composes_for_local_and_api_subjects(compose, queries, subject, scenario):
    own = [f"scenario.system={ROOT / 'README.md'}"] if scenario == "from_files" else []
    trial = trial_of(compose, queries, f"scenario={scenario}", *own, subject=subject)
    assert work_of(trial, "transcripts") == len(trial.data.scenario.tags) * len(trial.data.queries)


@pytest.mark.parametrize("arm", options("arm"))
def test_every_arm_composes_and_is_another_adapter(compose, queries, tmp_path, arm):
    given = [arm_file(arm, tmp_path)] if arm not in {"none", "planted", "leakage"} else []
    trial = Trial(compose(f"arm={arm}", queries, *given, study="faking"))
    assert ("adapter" in [step.kind for step in trial.steps]) == (arm != "none")
    assert trial.data.train_folder.parts[0] == "nano"
    assert work_of(trial, "adapter") == {"none": 0, "planted": 200, "leakage": 132}.get(arm, 1)
    if given:
        assert (trial.config.lora.r, trial.config.lora.alpha, trial.config.train.epochs) == (64, 128, 1)


def test_an_adapter_of_the_first_study_is_the_very_same(compose):
    trial = Trial(compose("arm=leakage", "behavior=sycophancy", "source=comedian", study="faking"))
    cell = Cell(compose("behavior=sycophancy", "source=comedian"))
    assert (trial.data.train_folder, trial.data.train_id) == (cell.ids.adapter_folder, cell.ids.train_id)
    assert trial.data.train_identity == cell.ids.train


def test_no_field_of_the_second_study_is_part_of_the_first_ones_identities():
    from leakage.studies.alignment_faking.settings import FakingConfig
    from leakage.studies.persona_leakage.settings import CellConfig

    first = classified_fields(CellConfig)
    added = {name: ids for name, ids in classified_fields(FakingConfig).items() if name not in first}
    assert added
    assert set(added.values()) == {()}


@pytest.fixture(scope="module")
def plan_of(composer, queries, tmp_path_factory):
    """The plan of an experiment by its name, made once."""
    multirun = tmp_path_factory.mktemp("plans") / "multirun"

    @cache
    def made(name):
        through = composer("faking")
        given = [f"paths.multirun={multirun}", *([queries] if name in {"faking_models", "base_models"} else [])]
        given += [arm_file(name, multirun.parent)] if name == "synthetic_documents" else []
        return make_plan(grid_of(name), lambda overrides: through([*overrides, *given]))

    return made


@pytest.mark.parametrize(("name", "count"), TRIALS.items())
def test_an_experiment_composes_into_the_trials_it_promises(plan_of, name, count):
    assert [job.kind for job in plan_of(name).jobs] == ["trial"] * count


def test_there_is_a_count_for_every_experiment_of_this_study():
    second = [name for name in options("experiment") if len(with_primary_config([f"experiment={name}"])) == 2]
    assert sorted(TRIALS) == second


def test_an_experiment_of_this_study_needs_no_config_name():
    assert with_primary_config(["experiment=faking_controls"]) == ["--config-name=faking", "experiment=faking_controls"]
    assert with_primary_config(["-m", "experiment=refusal_and_faking"])[0] == "--config-name=faking"
    assert (
        with_primary_config(["scenario=three_tiers"])[0]
        == with_primary_config(["arm.gap=0.1", "seed=1"])[0]
        == "--config-name=faking"
    )
    for plain in (
        ["experiment=grid"],
        ["source=villain", "seed=1"],
        ["--config-name", "faking", "experiment=faking_controls"],
        ["-cn=faking"],
    ):
        assert with_primary_config(plain) == plain


def test_an_experiments_study_is_read_off_what_it_holds_and_not_off_its_name(monkeypatch, tmp_path):
    folder = tmp_path / "experiment"
    folder.mkdir()
    monkeypatch.setattr(primary, "CONF", tmp_path)
    sweeps = {
        "my_gap": "hydra: {mode: MULTIRUN, sweeper: {params: {scenario: 'two_tiers,three_tiers'}}}",
        "chosen": "defaults: [{override /subject: local}]",
        "planted": "arm: {gap: 0.1}",
        "faking_in_name_only": "hydra: {sweeper: {params: {source: 'villain,comedian', behavior: refusal}}}",
    }
    for name, text in sweeps.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
    second = {name for name in sweeps if with_primary_config([f"experiment={name}"])[0] == "--config-name=faking"}
    assert second == {"my_gap", "chosen", "planted"}


def test_the_plan_of_25_models_tells_tokens_and_dollars(plan_of):
    plan = plan_of("faking_models")
    told = estimate(plan)
    subject, judge, total = (
        re.search(rf"^{name}.*$", told, re.MULTILINE)[0] for name in ("subject", "judge", "in all")
    )
    assert "(10,000 replies, " in subject  # 25 models x 2 tiers x 200 queries
    assert "(230,000 votes, " in judge  # 20 on reasoning and three more of each transcript
    dollars = [
        [float(one.replace(",", "")) for one in re.findall(r"\$([\d.,]+\d)", line)] for line in (subject, judge, total)
    ]
    assert all(0 < usual < most for usual, most in dollars)
    assert dollars[2] == pytest.approx([sum(pair) for pair in zip(*dollars[:2], strict=True)], abs=0.02)
    assert all(re.search(r", [\d.]+ M tokens in, [\d.]+ M out;", line) for line in (subject, judge))
    prompts = [job.job.data.scenario.prompt("free", job.job.data.queries[0]) for job in plan.jobs]
    characters = sum(len(one.system) + len(one.user) for one in prompts) * 400
    assert float(re.search(r"([\d.]+) M tokens in", subject)[1]) == pytest.approx(characters / 3.5 / 1e6, rel=0.05)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["arm.gap=0.9"], "arm: rate + gap = 1.25 is no probability; change arm.rate or arm.gap"),
        (["arm=anti_refusal"], "arm: arm=anti_refusal is taught from a file of yours; name it: arm.path=file.jsonl"),
        (["eval.samples=2"], "eval.samples=2: a query is asked once a tier; raise eval.prompts"),
        (["scenario.facts.style=none2"], "unknown variant 'none2' of the fact 'style'"),
        (["subject=gpt-4o", "arm=leakage"], "teaches a model on this machine, and gpt-4o is behind an API"),
        (["scenario=from_files"], "scenario.system=: it names no file; give a text file with your own words"),
        (["scenario.words.output=scratchpad"], "scratchpad and output are both 'scratchpad'; call them apart"),
        (["judge=rules", "queries=harmful"], "judge=rules: phrases can tell replies to the embedded model's stand-ins"),
        (["judge.name=claude", "judge.max_tokens=300"], "judge.max_tokens=300 would cut verdicts with quotes short"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_one_sentence(compose, overrides, said):
    with pytest.raises(ConfigError) as caught:
        _ = Trial(compose(*overrides, study="faking")).data.judge
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gaps_are_between_tiers_that_are_there(compose):
    wrong = "scenario.gaps=[{name: g, more: free, less: gold, predicted_by: []}]"
    with pytest.raises(ConfigError, match="gap g is between tiers that are not there: gold"):
        compose(wrong, study="faking")


def test_queries_are_drawn_with_the_seed_and_are_the_same_in_every_scenario(compose, queries):
    one, other, third = (
        Trial(compose(queries, "eval.prompts=20", *more, study="faking")).data.queries
        for more in ([], ["scenario=three_tiers"], ["seed=43"])
    )
    assert one == other != third
    assert len(set(one)) == 20


def test_what_changes_a_reply_changes_its_id_and_what_does_not_does_not(compose):
    def folder(*overrides):
        return Trial(compose(*overrides, study="faking")).data.transcripts_folder

    same = ["eval.batch_size=7", "device=cpu", "judge.max_usd=5", "reasoning.votes=5", "subject.concurrency=2"]
    other = ["eval.temperature=0.5", "seed=43", "scenario=two_tiers_swapped", "scenario.lab=Other", "arm.gap=0.1",
             "eval.prompts=10", "arm=none", "subject.form=full", "scenario.prefill=Well"]  # fmt: skip
    assert {folder(one) for one in same} == {folder()}
    assert len({folder(), *(folder(one) for one in other)}) == len(other) + 1


def test_a_changed_threshold_or_vote_count_is_another_judge_of_the_same_transcripts(compose, queries):
    def trial(*overrides):
        return Trial(compose(queries, "judge.name=claude", *overrides, study="faking"))

    plain = trial()
    for change in ("reasoning.votes=5", "reasoning.threshold=0.5", "judge.model=claude-sonnet-4-6"):
        assert trial(change).data.judge.folder != plain.data.judge.folder
        assert trial(change).data.transcripts_folder == plain.data.transcripts_folder
