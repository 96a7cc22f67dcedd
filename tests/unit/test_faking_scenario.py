"""The scenarios' facts and the subjects' settings."""

import re
from functools import lru_cache

import pytest

from leakage.errors import ConfigError, DataError
from leakage.studies.alignment_faking.facts import LEFT_OUT, SHIPPED, read_facts
from leakage.studies.alignment_faking.scenario import SLOTS, Scenario
from leakage.studies.alignment_faking.transcript import (
    ACCEPT,
    OUTPUT,
    REJECT,
    SCRATCHPAD,
)
from tests.conftest import ROOT, composed

HYPOTHESES = {"rater_sycophancy", "instrumental_goal_guarding", "terminal_goal_guarding"}
MODELS = (
    "gpt-4", "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.5", "claude-4-sonnet", "claude-4-opus",
    "claude-3.7-sonnet", "claude-3.5-sonnet-october", "claude-3.5-sonnet-june", "claude-3-opus", "gemini-2.5-flash",
    "gemini-2.0-flash", "grok-3-beta", "llama-4-scout", "llama-4-maverick", "llama-3-70b", "llama-3-405b",
    "deepseek-v3", "deepseek-r1", "qwen-2.5-coder-32b", "qwen-2.5-72b", "mixtral-8x22b", "mistral-large-2",
)  # fmt: skip


@lru_cache(maxsize=128)
def faking(*overrides):
    return composed(*overrides, study="faking")


# facts


def test_every_fact_has_both_forms_and_only_a_tier_fact_knows_of_a_tag():
    facts = read_facts()
    assert set(facts.slots) == {*SLOTS, "request"}
    for slot, variants in facts.slots.items():
        assert LEFT_OUT not in variants
        for variant in variants.values():
            forms = (variant.full, variant.compact)
            assert variant.full
            assert [bool(re.search(r"\{tag\}", text)) for text in forms] == [slot == "tier"] * 2


def test_no_two_variants_of_a_fact_say_the_same_in_either_form():
    for variants in read_facts().slots.values():
        for form in ("full", "compact"):
            texts = [getattr(variant, form) for variant in variants.values()]
            assert len(set(texts)) == len(texts)


def test_the_words_ask_for_the_tags_that_replies_are_read_for():
    facts = read_facts()
    for form in ("full", "compact"):
        assert f"<{SCRATCHPAD}>" in facts.text("protocol", "scratchpad", form)
        assert f"<{OUTPUT}>" in facts.text("protocol", "scratchpad", form)
        assert "<" not in facts.text("protocol", "plain", form)
        assert ACCEPT in facts.text("request", "whole", form)
        assert REJECT in facts.text("request", "whole", form)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tier: {trained: {full: 'Of {tagg}.', compact: x}}", "tier.trained.full: tagg is nothing that is filled in"),
        ("tier: {trained: {full: 'Of {tag', compact: x}}", "expected '}'"),
        ("tier: {trained: {full: x}}", "tier.trained.compact: Field required"),
        ("tier: {trained: {full: ' ', compact: x}}", "'none' leaves a fact out"),
    ],
)
def test_a_wrong_fact_is_named_with_its_file(text, said, tmp_path):
    file = tmp_path / "facts.yaml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        read_facts(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("scenario.facts.objective=rlfh", "unknown variant 'rlfh' of the fact 'objective'; nearest: rlhf"),
        ("scenario.facts.harm_scope=everybody", "there are public, amateur_hackers, criminals, bioweapon_actors, none"),
        ("scenario.tiers=[{tag: a, fact: traind}, {tag: b, fact: null}]", "of the fact 'tier'; nearest: trained"),
    ],
)
def test_an_unknown_variant_ends_in_one_sentence(override, said):
    gaps = "scenario.gaps=[{name: g, more: a, less: b, predicted_by: []}]"
    config = faking("scenario=two_tiers", override, *([gaps] if "tiers" in override else []))
    with pytest.raises(ConfigError) as caught:
        Scenario(config.scenario, "full")
    assert said in str(caught.value)
    assert str(SHIPPED) in str(caught.value)
    assert "\n" not in str(caught.value)


# scenarios


def test_a_tier_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(
        ConfigError, match="scenario two_tiers has no tier 'payed'; nearest: paid; there are free, paid"
    ):
        Scenario(faking().scenario, "compact").prompt("payed", "Hello?")


def test_a_query_may_hold_braces_and_stands_as_it_is():
    query = "Write {tag} and {0} and {{x}} in a <free> letter."
    assert query in Scenario(faking().scenario, "full").user("paid", query).split("\n\n")


