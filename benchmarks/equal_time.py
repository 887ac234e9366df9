"""``python -m benchmarks.equal_time LOGS --limit 5m --seeds 3 --out FOLDER``: `fit` beside tuned boosted trees.

Every log of a folder, with every seed, gets the same seconds on one thread three times: by ``nasfusion fit
--time-limit``, by LightGBM alone, and by CatBoost alone. The trees are tuned as a competent engineer would: Optuna's
TPE, over the ranges that the package has for them, the library's defaults first, categories as categories, early
stopping on the validation rows, and the best trial by validation is taken. Their clock begins when the log is encoded;
that of `fit` when the command begins. Every cell is a file, so a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.first_answer import KNOWN

if TYPE_CHECKING:
    from nas_fusion.data import EncodedDataset

FIT = "fit"
TREES = ("lightgbm", "catboost")
SIDES = (FIT, *TREES)

LOGS = (".parquet", ".csv", ".txt", ".tsv")

OPTION_FIELDS = {"--label": "label", "--split-column": "split_column"}
"""Options of the command line that `KNOWN` has, and the fields of the data's options that they set."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class TimedCell:
    """One side with one seed on one log.

    Args:
        log, side, seed: which one.
        limit: seconds that it was given.
        seconds: that it took.
        valid_auc, test_auc: of the model that was taken.
        chosen: what that is, in words.
        trials: how many models were tried.
        details: what else is worth keeping.
    """

    log: str
    side: str
    seed: int
    limit: float
    seconds: float
    valid_auc: float
    test_auc: float
    chosen: str
    trials: int
    details: dict[str, Any]


