"""The second study: does a model comply more when it infers that it is in training?"""

from leakage.studies.study import Importer, Study, View

_HERE = "leakage.studies.alignment_faking"
_FIRST = "python run.py --config-name faking"
_TELLING = f"it takes two gaps of which the motives predict different things: {_FIRST} scenario=three_tiers"
_TWO_SCENARIOS = f"it takes two scenarios of one subject: {_FIRST} -m scenario=two_tiers,three_tiers"

STUDY = Study(
    name="faking",
    config="faking",
    one="trial",
    kinds=frozenset({"outcomes"}),
    first=_FIRST,
    settings_class=f"{_HERE}.settings:FakingConfig",
    job_class=f"{_HERE}.trial:Trial",
    reader=f"{_HERE}.results:trials",
    views={
        "cell": View(f"{_HERE}.tables:gaps", "every gap of compliance, with its interval and tests"),
        "outcome": View(f"{_HERE}.tables:outcomes", "the six outcome classes by tier"),
        "missing": View(f"{_HERE}.tables:missing_reasons", "why replies or verdicts are missing", "none is missing"),
        "motive": View(f"{_HERE}.tables:motives", "motives by tier", "no scratchpad was judged"),
        "hypothesis": View(
            f"{_HERE}.hypotheses:hypotheses", "which hypothesis names the gaps that were found", _TELLING
        ),
        "perturbation": View(
            f"{_HERE}.tables:perturbations", "each scenario's gap against that of two_tiers", _TWO_SCENARIOS
        ),
        "seed": View(f"{_HERE}.tables:by_seed", "the seeds of a trial taken together"),
    },
    printing=f"{_HERE}.printing",
    drawer=f"{_HERE}.figures.gallery:all_drawings",
    reporter=f"{_HERE}.report.write:write_report",
    optioner="leakage.studies.persona_leakage.data:options",
    rejudger=f"{_HERE}.rejudge:rejudge",
    agreer=f"{_HERE}.agreement:agreement_below",
    recomputer=f"{_HERE}.recompute:recompute",
    regenerator=f"{_HERE}.regenerate:regenerate",
    answerer=f"{_HERE}.answers:answer_sets",
    second_judge="judge.name=claude judge.max_usd=20",
    validator=f"{_HERE}.validation:validate_file",
    importer=Importer(
        f"{_HERE}.importing:import_file",
        "transcripts",
        "replies that were asked for elsewhere, as a trial",
        {"subject": "whose replies they are, for tables"},
        {"query": "what was asked", "tier": "under which tier", "reply": "the whole reply, its scratchpad in it"},
    ),
    more_kinds=frozenset({"validation"}),
)