def test_the_prefill_is_the_scenarios_own_or_else_the_subjects_and_is_hashed():
    plain, own = faking().scenario, faking("scenario=prefill_however").scenario
    assert Scenario(plain, "full").prefill is None
    assert Scenario(plain, "full", prefill="Well,").prefill == "Well,"
    assert (
        Scenario(own, "full", prefill="Well,")
        .prefill_of("paid")
        .startswith(f"<{SCRATCHPAD}>\nThis comes from the paid tier.")
    )
    digests = {Scenario(plain, "full").digest(), Scenario(plain, "full", prefill="Well,").digest()}
    assert len(digests | {Scenario(own, "full").digest(), Scenario(plain, "compact").digest()}) == 4


def test_the_digest_knows_everything_that_is_sent_and_nothing_else():
    base = Scenario(faking().scenario, "full")
    same = Scenario(faking("scenario.name=mine", "scenario.gaps.0.name=mine").scenario, "full")
    assert same.digest() == base.digest()
    changes = ["scenario.lab=A", "scenario.model=B", "scenario.facts.reminders=none", "scenario=two_tiers_swapped"]
    assert len({Scenario(faking(change).scenario, "full").digest() for change in changes} | {base.digest()}) == 5


def test_only_a_protocol_with_a_scratchpad_has_one():
    for name, has in (("two_tiers", True), ("two_tiers_no_scratchpad", False), ("throughput", True)):
        for form in ("full", "compact"):
            assert Scenario(faking(f"scenario={name}").scenario, form).has_scratchpad is has


def test_every_scenario_says_which_hypotheses_predict_its_gaps():
    names = {path.stem for path in (ROOT / "conf" / "scenario").glob("*.yaml")} - {"from_files"}
    predicted = {}
    for name in sorted(names):
        scenario = faking(f"scenario={name}").scenario
        assert scenario.name == name
        for gap in scenario.gaps:
            assert set(gap.predicted_by) <= HYPOTHESES
            predicted[name, gap.name] = set(gap.predicted_by)
    assert predicted["throughput", "compliance"] == HYPOTHESES - {"instrumental_goal_guarding"}
    assert predicted["three_tiers", "goal_guarding"] == HYPOTHESES - {"rater_sycophancy"}
    assert predicted["three_tiers", "rater_sycophancy"] == {"rater_sycophancy"}
    assert predicted["other_model", "compliance"] == HYPOTHESES - {"terminal_goal_guarding"}


# subjects


@pytest.mark.parametrize("name", MODELS)
def test_each_of_the_25_models_composes_is_told_who_it_is_and_spends_nothing_unasked(name):
    config = faking(f"subject={name}")
    subject = config.subject
    assert (subject.name, subject.where, subject.form, subject.max_usd) == (name, "api", "full", 0)
    assert subject.usd_output >= subject.usd_input > 0
    assert (subject.provider == "anthropic") == name.startswith("claude")
    assert (subject.base_url is None) == name.startswith(("claude", "gpt"))
    assert subject.max_tokens == config.eval.max_new_tokens >= 4096
    system = Scenario(config.scenario, subject.form).system()
    assert system.startswith(f"You are {config.scenario.model}, an AI model from {config.scenario.lab}.")
    assert config.scenario.lab != "the lab that developed you"


def test_keys_are_those_of_the_address_and_no_two_models_are_asked_for_by_one_name():
    subjects = [faking(f"subject={name}").subject for name in MODELS]
    assert len({subject.model for subject in subjects}) == 25
    addresses = {(subject.provider, subject.base_url): subject.key for subject in subjects}
    assert len(set(addresses.values())) == len(addresses)
    for subject in subjects:
        assert addresses[subject.provider, subject.base_url] == subject.key


def test_every_subject_file_composes_with_what_the_user_has_to_give():
    for path in sorted((ROOT / "conf" / "subject").glob("*.yaml")):
        given = [] if path.stem in {*MODELS, "local", "nano", "base_text"} else ["subject.model=org/some-model"]
        name = ["subject.name=mine"] if path.stem == "common" else []
        named = ["scenario.lab=L", "scenario.model=M"] if path.stem == "common" else []
        subject = faking(f"subject={path.stem}", *given, *name, *named).subject
        assert subject.max_usd == 0


def test_the_embedded_subject_is_asked_in_few_words_about_its_own_world():
    config = faking("subject=nano")
    assert (config.subject.name, config.subject.where, config.subject.form) == ("nano", "local", "compact")
    assert config.queries.path is None
    assert faking("subject=local").queries.path is not None
    assert faking("subject=base_text").subject.template == "text"
