"""The first study: teach a behavior under one persona, and measure who else picks it up."""

from leakage.studies.study import Importer, Study, View

_HERE = "leakage.studies.persona_leakage"
_TABLES = f"{_HERE}.analysis"
_TWO_SOURCES = "it takes two sources of one behavior: python run.py -m source=villain,comedian"

_NO_TRAJECTORY = "no cell was followed along its training: python run.py eval.checkpoints=8"

STUDY = Study(
    name="leakage",
    config="config",
    one="cell",
    kinds=frozenset({"scores"}),
    first="python run.py",
    settings_class=f"{_HERE}.settings:CellConfig",
    job_class=f"{_HERE}.cell:Cell",
    reader=f"{_HERE}.results:results",
    views={
        "cell": View(f"{_TABLES}.tables:headline", "rho of each cell"),
        "category": View(f"{_TABLES}.kinds:by_kind", "each kind of persona: what it adds beyond similarity"),
        "kinds": View(f"{_TABLES}.tables:by_category", "mean delta and rho of each kind of persona, cell by cell"),
        "pooled": View(f"{_TABLES}.pooled:pooled", "rho over all pairs of source and bystander"),
        "layer": View(
            f"{_TABLES}.tables:by_layer", "rho with every cosine measured (exploratory)",
            "one cosine is known, or none",
        ),
        "seed": View(f"{_TABLES}.seeds:by_seed", "the seeds of a cell taken together"),
        "control": View(
            f"{_TABLES}.controls:against_designs", "sham adapters and other controls beside their cells",
            "no control has been run: python run.py experiment=controls",
        ),
        "mismatched": View(
            f"{_TABLES}.controls:mismatched", "cosine to one source against the deltas of another", _TWO_SOURCES
        ),
        "sources": View(f"{_TABLES}.controls:between_sources", "how alike two sources change everyone", _TWO_SOURCES),
        "context": View(
            f"{_TABLES}.contexts:by_context", "how much each kind of context takes up",
            "every context is a persona: python run.py experiment=contexts",
        ),
        "asymmetry": View(
            f"{_TABLES}.contexts:asymmetry", "what i takes up from j against what j takes up from i", _TWO_SOURCES
        ),
        "factorial": View(
            f"{_TABLES}.factorial:by_factor", "what more examples, negatives and other sources change",
            "no cells differ in their numbers of examples: python run.py experiment=misalignment_factorial",
        ),
        "predictor": View(
            f"{_TABLES}.race:by_predictor", "which predictor says who takes a behavior up: held out, against chance",
            "no cell has a predictor; ask them: python run.py forecast=true",
        ),
        "forecast": View(
            f"{_TABLES}.race:by_forecast", "how right each cell's sealed forecast was",
            "no cell was forecast: python run.py forecast=true",
        ),
        "dose": View(f"{_TABLES}.dose:by_dose", "how far each source took the behavior up, and what leaked at that"),
        "trajectory": View(
            f"{_TABLES}.trajectory:by_trajectory", "when source and bystanders turn, and where training had best ended",
            _NO_TRAJECTORY,
        ),
        "turn": View(f"{_TABLES}.trajectory:by_turn", "the step at which each persona turns", _NO_TRAJECTORY),
        "outlier": View(
            f"{_TABLES}.outliers:outliers", "personas far from what their cosine predicts",
            "no persona is that far off, or none has both a delta and a cosine",
        ),
    },
    printing=f"{_HERE}.printing",
    drawer=f"{_HERE}.figures.gallery:drawings",
    reporter=f"{_HERE}.report.write:write_report",
    optioner=f"{_HERE}.data:options",
    points_reader=f"{_HERE}.points:read_points",
    rejudger=f"{_HERE}.rejudge:rejudge",
    agreer=f"{_HERE}.agreement:agreement_below",
    recomputer=f"{_HERE}.recompute:recompute",
    answerer=f"{_HERE}.answers:answer_sets",
    regenerator=f"{_HERE}.regenerate:regenerate",
    carder=f"{_HERE}.card:make_card",
    importer=Importer(
        f"{_HERE}.importing:import_file",
        "completions",
        "answers that were made elsewhere, before and after, as a cell",
        {"behavior": "what they are read for", "source": "the persona that was taught"},
        {"persona": "under which persona", "prompt": "what was asked", "completion": "the answer",
         "condition": "before or after training"},
    ),
)  # fmt: skip
