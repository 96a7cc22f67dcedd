"""Every kind of trial is run again by the overrides that its own settings give."""

import pytest

from leakage.report.again import Usual
from leakage.report.commands import RUN_GROUPS, RUN_ONLY
from leakage.settings.schema import write_config
from leakage.studies.alignment_faking.report.writeup.again import overrides

SUBJECT = ("name", "model", "base_url", "where", "form", "template", "prefill", "provider")
NOT_TAUGHT = ("behavior", "source", "data", "job")  # nobody asks for these but an adapter of the first study


@pytest.fixture(scope="module")
def usual(compose):
    return Usual(lambda those: compose(*those, study="faking"))


def counts(config, *left_out):
    """All that a trial is made of, as far as a result depends on it."""
    whole = config.model_dump(mode="json")
    run = {name.rstrip(".") for name in (*RUN_ONLY, *RUN_GROUPS)}
    subject = {name: whole["subject"][name] for name in SUBJECT}
    return {name: value for name, value in whole.items() if name not in {*run, *left_out}} | {"subject": subject}


@pytest.mark.parametrize(
    ("mine", "subject", "named"),
    [
        ([], "nano", []),
        (["arm.gap=-0.3", "eval.prompts=80"], "nano", ["arm.gap=-0.3", "eval.prompts=80"]),
        (["arm=none"], "nano", ["arm=none"]),
        (["arm=leakage", "source.name=comedian", "behavior=sycophancy"], "nano", ["behavior=sycophancy"]),
        (["subject=gpt-4o", "queries.path=mine.jsonl"], "gpt-4o", ["queries.path=mine.jsonl"]),
        (
            ["subject=openai", "subject.model=org/my-model", "subject.base_url=http://127.0.0.1:8000/v1"], "openai",
            ["subject.model=org/my-model"],
        ),
        (["subject=local", "model=qwen2.5-0.5b-instruct"], "local", ["model=qwen2.5-0.5b-instruct"]),
        (["subject=local", "model=hf", "model.path=org/some-chat"], "local", ["model=hf", "model.path=org/some-chat"]),
        (["subject=local", "arm=system_prompt_qa", "arm.path=qa.jsonl"], "nano", ["arm=system_prompt_qa"]),
        (["subject=base_text", "model=qwen2.5-0.5b-instruct"], "base_text", ["model=qwen2.5-0.5b-instruct"]),
        (["scenario.lab=Acme", "scenario.facts.harm_risk=high"], "nano", ["scenario.lab=Acme"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scenario", ["two_tiers", "three_tiers"])
def test_its_overrides_make_its_settings(compose, usual, tmp_path, mine, subject, named, scenario):
    written = compose(f"scenario={scenario}", *mine, "seed=7", "device=cpu", study="faking")
    write_config(tmp_path / "config.yaml", written)
    file, rest = overrides(tmp_path, scenario, usual)
    assert file == subject
    assert set(named) <= set(rest)
    again = compose(f"scenario={scenario}", f"subject={file}", *rest, "seed=7", study="faking")
    left_out = () if again.arm.kind == "leakage" else NOT_TAUGHT
    assert counts(again, *left_out) == counts(written, *left_out)


def test_a_trial_of_a_scenario_that_is_gone_is_not_run_again(usual, compose, tmp_path):
    write_config(tmp_path / "config.yaml", compose(study="faking"))
    assert overrides(tmp_path, "gone", usual) is None
