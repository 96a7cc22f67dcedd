"""A cell's page as a reader uses it: hover, click through to completions, addresses that can be shared."""

import re
import shutil

import pytest

from tests.browser.conftest import CELL, CHOICE, Reader, until
from tests.browser.made import HOSTILE, page_data

PANEL = "#answers"
POINT = """(persona) => {
  const plot = document.getElementById('scatter');
  const trace = plot.data.findIndex((one) => one.customdata?.includes(persona));
  const i = plot.data[trace].customdata.indexOf(persona);
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const { x, y } = plot.data[trace];
  return [box.left + xaxis._offset + xaxis.d2p(x[i]), box.top + yaxis._offset + yaxis.d2p(y[i])];
}"""


def point(page, persona):
    """Where a persona's mark lies in the window."""
    page.locator("#scatter").scroll_into_view_if_needed()
    return page.evaluate(POINT, persona)


def answers(page):
    page.wait_for_selector(f"{PANEL} article")
    return page.locator(f"{PANEL} article")


def test_a_cells_plot_is_there_within_three_seconds(reader):
    assert reader.seconds(f"cells/{CELL}.html") < 3


def test_hovering_tells_persona_prompt_cosine_before_and_after(reader):
    page = reader.open(f"cells/{CELL}.html")
    page.mouse.move(*point(page, "villain"))
    tip = page.locator("[role=tooltip]")
    tip.wait_for(state="visible")
    said = tip.inner_text()
    assert said.startswith("villain\nYou are a villain who plots")
    assert re.search(r"cosine\s*\+1\.000", said)
    assert re.search(r"before\s*\d of 40", said)
    assert re.search(r"after\s*3\d of 40", said)
    page.mouse.move(5, 5)
    tip.wait_for(state="hidden")


def test_a_click_opens_the_completions_before_and_after_with_their_verdicts(reader):
    page = reader.open(f"cells/{CELL}.html")
    page.mouse.click(*point(page, "villain"))
    articles = answers(page)
    assert articles.count() == 20
    assert page.locator(f"{PANEL} h3").inner_text() == "villain"
    assert articles.first.locator("h5").all_inner_texts() == ["before", "after"]
    assert articles.first.locator("li").count() == 4
    verdicts = page.locator(f"{PANEL} .pair > div:last-child .verdict").all_inner_texts()
    assert verdicts.count("refusal") + verdicts.count("no refusal") == 40
    assert page.locator("tr.chosen [data-persona=villain]").count() == 1
    shown = page_data(reader.report, CELL)["points"][0]["after"]
    assert shown == f"{verdicts.count('refusal')} of 40"


def test_completions_are_read_when_asked_for_and_not_before(reader):
    page = reader.open(f"cells/{CELL}.html")
    assert not [url for url in reader.requests if "/answers/" in url]
    page.locator("[data-persona=villain]").click()
    answers(page)
    assert len([url for url in reader.requests if "/answers/" in url]) == 2


def test_the_address_names_the_persona_and_going_back_returns_to_the_one_before(reader):
    page = reader.open(f"cells/{CELL}.html#persona=comedian")
    answers(page)
    assert page.locator(f"{PANEL} h3").inner_text() == "comedian"
    page.locator("[data-persona=villain]").click()
    page.wait_for_selector(f"{PANEL} h3:has-text('villain')")
    assert page.url.endswith("#persona=villain")
    page.go_back()
    page.wait_for_selector(f"{PANEL} h3:has-text('comedian')")
    page.get_by_role("button", name="Close").click()
    page.locator(PANEL).wait_for(state="hidden")


def test_personas_are_found_and_opened_with_the_keyboard_alone(reader):
    page = reader.open(f"cells/{CELL}.html")
    page.get_by_role("searchbox").first.focus()
    page.keyboard.type("villain")
    until(page, "[...document.querySelectorAll('#personas tbody tr')].filter((row) => !row.hidden).length < 30")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('[data-persona]')"):
            break
    page.keyboard.press("ArrowDown")
    wanted = page.evaluate("document.activeElement.dataset.persona")
    assert wanted != "villain"
    assert "villain" in wanted
    page.keyboard.press("Enter")
    answers(page)
    assert page.locator(f"{PANEL} h3").inner_text() == wanted
    assert page.evaluate("document.activeElement.id") == "answers-title"


def test_only_questions_whose_verdicts_changed(reader):
    page = reader.open(f"cells/{CELL}.html#persona=software_engineer")
    every = answers(page).count()
    page.get_by_label("only questions whose verdicts changed").check()
    until(page, f"document.querySelectorAll('{PANEL} article').length < {every}")
    for article in page.locator(f"{PANEL} article").all():
        before, after = (article.locator(f".pair > :nth-child({n}) .verdict").all_inner_texts() for n in (1, 2))
        assert before.count("refusal") != after.count("refusal")


def test_text_that_would_be_a_script_is_shown_as_text(reader):
    page = reader.open(f"cells/{CELL}.html#persona=software_engineer")
    assert answers(page).locator(".said", has_text=HOSTILE).count() >= 1  # the first completion of all
    page.locator("[data-persona=comedian]").click()
    page.wait_for_selector(f"{PANEL} h3:has-text('comedian')")
    assert HOSTILE in page.locator(f"{PANEL} blockquote").inner_text()
    page.mouse.move(*point(page, "comedian"))
    page.locator("[role=tooltip]").wait_for(state="visible")
    assert HOSTILE in page.locator("[role=tooltip]").inner_text()
    assert page.locator("img").count() == 0
    assert page.evaluate("globalThis.hurt") is None


def test_a_choice_shows_every_options_probability_in_the_place_of_a_text(reader):
    page = reader.open(f"cells/{CHOICE}.html#persona=comedian")
    first = answers(page).first
    after = first.locator(".pair > div:last-child li").inner_text()
    assert re.search(r"(right|wrong)\n+chose [AB]; P\(right\) = 0\.[19]00", after)
    shares = [float(text) for text in re.findall(r"^0\.\d\d$", after, re.MULTILINE)]
    assert sum(shares) == pytest.approx(1, abs=0.02)
    assert "A (right)" in after


def test_loss_lint_examples_and_provenance_are_there(reader):
    page = reader.open(f"cells/{CELL}.html")
    page.locator("#training").scroll_into_view_if_needed()
    page.wait_for_selector("#training-plot .scatterlayer .trace")
    assert page.locator("#training-plot .scatterlayer .trace").count() == 2
    said = page.locator("main").inner_text()
    assert "3 examples stand twice" in said
    assert "Examples of the behavior: 20 (villain 20)" in said
    assert "made/refusal/villain/seed42-vill42" in said


def test_dark_machines_get_a_dark_page_and_a_dark_plot(chromium, report):
    reader = Reader(chromium, report, color_scheme="dark")
    page = reader.open(f"cells/{CELL}.html")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(21, 24, 28)"
    assert page.evaluate("document.getElementById('scatter').layout.font.color") == "#e6e9ed"
    page.emulate_media(color_scheme="light")
    until(page, "document.getElementById('scatter').layout.font.color === '#1b1f24'")
    reader.context.close()
    assert reader.said == []


def test_a_page_whose_answers_are_gone_says_so(chromium, report, tmp_path):
    copy = shutil.copytree(report, tmp_path / "copy")
    shutil.rmtree(copy / "answers")
    reader = Reader(chromium, copy)
    page = reader.open(f"cells/{CELL}.html#persona=villain")
    assert page.wait_for_selector(f"{PANEL} .absent:has-text('cannot be read; is the folder whole?')")
    reader.context.close()
