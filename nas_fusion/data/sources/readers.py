"""From what the user names to a `Source`: recognises the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion import bounds
from nas_fusion.data.sources.criteo import (
    AVAZU_HEADER,
    CRITEO_COLUMNS,
    KDD12_COLUMNS,
    AvazuSource,
    CriteoSource,
    Kdd12Source,
)
from nas_fusion.data.sources.delimited import TextSource, guess_delimiter
from nas_fusion.data.sources.libsvm import TOKEN, LibsvmSource
from nas_fusion.data.sources.log_files import check_file, first_lines, plain_suffix
from nas_fusion.data.sources.parquet import FrameSource, ParquetSource
from nas_fusion.data.sources.source import Source
from nas_fusion.data.sources.synthetic import SyntheticSource
from nas_fusion.errors import OptionError
from nas_fusion.settings import DataOptions

if TYPE_CHECKING:
    import pandas as pd

SYNTHETIC = re.compile(r"^synthetic(:.*)?$")
PARQUET_SUFFIXES = (".parquet", ".pq")
PARQUET_MAGIC = b"PAR1"
LIBSVM_SUFFIXES = (".libsvm", ".svm", ".libfm")
SNIFFED_LINES = 5

SYNTHETIC_FORM = (
    f"synthetic, synthetic:ROWS or synthetic:ROWS:SEED (rows: {bounds.SYNTHETIC_ROWS.range}; seed: {bounds.SEED.range})"
)

TEXT_FORMATS: dict[str, Callable[[Path, Sequence[str]], Source]] = {
    "criteo": CriteoSource,
    "avazu": AvazuSource,
    "kdd12": Kdd12Source,
    "libsvm": LibsvmSource,
}


def open_source(source: str | Path | pd.DataFrame, format: str = DataOptions.format) -> Source:
    """The reader of a file, a frame, or "synthetic", "synthetic:ROWS", "synthetic:ROWS:SEED".

    Raises:
        DataError: no such file, an empty one, or one of no known form.
        OptionError: a synthetic log of another form.
    """
    if not isinstance(source, str | Path):
        return FrameSource(source)
    if isinstance(source, str) and SYNTHETIC.match(source):
        return _synthetic(source)
    path = check_file(Path(source).expanduser())
    if format == "parquet" or (format == "auto" and _is_parquet(path)):
        return ParquetSource(path)
    lines = first_lines(path)
    known = format if format != "auto" else recognise(lines, plain_suffix(path))
    if known in TEXT_FORMATS:
        return TEXT_FORMATS[known](path, lines)
    header = next(line for line in lines if line.strip())
    return TextSource(path, delimiter=guess_delimiter(header), lines=lines)


def recognise(lines: Sequence[str], suffix: str) -> str:
    """The format of a text by its first lines, and by its extension where these leave it open.

    A ragged first line must not hide the format, so the majority of the first lines decides.
    """
    head = [line for line in lines if line.strip()][:SNIFFED_LINES]
    if head[0].startswith(AVAZU_HEADER):
        return "avazu"
    cells = [line.split("\t") for line in head]
    if _most(len(c) == len(CRITEO_COLUMNS) and c[0] in ("0", "1") for c in cells):
        return "criteo"
    if _most(len(c) == len(KDD12_COLUMNS) and all(cell.isdigit() for cell in c) for c in cells):
        return "kdd12"
    if suffix in LIBSVM_SUFFIXES or _most(len(t) > 1 and all(map(TOKEN.match, t[1:])) for t in map(str.split, head)):
        return "libsvm"
    return "csv"


def _most(answers: Iterable[bool]) -> bool:
    votes = list(answers)
    return sum(votes) * 2 > len(votes)


def _is_parquet(path: Path) -> bool:
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def _synthetic(text: str) -> SyntheticSource:
    parts = text.split(":")[1:]
    values = [bound.read(part) for bound, part in zip((bounds.SYNTHETIC_ROWS, bounds.SEED), parts, strict=False)]
    if len(parts) > 2 or None in values:
        raise OptionError("data", SYNTHETIC_FORM, text)
    return SyntheticSource(*(int(value) for value in values if value is not None))
