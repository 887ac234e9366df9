"""Rows that nobody has logged, made up of what a model knows: for examples, and to check what was exported.

A saved model holds no rows of its log, and an exported one should not: they may be about people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import CellPart, Field, FieldKind
from nas_fusion.data.sources import CellRules, Chunk
from nas_fusion.data.times import TimeForm

MISSING_SHARE = 0.1
UNKNOWN_SHARE = 0.1
LONGEST_LIST = 4
FARTHEST_DAY = 60
"""From the first training row."""

STRANGER = "a value that was never seen"

Row = dict[str, Any]
Draw = Callable[[np.random.Generator], Any]


def made_up_rows(encoding: FittedEncoding, rows: int, seed: int = 0) -> list[Row]:
    """Rows as dictionaries of plain values, such as JSON holds; about one cell in ten is missing, and one unknown.

    Args:
        encoding: of the model.
        rows: how many.
        seed: other ones for another seed.
    """
    rng = np.random.default_rng(seed)
    draws = {name: _drawing(field, vocabulary) for name, field, vocabulary in _columns(encoding)}
    return [{name: _cell(draw, rng) for name, draw in draws.items()} for _ in range(rows)]


def chunk_of_rows(encoding: FittedEncoding, rows: Sequence[Row], rules: CellRules) -> Chunk:
    """Such rows as a reader hands them over."""
    types = {name: _arrow_type(field) for name, field, _ in _columns(encoding)}
    arrays = {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()}
    return Chunk(pa.table(arrays), rules=rules)


def _columns(encoding: FittedEncoding) -> Iterator[tuple[str, Field, Vocabulary | None]]:
    """Every column with the first field that is made of it."""
    seen = set()
    for encoder in encoding.encoders:
        if encoder.field.column not in seen:
            seen.add(encoder.field.column)
            yield encoder.field.column, encoder.field, encoder.vocabulary


def _cell(draw: Draw, rng: np.random.Generator) -> Any:
    return None if rng.random() < MISSING_SHARE else draw(rng)


def _drawing(field: Field, vocabulary: Vocabulary | None) -> Draw:
    if field.part in (CellPart.HOUR, CellPart.WEEKDAY, CellPart.DAY):
        return lambda rng: _written(field, rng)
    if field.kind is FieldKind.LIST or field.part is CellPart.LENGTH:
        return lambda rng: _list(field, vocabulary, rng)
    if field.is_number:
        return lambda rng: _number(field, rng)
    return lambda rng: _text(vocabulary, rng)


def _text(vocabulary: Vocabulary | None, rng: np.random.Generator) -> str:
    if vocabulary is None or not len(vocabulary) or rng.random() < UNKNOWN_SHARE:
        return f"{STRANGER} {rng.integers(1000)}"
    return str(vocabulary.values[int(rng.integers(len(vocabulary)))].as_py())


def _list(field: Field, vocabulary: Vocabulary | None, rng: np.random.Generator) -> str | list[str]:
    items = [_text(vocabulary, rng) for _ in range(int(rng.integers(LONGEST_LIST + 1)))]
    return field.cells.delimiter.join(items) if field.cells.delimiter else items


def _number(field: Field, rng: np.random.Generator) -> float:
    if field.kind is FieldKind.SCALED:
        return float(rng.normal(field.mean, 2 * field.std))
    known = np.sort(np.array([*field.knots, *field.exact]))
    if not len(known):  # Criteo's buckets
        return float(rng.integers(-2, 1000))
    place = int(rng.integers(len(known)))
    if rng.random() < 0.5:
        return float(known[place])
    # Between two of them, or beyond them all.
    gap = known[-1] - known[0] or 1.0
    return float(known[place] + rng.normal() * gap / len(known))


def _written(field: Field, rng: np.random.Generator) -> str:
    """A time in the form in which the column has them."""
    form = TimeForm(field.cells.time)
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=field.cells.start)
    moment = (start + timedelta(seconds=int(rng.integers(FARTHEST_DAY * 86_400)))).replace(tzinfo=None)
    seconds = round((moment - datetime(1970, 1, 1)).total_seconds())
    powers = {TimeForm.SECONDS: 1, TimeForm.MILLISECONDS: 10**3, TimeForm.MICROSECONDS: 10**6}
    if form is TimeForm.NANOSECONDS or form in powers:
        return str(seconds * powers.get(form, 10**9))
    layouts = {TimeForm.MDY: "%m/%d/%Y %H:%M:%S", TimeForm.DMY: "%d.%m.%Y %H:%M:%S", TimeForm.CLOCK: "%H:%M:%S"}
    if form in (TimeForm.TIMESTAMP, TimeForm.YMD) or form in layouts:
        return moment.strftime(layouts.get(form, "%Y-%m-%d %H:%M:%S"))
    return moment.strftime(_layout(form.value))


def _layout(digits: str) -> str:
    """``yyyymmddHH`` for `strftime`."""
    for run, code in (
        ("yyyy", "%Y"),
        ("yy", "%y"),
        ("mm", "%m"),
        ("dd", "%d"),
        ("HH", "%H"),
        ("MM", "%M"),
        ("SS", "%S"),
    ):
        digits = digits.replace(run, code)
    return digits


def _arrow_type(field: Field) -> pa.DataType:
    if field.is_number and field.part is CellPart.WHOLE:
        return pa.float64()
    of_list = field.kind is FieldKind.LIST or field.part is CellPart.LENGTH
    return pa.list_(pa.large_string()) if of_list and not field.cells.delimiter else pa.large_string()
