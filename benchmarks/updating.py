"""``python -m benchmarks.updating LOG --label LABEL``: what an update gives on tomorrow's rows.

The rows of the log are in the order of time, and each part of it is split by that order. Yesterday is the first part of
them, today the next, tomorrow the last. A model is fitted on yesterday; it is updated with today; and the same strategy
is fitted from scratch on yesterday and today together. All three score tomorrow.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nas_fusion import load
from nas_fusion.data import DataOptions, prepare
from nas_fusion.serving import SavedModel, save_model
from nas_fusion.serving.training_profile import profiles
from nas_fusion.serving.updating import update
from nas_fusion.settings import UpdateSettings
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.studies import assemble, make_job
from nas_fusion.studies.cells.cell import search_and_retrain
from nas_fusion.studies.cells.cell_model import model_parts
from nas_fusion.training import Predictions
from nas_fusion.training.quality import auc

YESTERDAY, TODAY = 0.6, 0.85
"""Where they end, as shares of the rows."""

ORDER = "order of the rows"


def fitted(frame: pd.DataFrame, label: str, strategy: str, seed: int, place: Path) -> tuple[SavedModel, float]:
    """A model of a strategy with the default recipe, and the seconds that reading and training took."""
    start = time.perf_counter()
    options = DataOptions(label=label, split=f"time:{ORDER}")
    dataset = prepare(frame, options, cache=place / "cache")
    values = {"recipe.choice": "defaults", **{f"data.{name}": value for name, value in options.to_dict().items()}}
    settings = settings_from(values, source="frame", strategies=(strategy,), seeds=(seed,))
    assembly = assemble(settings, dataset)
    trained = search_and_retrain(assembly, make_job(assembly, strategy, seed))
    parts = model_parts(assembly, make_job(assembly, strategy, seed), trained.kept.outcome, trained.retrained, None,
                        dataset.encoding())  # fmt: skip
    folder = place / f"{strategy}-{seed}-{len(frame)}"
    save_model(folder, replace(parts, profiles=profiles(dataset.schema, dataset.train)))
    return load(folder), time.perf_counter() - start


def auc_of(model: SavedModel, frame: pd.DataFrame, label: str) -> float:
    """The AUC on rows."""
    return auc(Predictions.of(model.predict_logits(frame), frame[label].to_numpy().astype(np.float32), None, None))


def main() -> None:
    """Fit, update, fit anew; print a table of means over seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.updating", description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="Parquet or CSV, rows in the order of time")
    parser.add_argument("--label", required=True)
    parser.add_argument("--drop", nargs="*", default=[], metavar="COLUMN", help="columns that are no fields")
    parser.add_argument("--strategies", default="parallel,deepfm")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.0, help="of the update (default: the recipe's)")
    parser.add_argument("--epochs", type=int, default=0, help="of the update (default: the recipe's)")
    asked = parser.parse_args()
    frame = pd.read_csv(asked.log) if asked.log.suffix == ".csv" else pd.read_parquet(asked.log)
    frame = frame.drop(columns=asked.drop)
    frame[ORDER] = range(len(frame))
    ends = [round(share * len(frame)) for share in (YESTERDAY, TODAY)]
    yesterday, today, tomorrow = frame[: ends[0]], frame[ends[0] : ends[1]], frame[ends[1] :]
    print(f"{asked.log.stem}: yesterday {len(yesterday):,} rows, today {len(today):,}, tomorrow {len(tomorrow):,}\n")
    print("| strategy | AUC before | after the update | from scratch | update, s | from scratch, s |")
    print("|---|---|---|---|---|---|")
    for strategy in asked.strategies.split(","):
        found = []
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as name:
                place = Path(name)
                old, _ = fitted(yesterday, asked.label, strategy, seed, place)
                start = time.perf_counter()
                update(old, today, place / "new", UpdateSettings(asked.epochs, asked.lr, seed))
                seconds = time.perf_counter() - start
                scratch, scratch_seconds = fitted(frame[: ends[1]], asked.label, strategy, seed, place)
                scores = [auc_of(model, tomorrow, asked.label) for model in (old, load(place / "new"), scratch)]
                found.append((*scores, seconds, scratch_seconds))
        means = [statistics.fmean(column) for column in zip(*found, strict=True)]
        print(f"| {strategy} | " + " | ".join(f"{m:.4f}" for m in means[:3]) + f" | {means[3]:.1f} | {means[4]:.1f} |")


if __name__ == "__main__":
    main()
