"""The page in headless Chromium, at the width of a desktop and of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.report import report_model, write_report, write_suite_report
from tests.report.suite_fakes import large_comparison, suite

WIDTHS = [1280, 390]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_UNTITLED = """() => {
  const found = [];
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const layout = plot._fullLayout;
    for (const name of Object.keys(layout).filter(n => /^[xy]axis[0-9]*$/.test(n))) {
      const drawn = plot.querySelector(`.g-${name[0]}${name.slice(5)}title text`);
      if (!layout[name].title.text || !drawn || !drawn.textContent.trim()) found.push(`${plot.id} ${name}`);
    }
  }
  return found;
}"""

_OVERLAPS = """() => {
  const found = [];
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const texts = [...plot.querySelectorAll("text")].filter(t => t.textContent.trim() && t.getClientRects().length);
    const boxes = texts.map(t => [t.textContent, t.getBoundingClientRect()]);
    for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
      const [a, p] = boxes[i], [b, q] = boxes[j];
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 3 && high > 5) found.push(`${plot.id}: ${a} / ${b}`);
    }
  }
  return found;
}"""

_CUT_OFF = """() => {
  const found = [];
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const frame = plot.getBoundingClientRect();
    for (const text of plot.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (!text.textContent.trim() || !box.width) continue;
      if (box.left < frame.left - 1 || box.right > frame.right + 1) found.push(`${plot.id}: ${text.textContent}`);
    }
  }
  return found;
}"""


_LEFT_OUT = """[...document.querySelectorAll(".plot")]
  .filter(plot => !plot.closest("details:not([open])") && !plot.querySelector(".main-svg")).map(plot => plot.id)"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    found = {name: folder / f"{name}.html" for name in ("one", "suite")}
    write_report(report_model(*large_comparison(attainable_auc=0.9911)), found["one"])
    write_suite_report(suite(3), found["suite"])
    return found


@pytest.fixture(scope="module", params=WIDTHS)
def window(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    found = browser.new_page(viewport={"width": request.param, "height": 900})
    found.set_default_timeout(120_000)
    yield found
    found.close()


@pytest.fixture(scope="module")
def one(files: dict[str, Path], window: Any) -> Any:
    """The report on one data set with every figure drawn."""
    errors: list[str] = []
    window.on("pageerror", lambda error: errors.append(str(error)))
    window.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
    window.add_init_script(f"addEventListener('load', () => {{ window.leftOut = {_LEFT_OUT}; }})")
    window.goto(files["one"].as_uri())
    assert errors == []
    return window


def test_a_page_that_is_loaded_shows_every_figure(one: Any) -> None:
    """As a plain ``--screenshot`` and a printer see it, which neither scroll nor wait for anything but the page."""
    assert one.evaluate("leftOut") == []


def test_what_scrolls_fades_at_the_edge_where_more_is(one: Any) -> None:
    for box in (one.locator(".scroll").first, one.locator(".drawing").first):
        hidden = box.evaluate("box => box.scrollWidth - box.clientWidth")
        assert hidden > 0 or one.viewport_size["width"] > 390
        assert ("more-right" in box.get_attribute("class")) == (hidden > 0)
        assert "more-left" not in box.get_attribute("class")
        box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
        one.wait_for_timeout(200)  # scroll events come with the next frame
        assert "more-right" not in box.get_attribute("class")
        assert ("more-left" in box.get_attribute("class")) == (hidden > 0)


def test_nothing_is_wider_than_the_window(one: Any) -> None:
    assert one.locator(".js-plotly-plot").count() > 12
    assert one.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_every_axis_has_a_title_and_no_text_overlaps(one: Any) -> None:
    drawn = set(one.evaluate("[...document.querySelectorAll('.js-plotly-plot')].map(p => p.id)"))
    assert {"test-auc", "ranks", "search-samples", "test-seconds", "pareto-latency-ms-4096", "stages"} <= drawn
    assert {"agreement-connections", "importance-0", "gates-0", "reliability"} <= drawn
    assert one.evaluate(_UNTITLED) == []
    assert one.evaluate(_OVERLAPS) == []
    assert one.evaluate(_CUT_OFF) == []


def test_the_legend_shows_and_hides_a_strategy_in_both_figures(one: Any) -> None:
    visible = (
        "name => ['search-samples', 'search-seconds'].map(id => document.getElementById(id).data"
        ".filter(t => t.legendgroup === name).every(t => t.visible !== false))"
    )
    button = one.locator('.legend[data-plots~="search-samples"] button[data-strategy="optfusion-hard"]')
    assert one.evaluate(visible, "optfusion-hard") == [True, True]
    assert one.evaluate(visible, "random") == [False, False]
    button.click()
    assert one.evaluate(visible, "optfusion-hard") == [False, False]
    assert button.get_attribute("aria-pressed") == "false"
    one.locator('.legend[data-plots~="search-samples"] button.every').click()
    assert one.evaluate(visible, "random") == [True, True]


def test_a_closed_design_draws_its_figures_when_it_is_opened(one: Any) -> None:
    closed = one.locator("details.design:not([open])", has=one.locator("#importance-4"))
    assert one.locator("#importance-4 .main-svg").count() == 0
    closed.locator("summary").click()
    one.locator("#importance-4 .main-svg").first.wait_for()


def test_several_data_sets_are_not_wider_than_the_window(files: dict[str, Path], window: Any) -> None:
    window.goto(files["suite"].as_uri())
    window.locator("#overall-ranks").scroll_into_view_if_needed()
    window.locator("#overall-ranks .main-svg").first.wait_for()
    assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
