"""The benchmark of `fit` beside tuned boosted trees: its table, that it goes on, and one run on a tiny log."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import equal_time
from benchmarks.equal_time import TimedCell, cell_of, main, table

CELL = TimedCell("clicks", "fit", 0, 60.0, 61.0, 0.71, 0.74, "parallel, tuned", 30, {})


def cells(side: str, *test_aucs: float, chosen: str = "") -> list[TimedCell]:
    return [
        replace(CELL, side=side, seed=seed, test_auc=auc, chosen=chosen or side) for seed, auc in enumerate(test_aucs)
    ]


def test_the_table_has_means_and_the_lead_over_the_better_one() -> None:
    told = table([*cells("fit", 0.74, 0.72), *cells("lightgbm", 0.70, 0.72), *cells("catboost", 0.73, 0.72)])
    assert "| clicks | 0.7300 | 0.7100 | 0.7250 | fit (0); fit (1) | 61 | +0.0050 |" in told
    assert "mean lead over 1 logs: +0.0050" in told


def test_a_side_that_is_missing_has_no_figure() -> None:
    told = table(cells("lightgbm", 0.70))
    assert "| clicks | – | 0.7000 | – | – | – | – |" in told
    assert "mean lead" not in told


def test_a_cell_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def trees(log: Path, side: str, limit: float, seed: int) -> TimedCell:
        asked.append(f"{log.stem} {side} {seed} {limit:g}")
        return replace(CELL, side=side, seed=seed, limit=limit)

    monkeypatch.setattr(equal_time, "by_trees", trees)
    first = cell_of(Path("clicks.csv"), "lightgbm", 60.0, 1, tmp_path)
    assert cell_of(Path("clicks.csv"), "lightgbm", 60.0, 1, tmp_path) == first
    assert cell_of(Path("clicks.csv"), "lightgbm", 90.0, 1, tmp_path).limit == 90.0
    assert asked == ["clicks lightgbm 1 60", "clicks lightgbm 1 90"]
    assert json.loads((tmp_path / "clicks-lightgbm-1-60s.json").read_text()) == asdict(first)


@pytest.mark.slow
def test_all_sides_of_a_tiny_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    shop, price = generator.integers(0, 5, 400), generator.normal(size=400)
    clicked = (generator.random(400) < 1 / (1 + np.exp(1 - (shop == 2) * 2 - price))).astype(int)
    rows = [f"{label},shop{place},{number:.3f}" for label, place, number in zip(clicked, shop, price, strict=True)]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "tiny.csv").write_text("\n".join(["click,shop,price", *rows]) + "\n")
    asked = [str(tmp_path / "logs"), "--seeds", "1", "--out", str(tmp_path / "out")]
    main([*asked, "--limit", "2s", "--side", "lightgbm"])
    main([*asked, "--limit", "25s", "--side", "fit"])
    told = capsys.readouterr().out
    assert "| tiny |" in told
    trees = json.loads((tmp_path / "out" / "tiny-lightgbm-0-2s.json").read_text())
    assert trees["seconds"] >= 2.0
    assert trees["trials"] >= 1
    ours = json.loads((tmp_path / "out" / "tiny-fit-0-25s.json").read_text())
    assert 0.5 < ours["valid_auc"] <= 1.0
    assert ours["details"]["spent"]
