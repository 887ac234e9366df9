"""Scoring rows by a saved model: a log of any length against encoding it, memory by length, and single rows."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.csv

from benchmarks._harness import Options, Row
from benchmarks.encoding import GB, peak_bytes, write_log

LEARNT_ROWS = 50_000
ROWS = (1_000_000, 5_000_000)
SINGLE_ROWS = 3000
CRITEO = tuple(f"C{i}" for i in range(1, 8)), tuple(f"I{i}" for i in range(1, 14))
"""Twenty fields of the log: seven categories, thirteen numbers."""

PREDICT, ENCODE = "predict", "encode"


class Turn(NamedTuple):
    """One file read in a process of its own."""

    seconds: float
    peak_bytes: int


def run(options: Options) -> Iterator[Row]:
    """1 and 5 million rows in Criteo's format: scores in a Parquet file against an encoded data set, then single rows.

    The model is *stacked* with 20 fields of the log, learnt from its first 50,000 rows. The same file is encoded
    (`prepare`, with an empty cache) right after it was scored, with the same 20 fields.
    """
    shrink = 100 if options.quick else 1
    model = learnt_model(options.folder, LEARNT_ROWS // min(shrink, 10))
    peaks = []
    for rows in (n // shrink for n in ROWS):
        file = options.folder / f"criteo-{rows}.txt"
        write_log(file, rows, seed=1)
        scored, encoded = (_apart(what, file, model, options.folder) for what in (PREDICT, ENCODE))
        file.unlink()
        peaks.append(scored.peak_bytes)
        details = {
            "rows/s": f"{rows / scored.seconds:,.0f}", "encoding rows/s": f"{rows / encoded.seconds:,.0f}",
            "peak GB": round(scored.peak_bytes / GB, 2), "encoding peak GB": round(encoded.peak_bytes / GB, 2),
        }  # fmt: skip
        yield Row(f"{rows:,} rows: scored over encoded, by rows/s", encoded.seconds / scored.seconds, "", 0.5, details)
    case = f"peak memory, {ROWS[1] // shrink:,} rows over {ROWS[0] // shrink:,}"
    yield Row(case, peaks[1] / peaks[0], "", 1.1, {}, at_most=True)
    found = np.array(single_rows(model, options.folder, SINGLE_ROWS // shrink)) * 1000
    for name, share, aim in (("half of them", 50, 1.0), ("99 %", 99, None)):
        took = float(np.percentile(found, share))
        yield Row(f"one row of 20 fields, {name} within", took, "ms", aim, {"rows": len(found)}, at_most=True)


def learnt_model(folder: Path, rows: int) -> Path:
    """A model of a generated log, as a cell of a comparison leaves it."""
    from nas_fusion.data import DataOptions, prepare
    from nas_fusion.studies import ComparisonSettings, RecipeSettings, StudyFolder, assemble
    from nas_fusion.studies.cells.cell import run_cell

    log = folder / "learnt.txt"
    write_log(log, rows)
    options = DataOptions(format="criteo", fields=(*CRITEO[0], *CRITEO[1]))
    dataset = prepare(log, options, cache=folder / "cache")
    settings = ComparisonSettings(
        source=str(log), data=options, strategies=("stacked",), seeds=(0,), importance=False, anytime_test=False,
        recipe=RecipeSettings(retrain_epochs=1), device="cpu",
    )  # fmt: skip
    study = StudyFolder(folder / "study")
    study.path.mkdir()
    run_cell(assemble(settings, dataset), study, "stacked", 0)
    return study.path / "cells" / "stacked-0" / "model"


def rows_to_score(model: Path, folder: Path, rows: int) -> list[dict[str, Any]]:
    """Rows of a generated log as dictionaries, with the columns of a model."""
    import nas_fusion

    file = folder / "single.txt"
    write_log(file, rows, seed=2)
    names = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
    table = pyarrow.csv.read_csv(
        file, pyarrow.csv.ReadOptions(column_names=names), pyarrow.csv.ParseOptions(delimiter="\t")
    )
    found: list[dict[str, Any]] = table.select(nas_fusion.load(model).columns).to_pylist()
    return found


def single_rows(model: Path, folder: Path, rows: int) -> list[float]:
    """Seconds that the scores of single rows took, each handed over as a dictionary, after a warm-up."""
    import nas_fusion

    opened = nas_fusion.load(model)
    took = []
    cells = rows_to_score(model, folder, rows)
    gc.disable()
    for row in cells:
        start = time.perf_counter()
        opened.scores(row)
        took.append(time.perf_counter() - start)
    gc.enable()
    return took[len(took) // 10 :]


def _apart(what: str, file: Path, model: Path, folder: Path) -> Turn:
    """Do it in a fresh process, so that its memory is nobody else's."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scoring", what, str(file), str(model), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    return Turn(**json.loads(done.stdout.splitlines()[-1]))


def _here(what: str, file: Path, model: Path, folder: Path) -> None:
    import tempfile

    import nas_fusion
    from nas_fusion.data import prepare
    from nas_fusion.serving.scoring import score_file

    opened = nas_fusion.load(model)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        start = time.perf_counter()
        if what == PREDICT:
            score_file(opened, file, Path(place) / "scores.parquet")
        else:
            prepare(file, opened.manifest.log.options, cache=Path(place))
        turn = Turn(time.perf_counter() - start, peak_bytes())
    print(json.dumps(turn._asdict()))


if __name__ == "__main__":
    _here(sys.argv[1], *(Path(path) for path in sys.argv[2:5]))
