"""The notebooks run: a first sweep, and an analysis of its results; as they are committed in test-long."""

import base64
import html
import io
import os
import re

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from leakage.studies.persona_leakage.analysis.tables import headline
from leakage.studies.persona_leakage.results import results
from tests.conftest import ROOT

NOTEBOOKS = ROOT / "notebooks"
FIRST, OWN = "01_first_sweep", "02_your_own_analysis"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SWEEP = "../run.py -m behavior=refusal source=villain,comedian"
FIELD = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)

pytestmark = pytest.mark.timeout(900)  # two cells are trained and asked in a kernel, on whatever else is going on


def execute(name, multirun, home, *more):
    """The notebook with its outputs, from a kernel started in its folder as Jupyter starts one; more: overrides.

    The kernel does not know that it runs in a test, or ipykernel would capture less than it does for a user; and it
    reads and writes nothing of the user's own settings and history.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"LEAKAGE_MULTIRUN": str(multirun), "IPYTHONDIR": str(home), "JUPYTER_PLATFORM_DIRS": "1"}
    environment |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    environment |= {"PYTHONPATH": str(ROOT)}  # this checkout, whichever the virtual environment was made for
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(SWEEP, " ".join([SWEEP, *more]))
    where = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute(env=environment)
    return notebook


@pytest.fixture(scope="module", params=["short", pytest.param("as committed", marks=pytest.mark.long)])
def multirun(request, tmp_path_factory):
    """Short: the same sweep over few personas and prompts."""
    return tmp_path_factory.mktemp("notebooks") / f"my results {request.param}"  # a space, as a user's folder may have


@pytest.fixture(scope="module")
def first(multirun, panel, tmp_path_factory):
    """The first notebook after its run, which has left its results in `multirun`."""
    few = [panel, "eval.prompts=4", "train.epochs=1", "train.learning_rate=3e-4"] if "short" in multirun.name else []
    return execute(FIRST, multirun, tmp_path_factory.mktemp("ipython"), *few)


@pytest.fixture(scope="module")
def own(first, multirun, tmp_path_factory):  # noqa: ARG001  # its results are what the second reads
    return execute(OWN, multirun, tmp_path_factory.mktemp("ipython"))


@pytest.fixture(scope="module")
def table(first, multirun):  # noqa: ARG001  # the sweep must have run
    return headline(results(multirun))


def outputs(notebook, cell):
    return next(one for one in notebook.cells if one.id == cell).outputs


def printed(notebook, cell):
    return "".join(one.text for one in outputs(notebook, cell) if one.output_type == "stream")


def shown(notebook, cell):
    """The rows of the one table that a cell shows, as lists of texts; the first is its heading."""
    (page,) = (one.data["text/html"] for one in outputs(notebook, cell) if "data" in one)
    rows = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    return [[html.unescape(text).strip() for text in FIELD.findall(row)] for row in rows]


def assert_shows_a_picture(notebook, cell):
    from matplotlib.image import imread

    (picture,) = (one.data["image/png"] for one in outputs(notebook, cell) if "data" in one)
    pixels = imread(io.BytesIO(base64.b64decode(picture)))
    assert min(pixels.shape[:2]) > 150
    assert pixels[..., :3].std() > 0.05  # not an empty sheet


@pytest.mark.parametrize("name", [FIRST, OWN])
def test_a_committed_notebook_carries_no_outputs_and_nothing_of_its_author(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == METADATA
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert not [cell.id for cell in notebook.cells if cell.metadata]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count is not None]


def test_there_is_no_notebook_that_these_tests_do_not_run():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == [FIRST, OWN]


def test_the_first_notebook_runs_a_sweep_and_the_second_time_computes_nothing(first):
    assert "4 of 4 jobs done" in printed(first, "sweep")
    assert "2 cells (2 done), 1 baseline (1 done), 1 geometry (1 done): nothing to compute" in printed(first, "again")


@pytest.mark.parametrize("name", [FIRST, OWN])
def test_no_cell_leaves_an_error_or_a_warning(name, first, own):
    notebook = {FIRST: first, OWN: own}[name]
    everything = [(cell.id, one) for cell in notebook.cells for one in cell.get("outputs", [])]
    assert everything
    assert not [(cell, one) for cell, one in everything if one.output_type == "error" or one.get("name") == "stderr"]
    assert not [cell for cell, one in everything if "Traceback" in one.get("text", "")]


def test_the_first_notebook_shows_the_headline_table_and_the_figure(first, table):
    heading, *rows = shown(first, "headline")
    told = [dict(zip(heading, row, strict=True)) for row in rows]
    assert [row["source"] for row in told] == ["comedian", "villain"]
    assert [row["rho"] for row in told] == [f"{rho:+.3f}" for rho in table["rho"]]
    assert [row["finding"] for row in told] == list(table["finding"])
    assert_shows_a_picture(first, "figure")


def test_the_first_notebook_explains_every_finding_there_can_be(first):
    explained = next(cell.source for cell in first.cells if cell.id == "how-to-read")
    for finding in ("leaks", "not specific", "against", "no gradient", "undefined"):
        assert f"| {finding} |" in explained


def test_the_first_notebook_shows_what_the_persona_that_changed_most_said_before_and_after(first, multirun):
    frame = results(multirun).query("source == 'villain' and not is_source and in_panel")
    persona = frame.loc[frame["delta"].idxmax(), "persona"]
    assert printed(first, "completions").startswith(f"{persona} - ")
    heading, *rows = shown(first, "completions")
    for path, name in zip(printed(first, "artifacts").split(), ("completion_before", "completion_after"), strict=True):
        kept = pd.read_parquet(multirun / path).query("persona == @persona").head(len(rows))
        assert [row[heading.index(name)] for row in rows] == list(kept["completion"])


def test_the_second_notebook_answers_a_question_of_its_own_from_those_results(own, table):
    heading, *rows = shown(own, "mann-whitney")
    assert [row[heading.index("source")] for row in rows] == ["comedian", "villain"]
    related, unrelated = (heading.index(name) for name in ("related", "unrelated"))
    assert [int(row[related]) + int(row[unrelated]) for row in rows] == list(table["n"])
    assert [row[0] for row in shown(own, "regression")[1:]] == ["Intercept", "related[T.True]", "cosine_rank"]
    assert_shows_a_picture(own, "picture")


def test_the_second_notebook_holds_controls_seeds_and_outliers_against_it(own, table):
    # two lines of heading: the columns' common name, the index' names
    _, _, comedian, villain = shown(own, "mismatched")
    assert [comedian[-2], villain[-1]] == [f"{rho:.2f}" for rho in table["matched_rho"]]
    heading, *rows = shown(own, "partial")
    assert [row[heading.index("partial_rho")] for row in rows] == [f"{rho:+.3f}" for rho in table["partial_rho"]]
    assert len(shown(own, "between")) == 2  # a heading and one pair of sources
    assert len(shown(own, "designs")) == 1  # no control has been run
    heading, *rows = shown(own, "seeds")
    assert [row[heading.index("seeds")] for row in rows] == ["1", "1"]
    assert shown(own, "outliers")[0][4:] == ["persona", "cosine", "delta", "expected", "score"]


def test_the_second_notebook_reads_a_csv_of_its_own_similarity(own, table):
    heading, *rows = shown(own, "points")
    assert [row[heading.index("rho_cosine")] for row in rows] == [f"{rho:+.3f}" for rho in table["rho"]]
    words = [row[heading.index("rho_words")] for row in rows]
    assert all(re.fullmatch(r"[+-]0\.\d{3}", rho) for rho in words)
    assert words != [row[heading.index("rho_cosine")] for row in rows]


def test_without_results_the_second_notebook_says_what_to_do(tmp_path):
    with pytest.raises(CellExecutionError, match=r"no finished cell below .*nothing; run one first: python run\.py"):
        execute(OWN, tmp_path / "nothing", tmp_path / "ipython")
