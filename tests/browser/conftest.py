"""A report of 24 cells in headless Chromium, opened from the file system."""

import shutil
from time import monotonic
from urllib.parse import unquote, urlparse

import pytest

from leakage.studies.persona_leakage.report.write import write_report
from leakage.studies.persona_leakage.results import results
from tests.browser.made import make_result

CELL = "made-refusal-villain-seed42-vill42"
CHOICE = "made-capability-comedian-seed42-come42"


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The folder of the report: 4 behaviors x 6 sources, 112 personas, 20 prompts, 2 samples."""
    multirun = tmp_path_factory.mktemp("made")
    make_result(multirun)
    write_report(results(multirun), multirun, multirun / "report")
    return multirun / "report"


@pytest.fixture(scope="session")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium on this machine; install it (Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install playwright")
    with playwright.sync_playwright() as running:
        # root in a container cannot have the sandbox
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """A window that opens pages of a report and notes what it must not see."""

    def __init__(self, browser, report, **window):
        self.report, self.said, self.requests = report, [], []
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | window))
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, name, *, drawn=True):
        self.page.goto((self.report / name.partition("#")[0]).as_uri() + "".join(name.partition("#")[1:]))
        if name.startswith("cells/") and drawn:
            self.page.wait_for_selector("#scatter .scatterlayer")
        return self.page

    def seconds(self, name):
        """How long a page takes until its plot can be used; the best of three, since the machine may be busy."""
        taken = []
        for _ in range(3):
            started = monotonic()
            self.open(name)
            taken.append(monotonic() - started)
        return min(taken)

    def left_the_folder(self):
        """Requests for anything but files of the report."""
        return [url for url in self.requests if not self._is_ours(urlparse(url))]

    def _is_ours(self, url):
        return url.scheme in {"data", "blob"} or (
            url.scheme == "file" and unquote(url.path).startswith(f"{self.report}/")
        )


def until(page, expression):
    """Wait until an expression holds; the pages' policy forbids the evaluation that playwright's own waiting needs."""
    ends = monotonic() + 10
    while not page.evaluate(expression):
        assert monotonic() < ends, f"never came true: {expression}"
        page.wait_for_timeout(20)


@pytest.fixture
def reader(chromium, report):
    """A window on the report; whatever a test does in it, the console stays empty and no request leaves the folder."""
    reader = Reader(chromium, report)
    yield reader
    reader.context.close()
    assert reader.said == []
    assert reader.left_the_folder() == []


@pytest.fixture
def narrow(chromium, report):
    """The same, 360 pixels wide."""
    reader = Reader(chromium, report, viewport={"width": 360, "height": 740})
    yield reader
    reader.context.close()
    assert reader.said == []
