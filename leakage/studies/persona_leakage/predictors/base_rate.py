"""How often each persona shows the behavior before anything is trained."""

from typing import TYPE_CHECKING

from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.identity import identity_of
from leakage.studies.persona_leakage.needs import baseline_of
from leakage.studies.persona_leakage.predictors.base import Predictor, Values

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe


def measure(probe: "Probe") -> Values:
    """base_rate: what the baseline's scores tell, turned so that more of it is more of the behavior; nothing where they
    are not done."""
    import pandas as pd

    baseline = identity_of(baseline_of(probe.cell.config))
    record = Record(probe.cell.multirun / baseline.scores_folder)
    if record.status() is not Status.DONE or record.manifest is None:
        return {}
    names = [one.name for one in probe.personas]
    scores = pd.read_parquet(record.folder / "scores.parquet").set_index("persona").loc[names]
    shown = scores["k"] / scores["n"] if record.manifest.facts["measure"] == "hits" else scores["mean"]
    return {"base_rate": probe.cell.data.evaluated.leak_direction * shown.to_numpy(float)}


PREDICTOR = Predictor(name="base_rate", sign=1, measure=measure)