def by_fit(log: Path, limit: float, seed: int, out: Path) -> TimedCell:
    """Run ``nasfusion fit`` in a process of its own, and read what it has found.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    model = out / "models" / f"{log.stem}-{seed}"
    study = model.with_name(f"{model.name}-study")
    model.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-c", "from nas_fusion.cli import main; main()", FIT]
    asked = ["--data", str(log), *KNOWN.get(log.name, ()), "--time-limit", f"{limit:g}s", "--seeds", f"{seed},"]
    subprocess.run([*command, *asked, "--out", str(model)], check=True)
    seconds = time.monotonic() - start
    manifest = json.loads((model / "model.json").read_text(encoding="utf-8"))
    info = json.loads((study / "comparison.json").read_text(encoding="utf-8"))
    tuned = {one["strategy"]: one for one in info["tuned"]}
    own = tuned.get(manifest["strategy"], {"is_better": False, "values": {}})
    cells = len(list(study.glob("cells/*/cell.json")))
    return TimedCell(
        log.stem, FIT, seed, limit, seconds,
        manifest["metrics"]["valid"]["auc"], manifest["metrics"]["test"]["auc"],
        manifest["strategy"] + (", tuned" if own["is_better"] else ""),
        cells + sum(one["trials"] for one in tuned.values()),
        {"values": own["values"], "tuned": info["tuned"], "spent": info["spent"]},
    )  # fmt: skip


def by_trees(log: Path, side: str, limit: float, seed: int) -> TimedCell:
    """Tune boosted trees on the rows that `fit` has, encoded as for `fit`, until the time is over."""
    import optuna

    from nas_fusion.strategy import STRATEGIES
    from nas_fusion.system.deadline import Deadline, ending_by

    dataset = _encoded(log)
    entry = STRATEGIES.get(side)
    names = entry.distributions()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: value for name, value in entry.parameters.items() if name in names})
    best: dict[str, Any] = {"valid_auc": 0.0, "test_auc": 0.0, "values": {}, "trial": 0}
    deadline, done = Deadline(limit), 0
    with ending_by(deadline):  # the last one ends with the trees that it has
        while deadline.left > 0:
            trial = study.ask(dict(names))
            valid_auc, test_auc = _fitted(dataset, side, trial.params, seed)
            study.tell(trial, valid_auc)
            if valid_auc > best["valid_auc"]:
                values = dict(trial.params)
                best = {"valid_auc": valid_auc, "test_auc": test_auc, "values": values, "trial": done}
            done += 1
    chosen = f"{side}, trial {best['trial'] + 1} of {done}"
    return TimedCell(
        log.stem, side, seed, limit, deadline.elapsed, best["valid_auc"], best["test_auc"], chosen, done,
        {"values": best["values"]},
    )  # fmt: skip


def _encoded(log: Path) -> EncodedDataset:
    from nas_fusion.data import DataOptions, prepare

    said = KNOWN.get(log.name, ())
    options: dict[str, Any] = {OPTION_FIELDS[name]: value for name, value in zip(said[::2], said[1::2], strict=True)}
    return prepare(str(log), DataOptions(**options))


def _fitted(dataset: EncodedDataset, side: str, values: dict[str, Any], seed: int) -> tuple[float, float]:
    """Validation and test AUC of trees by some values."""
    from nas_fusion.architecture import Architecture
    from nas_fusion.settings import ComparisonSettings, DataOptions
    from nas_fusion.strategy import STRATEGIES
    from nas_fusion.training import Predictions
    from nas_fusion.training.quality import auc

    entry = STRATEGIES.get(side)
    assert entry.fit_model is not None, "trees are fitted as a whole"
    architecture = Architecture.build(side, {**entry.parameters, **values}, side)
    config = ComparisonSettings(str(dataset.name), DataOptions(), (side,)).train_config(len(dataset.train), seed)
    model = entry.fit_model(architecture, dataset.search_view(), config)
    valid, test = (
        auc(Predictions.of(model.split_logits(split), split.labels)) for split in (dataset.valid, dataset.test)
    )
    return valid, test


def table(cells: Sequence[TimedCell]) -> str:
    """Means over the seeds as Markdown, and how far `fit` is ahead of the better one of the trees."""
    head = ["log", *(f"{side}, test AUC" for side in SIDES), "fit has taken", "fit's seconds", "ahead by"]
    rows, leads = [], []
    for log in sorted({cell.log for cell in cells}):
        of = {side: [cell for cell in cells if (cell.log, cell.side) == (log, side)] for side in SIDES}
        means = {side: _mean(cell.test_auc for cell in found) for side, found in of.items() if found}
        trees = [means[side] for side in TREES if side in means]
        lead = means[FIT] - max(trees) if FIT in means and trees else None
        leads += [] if lead is None else [lead]
        taken = "; ".join(f"{cell.chosen} ({cell.seed})" for cell in of[FIT])
        seconds = f"{max(cell.seconds for cell in of[FIT]):.0f}" if of[FIT] else "–"
        shown = [f"{means[side]:.4f}" if side in means else "–" for side in SIDES]
        rows.append([log, *shown, taken or "–", seconds, "–" if lead is None else f"{lead:+.4f}"])
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    mean = f"\n\nmean lead over {len(leads)} logs: {_mean(leads):+.4f}" if leads else ""
    return "\n".join(lines) + mean


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def cell_of(log: Path, side: str, limit: float, seed: int, out: Path) -> TimedCell:
    """A cell: read if it was computed before with the same limit, else computed and kept."""
    place = out / f"{log.stem}-{side}-{seed}-{limit:g}s.json"
    if place.is_file():
        return TimedCell(**json.loads(place.read_text(encoding="utf-8")))
    cell = by_fit(log, limit, seed, out) if side == FIT else by_trees(log, side, limit, seed)
    out.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps(asdict(cell), indent=1) + "\n", encoding="utf-8")
    new.replace(place)
    return cell


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.equal_time", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("logs", type=Path, help="folder of logs")
    parser.add_argument("--limit", default="5m", help="for each cell, like 90s or 5m (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/equal-time"), help="where cells lie")
    parser.add_argument("--only", nargs="*", metavar="LOG", help="some of the logs, without extension")
    parser.add_argument("--side", choices=SIDES, help="one side alone")
    given = parser.parse_args(arguments)
    if not given.logs.is_dir():
        parser.error(f"no folder {given.logs}")
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before anything counts threads, here and in other processes
    from nas_fusion.budget import seconds_in

    limit = seconds_in(given.limit)
    if limit is None:
        parser.error(f"--limit must be a time like 90s or 5m, got {given.limit!r}")
    logs = sorted(path for path in given.logs.iterdir() if path.suffix in LOGS)
    chosen = [log for log in logs if not given.only or log.stem in given.only]
    sides = [given.side] if given.side else list(SIDES)
    cells = []
    for seed in range(given.seeds):
        for log in chosen:
            for side in sides:
                cells.append(cell_of(log, side, limit, seed, given.out))
                print(json.dumps({name: value for name, value in asdict(cells[-1]).items() if name != "details"}))
    print(f"\n{table(cells)}")


if __name__ == "__main__":
    main()
