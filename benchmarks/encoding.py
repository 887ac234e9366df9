"""Encoding a generated log in Criteo's format: rows per second, memory, and how time grows with the rows."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from benchmarks._harness import Options, Row
from nas_fusion.data import DataOptions, prepare

CHUNK = 100_000
NUMBERS = 13
MISSING_NUMBERS = (0.45, 0.0, 0.21, 0.21, 0.03, 0.22, 0.04, 0.0, 0.04, 0.45, 0.04, 0.77, 0.21)
"""About the shares of empty cells in the published log."""

MISSING_HASHES = (
    *(0.0, 0.0, 0.03, 0.03, 0.0, 0.12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.03, 0.0),
    *(0.0, 0.0, 0.03, 0.0, 0.0, 0.44, 0.44, 0.03, 0.76, 0.0, 0.03, 0.44, 0.44),
)
DIFFERENT_HASHES = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)
"""How many different values the 26 columns of hashes have in the published log."""

ROWS, OTHER_ROWS = 2_000_000, (500_000, 4_000_000)
TURNS = 3
WARM_UP_ROWS = 1000
GB = 1e9


class Turn(NamedTuple):
    """One encoding in a process of its own."""

    seconds: float
    peak_bytes: int


def run(options: Options) -> Iterator[Row]:
    """2 million rows, then 500,000 and 4 million for the time per row; every turn starts with an empty cache.

    A tiny log is encoded before the clock starts: the first encoding of a process loads libraries, pandas among them,
    which takes the same few tenths of a second for every size. The file was written just before and so lies in the
    system's file cache. Memory is the largest resident set of the whole process: interpreter, libraries, and whatever
    is mapped.
    """
    shrink = 100 if options.quick else 1
    turns = max(1, min(TURNS, options.repeats))
    rows = ROWS // shrink
    found = _measure(rows, turns, options.folder)
    base = _per_row(found, rows)
    peak = max(turn.peak_bytes for turn in found) / GB
    yield Row(f"{rows:,} rows", 1 / base, "rows/s", 100_000, _details(found))
    yield Row(f"{rows:,} rows, peak memory", peak, "GB", 1.5, {"turns": turns}, at_most=True)
    for other in (n // shrink for n in OTHER_ROWS):
        found = _measure(other, turns, options.folder)
        case = f"{other:,} rows, time per row over that of {rows:,}"
        yield Row(case, _per_row(found, other) / base, "", 1.2, _details(found), at_most=True)


def _measure(rows: int, turns: int, folder: Path) -> list[Turn]:
    file = folder / f"criteo-{rows}.txt"
    try:
        write_log(file, rows)
        return [_encode_apart(file, folder) for _ in range(turns)]
    finally:
        file.unlink(missing_ok=True)


def _per_row(turns: list[Turn], rows: int) -> float:
    return statistics.median(turn.seconds for turn in turns) / rows


def _details(turns: list[Turn]) -> dict[str, Any]:
    seconds = [turn.seconds for turn in turns]
    return {
        "seconds": f"{statistics.median(seconds):.2f} ({min(seconds):.2f} … {max(seconds):.2f})",
        "peak GB": round(max(turn.peak_bytes for turn in turns) / GB, 2),
    }


def _encode_apart(file: Path, folder: Path) -> Turn:
    """Encode in a fresh process, so that its memory is nobody else's."""
    command = [sys.executable, "-m", "benchmarks.encoding", str(file), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    return Turn(**json.loads(done.stdout))


def write_log(file: Path, rows: int, seed: int = 0) -> None:
    """Write a log of 40 tab-separated columns: label, numbers, hashes whose ranks follow Zipf's law."""
    rng = np.random.default_rng(seed)
    how = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    writer: Any = None
    for start in range(0, rows, CHUNK):
        table = _columns(rng, min(CHUNK, rows - start))
        writer = writer or pyarrow.csv.CSVWriter(str(file), table.schema, write_options=how)
        writer.write_table(table)
    writer.close()


def _columns(rng: np.random.Generator, rows: int) -> Any:
    columns: dict[str, Any] = {"label": pa.array((rng.random(rows, np.float32) < 0.25).astype(np.int8))}
    for i, missing in enumerate(MISSING_NUMBERS):
        numbers = np.exp(rng.normal(1.5, 1.0 + 0.2 * i, rows)).astype(np.int64) - (3 if i == 1 else 0)
        columns[f"I{i + 1}"] = pa.array(numbers, mask=rng.random(rows, np.float32) < missing)
    for i, (different, missing) in enumerate(zip(DIFFERENT_HASHES, MISSING_HASHES, strict=True)):
        rank = (different ** rng.random(rows)).astype(np.uint64)
        absent = pa.array(rng.random(rows, np.float32) < missing)
        columns[f"C{i + 1}"] = pc.if_else(absent, pa.scalar(None, pa.string()), _hashes(rank, i))
    return pa.table(columns)


def _hashes(rank: npt.NDArray[np.uint64], field: int) -> Any:
    """Eight hexadecimal digits that are different for different ranks."""
    odd = np.uint64(0x9E3779B1)
    mixed = ((rank + np.uint64(field << 24)) * odd).astype(np.uint32)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    places = (mixed[:, None] >> np.arange(28, -4, -4, dtype=np.uint32)) & np.uint32(15)
    offsets = np.arange(0, 8 * len(rank) + 1, 8, dtype=np.int32)
    return pa.StringArray.from_buffers(len(rank), pa.py_buffer(offsets), pa.py_buffer(digits[places].tobytes()))


def peak_bytes() -> int:
    """The largest resident set of this process so far.

    `getrusage` may tell that of the process that started this one, which can be larger; Linux knows better.
    """
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def _encode_here(file: Path, folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir=folder) as cache:
        small = Path(cache) / "small.txt"
        write_log(small, WARM_UP_ROWS)
        prepare(small, DataOptions(format="criteo"), cache=Path(cache))
        start = time.perf_counter()
        prepare(file, DataOptions(format="criteo"), cache=Path(cache))
        turn = Turn(time.perf_counter() - start, peak_bytes())
    print(json.dumps(turn._asdict()))


if __name__ == "__main__":
    _encode_here(Path(sys.argv[1]), Path(sys.argv[2]))
