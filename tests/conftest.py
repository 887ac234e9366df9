"""What all tests share: one thread, short timings, an order that ends early, slow tests that say so, a browser."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.checked_shapes import check_shapes
from tests.command_process import PATIENCE_SECONDS
from tests.short_timings import look_ahead_briefly, seldom_look_for_garbage, shorten

# Before torch is imported, and for child processes: the tests' models are too small for more threads, and several
# processes with two threads each take many times as long as soon as a core is busy.
os.environ["OMP_NUM_THREADS"] = "1"
check_shapes()
seldom_look_for_garbage()
# A shell that starts the tests in the background, or nohup, has both ignored, and every process of the tests with them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

WAIT_MS = 1000 * PATIENCE_SECONDS
SLOW_SECONDS = 3.0
"""So much processor time, its own and that of processes that have ended, may a test take that has no mark ``slow``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--strict-slow",
        action="store_true",
        help="fail if a test without the mark slow takes longer than such a test may",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pages in a browser are slow. Files with most slow tests first: none of them is left for the end of a run."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """What is imported now stays until the end: no search for garbage looks at it again."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    before = processor_seconds()
    try:
        return (yield)
    finally:
        item.user_properties.append(("processor seconds", round(processor_seconds() - before, 1)))


def processor_seconds() -> float:
    """Of this process and of those that it started and waited for; the clock would tell what else the machine does."""
    return sum(os.times()[:4])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    late = unmarked(terminalreporter)
    if late:
        terminalreporter.section(f"more than {SLOW_SECONDS:g} s of processor time and not marked slow")
        for seconds, name in sorted(late, reverse=True):
            terminalreporter.line(f"{seconds:6.1f} s {name}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.getoption("--strict-slow") and unmarked(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def unmarked(terminalreporter: Any) -> list[tuple[float, str]]:
    """Slow tests that do not say so: processor seconds and name."""
    reports = [r for r in terminalreporter.stats.get("passed", []) if r.when == "call" and "slow" not in r.keywords]
    seconds = [(dict(report.user_properties).get("processor seconds", 0.0), report.nodeid) for report in reports]
    return [(taken, name) for taken, name in seconds if taken > SLOW_SECONDS]


@pytest.fixture(scope="session", autouse=True)
def short_timings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch.setattr)
        yield


@pytest.fixture
def brief_look_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the command line that are not about how long all will take."""
    look_ahead_briefly(monkeypatch.setattr)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    found = browser.new_page(viewport={"width": 1500, "height": 1300})
    # Fonts and icons come from elsewhere; a machine without a network must not wait for them.
    found.route(lambda url: not url.startswith("http://127.0.0.1"), lambda route: route.abort())
    found.set_default_timeout(WAIT_MS)
    yield found
    found.close()
