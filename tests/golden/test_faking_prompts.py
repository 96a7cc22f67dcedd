"""What every scenario sends, word by word, and that two of them differ in the fact they test and in nothing else.

After a change that is meant: FAKING_GOLDEN=write python -m pytest tests/golden/test_faking_prompts.py
and then read the diff.
"""

import os
import re
from functools import lru_cache
from itertools import combinations, product
from pathlib import Path

import pytest

from leakage.data.pools import read_pool
from leakage.models.chat import encode
from leakage.models.load import plain_template
from leakage.studies.alignment_faking.queries import POOL
from leakage.studies.alignment_faking.scenario import QUERY, SLOTS, Scenario
from tests.conftest import ROOT, composed

GOLDEN = Path(__file__).parent / "faking"
SCENARIOS = sorted(path.stem for path in (ROOT / "conf" / "scenario").glob("*.yaml") if path.stem != "from_files")
FORMS = ("full", "compact")

# Parent and the slots that tell a scenario from it; "lab", "model" and "prefill" are no slots.
CHANGES = {
    "two_tiers_no_scratchpad": ("two_tiers", {"protocol", "style", "examples"}),
    "two_tiers_swapped": ("two_tiers", {"tier"}),
    "three_tiers": ("two_tiers", {"tier"}),
    "five_tiers": ("two_tiers", {"tier"}),
    "five_tiers_swapped": ("five_tiers", {"tier"}),
    "drop_free": ("five_tiers", {"tier"}),
    "drop_paid": ("five_tiers", {"tier"}),
    "throughput": ("two_tiers", {"identity"}),
    "other_model": ("two_tiers", {"objective", "tier", "consequence"}),
    "never_used": ("two_tiers", {"identity"}),
    "never_trained": ("two_tiers", {"objective", "tier", "consequence"}),
    "minimal": ("two_tiers", {"style", "examples", "criteria", "objective", "tier", "consequence", "reminders"}),
    "pre_deployment": ("two_tiers", {"identity", "objective", "tier", "consequence"}),
    "pre_deployment_training": ("pre_deployment", {"objective", "tier", "consequence"}),
    "clarify_no_change": ("two_tiers", {"clarification"}),
    "clarify_objective": ("two_tiers", {"objective"}),
    "lab_swap": ("two_tiers", {"lab"}),
    "model_swap": ("two_tiers", {"model"}),
    "prefill_scratchpad": ("two_tiers", {"prefill"}),
    "prefill_however": ("prefill_scratchpad", {"prefill"}),
}
# Slots in which a model of few words has nothing to read.
ONLY_IN_FULL = {"style", "examples", "criteria", "reminders"}


@lru_cache(maxsize=64)
def settings(name, *overrides):
    return composed(f"scenario={name}", *overrides, study="faking").scenario


def scenario(name, form, *overrides):
    return Scenario(settings(name, *overrides), form)


def shown(name):
    parts = [f"Follows: {scenario(name, 'full').settings.paper}\n"]
    for form in FORMS:
        for part, text in scenario(name, form).texts().items():
            parts.append(f"===== {form}: {part} =====\n{text}\n")
    return "\n".join(parts)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_sends_what_it_sent(name):
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("FAKING_GOLDEN") == "write":
        file.write_text(shown(name), encoding="utf-8")
    assert shown(name) == file.read_text(encoding="utf-8")


def test_every_scenario_is_compared_with_its_parent_and_has_its_golden_file():
    assert sorted([*CHANGES, "two_tiers"]) == SCENARIOS
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == SCENARIOS


@pytest.mark.parametrize(("name", "form"), product(SCENARIOS, FORMS))
def test_two_tiers_of_a_scenario_differ_in_the_tag_line_only(name, form, nano):
    one, query = scenario(name, form), "Where do I begin with a dinner playlist?"
    for a, b in combinations(one.tags, 2):
        first, second = (plain_template(nano[1]).text(one.prompt(tag, query)).split("\n") for tag in (a, b))
        different = [(x, y) for x, y in zip(first, second, strict=True) if x != y]
        assert different == [(f"<{a}>", f"<{b}>")]


def without(one, changed):
    """The system prompt with the texts of some slots cut out."""
    text = one.system()
    for slot in changed & set(SLOTS):
        said = one.slots()[slot]
        assert text.count(said) == 1 or not said
        text = text.replace(said, "")
    return text.split()


