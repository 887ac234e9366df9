"""What the tests of the data part share: a small log, a cache, and the real samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def clicks() -> pd.DataFrame:
    """500 rows: integers, texts with missing values, fractional numbers with missing values, a time."""
    rng = np.random.default_rng(7)
    rows = 500
    price = pd.Series(np.exp(rng.normal(size=rows)).round(4))
    price[rng.random(rows) < 0.1] = np.nan
    site = pd.Series(rng.choice(["news", "mail", "häuser", "a-rather-long-site-name"], rows), dtype="str")
    site[rng.random(rows) < 0.1] = None
    return pd.DataFrame(
        {
            "user": rng.zipf(1.5, rows).clip(max=300),
            "site": site,
            "price": price,
            "day": rng.permutation(np.repeat(np.arange(50), 10)),
            "click": rng.integers(0, 2, rows),
        }
    )


@pytest.fixture
def sample() -> Callable[[str], Path]:
    """Path of one of the real samples; skips where they are absent."""

    def find(name: str) -> Path:
        path = SAMPLES / name
        if not path.exists():
            pytest.skip(f"the real sample {name} is not beside this checkout")
        return path

    return find


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a text file."""

    def to_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return to_file
