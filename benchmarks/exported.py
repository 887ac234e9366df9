"""Single rows through an exported model: the numpy encoder and ONNX Runtime, and the network alone."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.csv

from benchmarks._harness import Options, Row
from benchmarks.encoding import write_log
from benchmarks.scoring import LEARNT_ROWS, SINGLE_ROWS, learnt_model
from nas_fusion.data.sources.formats.criteo import CRITEO_COLUMNS

RowCells = dict[str, Any]
Score = Callable[[RowCells], object]


def run(options: Options) -> Iterator[Row]:
    """The model and the rows of the benchmark `scoring`, exported to ONNX; one thread.

    Beside it the loaded model on the same rows, one after the other in each round.
    """
    import nas_fusion
    from nas_fusion.serving.export import export_model

    shrink = 10 if options.quick else 1
    model = nas_fusion.load(learnt_model(options.folder, LEARNT_ROWS // shrink))
    folder = export_model(model, "onnx", options.folder / "exported").folder
    rows = rows_to_score(model.columns, options.folder, SINGLE_ROWS // shrink)
    sides = dict(sides_of(folder))
    sides["loaded model"] = model.scores
    for name, took in milliseconds(sides, rows).items():
        for share in (50, 99):
            yield Row(f"{name}, {share} % of the rows within", float(np.percentile(took, share)), "ms", None, {}, True)


def rows_to_score(columns: Sequence[str], folder: Path, rows: int) -> list[dict[str, Any]]:
    """Rows of the generated log, as dictionaries."""
    file = folder / "single.txt"
    write_log(file, rows, seed=2)
    reading = pyarrow.csv.ReadOptions(column_names=CRITEO_COLUMNS)
    table = pyarrow.csv.read_csv(file, reading, pyarrow.csv.ParseOptions(delimiter="\t"))
    found: list[dict[str, Any]] = table.select(columns).to_pylist()
    return found


def sides_of(folder: Path) -> Iterator[tuple[str, Score]]:
    """What scores a row, by name."""
    import onnxruntime

    from nas_fusion.serving.export import reference_encoder

    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", threads)
    names = [one.name for one in session.get_inputs()]
    with reference_encoder(folder) as encode:
        pass

    def network(row: RowCells) -> object:
        return session.run(None, dict(zip(names, encoded[id(row)], strict=False)))

    def both(row: RowCells) -> object:
        encoded[id(row)] = encode([row])
        return network(row)

    encoded: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = {}
    yield "numpy encoder and ONNX Runtime", both
    yield "ONNX Runtime alone", network


def milliseconds(sides: Mapping[str, Score], rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Of every row and side, without a warm-up of a tenth of the rows."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    gc.disable()
    for row in rows:
        for name, score in sides.items():
            start = time.perf_counter()
            score(row)
            took[name].append(1e3 * (time.perf_counter() - start))
    gc.enable()
    return {name: found[len(found) // 10 :] for name, found in took.items()}
