"""Every experiment runs on the embedded model, from its file alone."""

import pytest

from leakage.report.drawing import draw_all
from leakage.studies.persona_leakage.analysis.tables import by_category, by_layer, headline
from leakage.studies.persona_leakage.figures.gallery import drawings
from leakage.studies.persona_leakage.results import results
from tests.config.test_experiments import CELLS

NARROWED = {  # the same experiment over fewer sources, to spare time
    "grid": ("source=villain,qwen_default", 8), "second_seed": ("source=villain", 8),
    "controls": ("source=villain", 12), "relationship_types": ("source=villain,comedian", 6),
    "misalignment_factorial": ("source=assistant", 6), "generated_data": ("source=villain", 4),
    "layers": ("source=villain", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_an_experiment_runs_tiny(program, tmp_path, name):
    narrowed, cells = NARROWED.get(name, ("source=villain", CELLS[name]))
    done = program("run.py", f"experiment={name}", "debug=tiny", narrowed, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    frame = results(tmp_path / "multirun")
    table = headline(frame)
    assert len(table) == cells
    assert table["source_delta"].notna().all()
    assert (table["missing"] == 0).all()
    assert not list((tmp_path / "multirun").rglob("failed.json"))
    assert all(path.read_text() == "[]\n" for path in (tmp_path / "multirun").rglob("lint.json"))
    assert len(by_layer(frame)) == 4 * cells
    assert by_category(frame)["n"].sum() >= 110 * cells
    assert list(draw_all(drawings(frame), tmp_path / "figures"))
