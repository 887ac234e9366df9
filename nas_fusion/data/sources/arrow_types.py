"""`PlainColumns`: typed rows (Parquet, a frame) as columns of numbers, texts, times, booleans and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.cells import ArrowColumn, ArrowRows
from nas_fusion.data.sources.source import Guess

WHOLE_DIGITS = 18
"""Decimals of at most so many digits before the point fit a 64-bit integer."""


class PlainColumns:
    """The columns that typed rows give.

    The members of a struct are columns of their own, `user.age` for instance; numbers of rare types become common ones;
    binary cells are texts. A type of which no text can be made, a map for instance, has no column.

    Args:
        schema: of the rows.

    Attributes:
        names: the columns, in order.
        types: their types; a dictionary counts as its values.
        formless: columns of other types, with these.
        doubled: a name that two columns have; empty if there is none.
    """

    def __init__(self, schema: pa.Schema) -> None:
        leaves = [leaf for field in schema for leaf in _leaves(field, ())]
        named = [(".".join(path), path, kind) for path, kind in leaves]
        self.names = tuple(name for name, _, kind in named if _has_form(kind))
        self.formless = {name: str(kind) for name, _, kind in named if not _has_form(kind)}
        self.doubled = next((name for name, times in Counter(name for name, _, _ in named).items() if times > 1), "")
        self.types = {name: column_type(kind) for name, _, kind in named if _has_form(kind)}
        self._paths = {name: path for name, path, _ in named}

    def roots(self, names: Sequence[str]) -> list[str]:
        """The columns of the rows that hold these."""
        return list(dict.fromkeys(self._paths[name][0] for name in names))

    def take(self, rows: ArrowRows, names: Sequence[str]) -> pa.Table:
        """These columns of some rows."""
        return pa.table({name: plain_type(self._leaf(rows, name)) for name in names})

    def _leaf(self, rows: ArrowRows, name: str) -> ArrowColumn:
        root, *members = self._paths[name]
        column = rows.column(root)
        return pc.struct_field(column, members) if members else column


def formless_columns(plain: PlainColumns) -> tuple[Guess, ...]:
    """What to say about columns of which no text can be made."""
    return tuple(
        Guess(f"column {name!r} is left out", f"cells of type {kind} are neither numbers nor texts", "")
        for name, kind in plain.formless.items()
    )


def column_type(kind: pa.DataType) -> pa.DataType:
    """The type that `plain_type` makes of a type; a dictionary counts as its values, and null stays null."""
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_run_end_encoded(kind) or pa.types.is_dictionary(kind):
        return column_type(kind.value_type)
    return _plain_target(kind) or kind


def common_type(kinds: Sequence[pa.DataType]) -> pa.DataType | None:
    """The type that holds cells of all these types; None if there is none, for numbers and texts say."""
    schemas = [pa.schema([("column", kind)]) for kind in kinds]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None


def _leaves(field: pa.Field, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    path = (*above, field.name)
    kind = _stored(field.type)
    if not pa.types.is_struct(kind):
        yield path, kind
        return
    for member in kind:
        yield from _leaves(member, path)


def _has_form(kind: pa.DataType) -> bool:
    """Whether cells of a type are numbers, texts, times, booleans, or lists of those."""
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _has_form(kind.value_type)
    if is_list(kind):
        return not is_list(kind.value_type) and _has_form(kind.value_type)
    nested = types.is_nested(kind) or types.is_interval(kind)
    return not nested and not isinstance(kind, pa.BaseExtensionType)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of the list types."""
    types = pa.types
    views = types.is_list_view(kind) or types.is_large_list_view(kind)
    return bool(views or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _stored(kind: pa.DataType) -> pa.DataType:
    """What lies below an extension type."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def plain_type(column: ArrowColumn) -> ArrowColumn:
    """A column as one of the common types; a column of one of these comes back as it is."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type) and pa.types.is_string_view(array.type.value_type):  # those of polars
        array = pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(pa.large_string()))
    target = _plain_target(array.type)
    if target is None:
        return array
    try:
        return array.cast(target)
    except pa.ArrowInvalid:  # binary cells that are no text: keys, hashes
        encoded = array.dictionary_encode()
        texts = [None if value is None else _text(value) for value in encoded.dictionary.to_pylist()]
        return pa.array(texts, target).take(encoded.indices)


def _text(value: bytes) -> str:
    """Binary cells as text: as it stands, or else by its digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _plain_target(kind: pa.DataType) -> pa.DataType | None:
    """What a type is cast to; None if it stays."""
    types = pa.types
    if types.is_dictionary(kind):
        return _plain_target(kind.value_type)
    if types.is_decimal(kind) and kind.scale > 0:
        return pa.float64()
    if types.is_duration(kind) or (types.is_decimal(kind) and kind.precision - kind.scale <= WHOLE_DIGITS):
        return pa.int64()
    return pa.float32() if types.is_float16(kind) else pa.large_string() if _becomes_text(kind) else None


def _becomes_text(kind: pa.DataType) -> bool:
    types = pa.types
    binary = types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    long = types.is_decimal(kind) or types.is_string_view(kind) or types.is_null(kind)
    return bool(binary or long or types.is_fixed_size_binary(kind))
