"""A small log with everything that columns may hold, and cells of a study on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, StudyFolder, assemble
from nas_fusion.studies.cells.cell import run_cell

ROWS = 900
OPTIONS = DataOptions(label="clicked", missing=("unknown", "-999"), numeric={"age": "scale"}, hash={"page": "64"})


def clicks(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Texts, numbers with a decimal comma, times, lists, and cells without a value, as texts all of them."""
    rng = np.random.default_rng(seed)
    user, price = rng.zipf(1.5, rows) % 40, rng.gamma(2, 3, rows)
    sport = rng.random(rows) < 0.4
    chance = 1 / (1 + np.exp(-(0.8 * sport - 0.2 * price + 0.05 * (user % 7))))
    tags = [
        " ".join(["sport"] * bool(s) + [f"t{t}" for t in rng.integers(0, 6, n)])
        for s, n in zip(sport, rng.integers(1, 4, rows), strict=True)
    ]
    frame = pd.DataFrame(
        {
            "user": [f"user number {u}" if u % 3 else str(u) for u in user],
            "price": [f"{p:.2f}".replace(".", ",") for p in price],
            "age": rng.integers(18, 80, rows).astype(str),
            "when": pd.to_datetime(1_700_000_000 + rng.integers(0, 10**6, rows), unit="s").strftime("%d.%m.%Y %H:%M"),
            "tags": tags,
            "page": [f"/p/{n}" for n in rng.integers(0, 300, rows)],
            "clicked": (rng.random(rows) < chance).astype(int).astype(str),
        }
    )
    for column, mark in (("user", "unknown"), ("price", ""), ("age", "-999"), ("when", ""), ("tags", "NULL")):
        frame.loc[rng.random(rows) < 0.05, column] = mark
    return frame


def settings_for(strategies: Sequence[str], log: Path) -> ComparisonSettings:
    """Everything as small as it goes."""
    return ComparisonSettings(
        source=str(log),
        data=OPTIONS,
        strategies=tuple(strategies),
        seeds=(0,),
        budget="2x",
        candidates=2,
        model=ModelSettings(levels=1, emb_dim=4),
        recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1, members=2),
        importance=False,
        anytime_test=False,
        device="cpu",
    )


def trained_cells(folder: Path, strategies: Sequence[str]) -> tuple[StudyFolder, EncodedDataset]:
    """A cell of each strategy on `clicks`, in a study folder; the encoded log is in ``cache``."""
    log = folder / "clicks.csv"
    clicks().to_csv(log, sep=";", index=False)
    dataset = prepare(str(log), OPTIONS, cache=folder / "cache")
    study = StudyFolder(folder / "study")
    study.path.mkdir()
    assembly = assemble(settings_for(strategies, log), dataset)
    for strategy in strategies:
        run_cell(assembly, study, strategy, 0)
    return study, dataset


SCORE = """
import sys, json, numpy as np, nas_fusion
order = json.load(sys.stdin)
np.savez(order["out"], **{name: nas_fusion.load(path).scores(order["rows"]) for name, path in order["models"].items()})
"""


def scores_of_a_fresh_process(models: dict[str, Path], rows: Path, out: Path) -> dict[str, np.ndarray]:
    """What a process that knows nothing else says of the rows of a file."""
    order = json.dumps(
        {"models": {name: str(path) for name, path in models.items()}, "rows": str(rows), "out": str(out)}
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCORE], input=order, text=True, env=environment, check=True)
    with np.load(out) as found:
        return dict(found)
