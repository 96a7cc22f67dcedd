"""Settings that change nothing in a job of the first study, and what would make each count."""

from collections.abc import Mapping

from leakage.studies.persona_leakage.identity import CellIdentity

TRAINED_ALONE = "the adapter is asked as it is; only training (adapter.train=true) takes it"
FRESH_ALONE = "an adapter that is trained on has its own shape; only a fresh one takes it"
DRAWN_ALONE = "only examples that are drawn, with data.training.path=null, are made of it"
CELL_ALONE = "only a cell is forecast, and it has a source"
FORECAST_ALONE = "only a forecast measures any (forecast=true)"
ANSWERED_ALONE = "only a behavior whose held-out prompts have a taught answer has margins, and refusal or sycophancy do"
TAUGHT_ALONE = "only what is taught has a trajectory"
MEASURED = ("eval.margin", "eval.checkpoints")
STEPS = ("forecast", "eval.checkpoints")
DRAWING = ("control", *(f"behavior.{name}" for name in (
    "source_examples", "bystanders", "bystander_examples", "no_persona_examples", "anchors", "sham", "answers",
    "negatives", "inoculated",
)))  # fmt: skip


def idle_settings(cell: CellIdentity, kind: str) -> Mapping[str, str]:
    """What an adapter that is there already, a training set that is a file's rows, or the behavior leaves undecided.

    kind: cell, baseline or geometry
    """
    data, idle = cell.data, {} if kind == "cell" else {"forecast": CELL_ALONE}
    if not cell.config.forecast:
        idle["predictors"] = FORECAST_ALONE
    if kind == "geometry" or not cell.taught_answers:
        idle |= dict.fromkeys(MEASURED, ANSWERED_ALONE)
    elif kind == "baseline":
        idle["eval.checkpoints"] = TAUGHT_ALONE
    if data.adapter and not data.is_trained:
        return idle | dict.fromkeys((*DRAWING, "data.training", "lora", "train", "seed", *STEPS), TRAINED_ALONE)
    if data.has_own_rows:
        idle |= dict.fromkeys(DRAWING, DRAWN_ALONE)
    if cell.config.train.kl_to_base:
        idle.pop("control", None)  # one of training, whatever the examples
    return idle | ({"lora": FRESH_ALONE} if data.adapter else {})