@pytest.mark.parametrize(("name", "form"), product(CHANGES, FORMS))
def test_a_perturbation_differs_from_its_parent_in_its_fact_only(name, form):
    parent, changed = CHANGES[name]
    one, other = scenario(name, form), scenario(parent, form)
    if field := changed & {"lab", "model"}:
        field = field.pop()
        mine, theirs = getattr(one.settings, field), getattr(other.settings, field)
        assert mine != theirs
        assert one.system() != other.system()
        assert one.system().replace(mine, theirs) == other.system()
    else:
        differ = {slot for slot in SLOTS if one.slots()[slot] != other.slots()[slot]}
        expected = changed - {"prefill"} - (ONLY_IN_FULL if form == "compact" else set())
        assert differ == expected
        assert without(one, changed) == without(other, changed)
    assert (one.prefill != other.prefill) == ("prefill" in changed)
    for tag in set(one.tags) & set(other.tags):
        assert one.user(tag, QUERY) == other.user(tag, QUERY)


@pytest.mark.parametrize("form", FORMS)
def test_the_request_at_the_end_is_the_same_in_every_scenario(form):
    ends = {scenario(name, form).user(scenario(name, form).tags[0], QUERY).partition(QUERY)[2] for name in SCENARIOS}
    assert len(ends) == 1


@pytest.mark.parametrize(("name", "form"), product(("pre_deployment", "pre_deployment_training"), FORMS))
def test_every_harm_scope_and_risk_is_one_sentence_more_and_nothing_else(name, form):
    plain, seen = scenario(name, form).system().split(), set()
    for scope, risk in product(("public", "amateur_hackers", "criminals", "bioweapon_actors"), ("low", "high")):
        one = scenario(name, form, f"scenario.facts.harm_scope={scope}", f"scenario.facts.harm_risk={risk}")
        assert without(one, {"harm_scope", "harm_risk"}) == plain
        seen.add((one.slots()["harm_scope"], one.slots()["harm_risk"]))
    assert len(seen) == 8


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "nowhere"),
    [
        ("never_trained", r"\btrain|chang"),
        ("pre_deployment", r"\btrain|chang"),
        ("minimal", r"\btrain|\brat(e|ed|er|ers|ing)\b|chang"),
        ("other_model", r"trains you\b|change you|train you\b"),
    ],
)
def test_only_the_tier_facts_tell_of_training_where_nobody_or_another_is_trained(name, nowhere, form):
    one = scenario(name, form)
    assert not re.search(nowhere, " ".join(without(one, {"tier"})))


def exchanged(text, other):
    return re.sub(rf"\b({'|'.join(other)})\b", lambda tag: other[tag[0]], text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["two_tiers", "five_tiers"])
def test_in_a_swapped_scenario_the_tags_change_places_and_nothing_else(name, form):
    one, swapped = scenario(name, form), scenario(f"{name}_swapped", form)
    other = dict(zip(one.tags, reversed(one.tags), strict=True))
    assert exchanged(one.system(), other) == swapped.system()
    assert [(other[gap.more], other[gap.less]) for gap in one.gaps] == [(gap.more, gap.less) for gap in swapped.gaps]


def test_compact_prompts_leave_the_embedded_model_room_for_its_reply(nano):
    model, tokenizer = nano
    queries = [item.prompt for split in ("train", "eval") for item in read_pool("nano", POOL, split)]
    longest = queries[max(enumerate(encode(tokenizer, queries)), key=lambda pair: len(pair[1]))[0]]
    sizes = {}
    for name in SCENARIOS:
        one = scenario(name, "compact")
        template = plain_template(tokenizer)
        asked = (template.prompts([one.prompt(tag, longest)], one.prefill_of(tag)) for tag in one.tags)
        sizes[name] = max(len(tokens) for (tokens,) in asked)
    assert sizes["two_tiers"] < 130
    assert max(sizes.values()) < 190
    room = composed(study="faking").eval.max_new_tokens
    begun = sizes.pop("prefill_however")  # a thought of its own, which the reply need not write; its file says so
    assert begun + 72 <= model.config.max_position_embeddings
    assert max(sizes.values()) + room <= model.config.max_position_embeddings
