"""What several parts' tests share: one thread, short timings, a headless browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.command_process import ROUND_SECONDS

# Before torch is imported, and for child processes: the tests' models are too small for more threads, and several
# processes with two threads each take many times as long as soon as a core is busy.
os.environ["OMP_NUM_THREADS"] = "1"

WAIT_MS = 30_000


@pytest.fixture(scope="session", autouse=True)
def short_timings() -> Iterator[None]:
    """Every cell measures its model's latency: a third of a small comparison, and no test is about its digits."""
    from nas_fusion.measures import latency

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "ROUND_SECONDS", ROUND_SECONDS)
        yield


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
