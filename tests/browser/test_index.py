"""The first page as a reader uses it."""

from leakage.report.wording import MINUS
from tests.browser.conftest import CELL, until
from tests.browser.made import folder_bytes

ROWS = "#cells tbody tr:not([hidden])"


def column(page, name):
    """The texts of a column in the rows that are shown."""
    heads = [text.rstrip("↕↑↓ ") for text in page.locator("#cells thead th").all_inner_texts()]
    return page.locator(f"{ROWS} > :nth-child({heads.index(name) + 1})").all_inner_texts()


def numbers(texts):
    return [float(text.split()[0].replace(MINUS, "-")) for text in texts]


def test_the_first_page_of_24_cells_is_there_within_three_seconds_and_the_folder_within_30_megabytes(reader, report):
    assert reader.seconds("index.html") < 3
    assert reader.page.locator(ROWS).count() == 24
    assert folder_bytes(report) < 30e6


def test_a_heading_sorts_its_column_both_ways_and_says_so(reader):
    page = reader.open("index.html")
    heading = page.locator("#cells th", has_text="source Δ")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    first = numbers(column(page, "source Δ"))
    assert first == sorted(first, reverse=True)
    assert first[0] > 0 > first[-1]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert numbers(column(page, "source Δ")) == sorted(first)
    page.locator("#cells thead th").first.get_by_role("button").click()
    assert column(page, "behavior") == sorted(column(page, "behavior"))
    assert heading.get_attribute("aria-sort") == "none"


def test_search_and_choices_leave_the_rows_that_fit_and_clear_brings_all_back(reader):
    page = reader.open("index.html")
    page.locator("select[name=source]").select_option("villain")
    assert set(column(page, "source")) == {"villain"}
    assert page.locator(ROWS).count() == 4
    page.get_by_role("searchbox").fill("REFUSAL leaks")
    assert column(page, "behavior") == ["refusal"]
    assert page.locator("output").inner_text() == "1 of 24"
    page.get_by_role("button", name="Clear").click()
    until(page, "document.querySelector('output').textContent === '24 of 24'")


def test_a_filter_is_still_applied_when_the_reader_comes_back(reader):
    page = reader.open("index.html")
    page.locator("select[name=behavior]").select_option("refusal")
    page.locator(f"{ROWS} a").first.click()
    page.wait_for_selector("h1:has-text('refusal taught to')")
    page.go_back()
    until(page, f"document.querySelectorAll({ROWS!r}).length === 6")
    assert page.locator("select[name=behavior]").input_value() == "refusal"


def test_the_table_is_walked_with_the_keyboard_alone(reader):
    page = reader.open("index.html")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#cells [data-row]')"):
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == page.locator(f"{ROWS} a").nth(1).get_attribute("aria-label")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector(f"h1:has-text({focused!r})")


def test_cautions_open_and_close_with_the_keyboard(reader):
    page = reader.open("index.html")
    button = page.locator("#cells button[popovertarget]").first
    said = page.locator(f"#{button.get_attribute('popovertarget')}")
    assert said.locator("li").count() == int(button.inner_text().split()[-1])
    assert not said.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    said.wait_for(state="visible")
    page.keyboard.press("Escape")
    said.wait_for(state="hidden")


def test_a_panel_at_a_glance_opens_its_cell(reader):
    page = reader.open("index.html")
    assert page.locator(".glance svg").count() == 24
    page.locator(f".glance a[href='cells/{CELL}.html']").click()
    page.wait_for_selector("h1:has-text('refusal taught to villain')")


def test_every_link_leads_to_a_file_of_the_folder(reader, report):
    page = reader.open("index.html")
    links = page.evaluate("[...document.links].map((one) => one.href)")
    page = reader.open(f"cells/{CELL}.html")
    links += page.evaluate("[...document.links].map((one) => one.href)")
    files = {link.partition("#")[0].removeprefix("file://") for link in links}
    assert len(files) >= 25
    assert [file for file in files if not report.joinpath(file).is_file()] == []


def test_a_narrow_window_scrolls_down_only(narrow):
    for name in ("index.html", f"cells/{CELL}.html#persona=villain"):
        page = narrow.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
