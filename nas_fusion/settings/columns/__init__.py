"""What columns may be declared as."""

from nas_fusion.settings.columns.kind_options import (
    HASH_FORM,
    KIND_FORM,
    NUMBER_KINDS,
    NUMERIC_FORM,
    NUMERIC_RULES,
    ColumnKind,
    declared_kinds,
    has_column,
    pair,
    read_pairs,
    read_sizes,
)

__all__ = [
    "HASH_FORM",
    "KIND_FORM",
    "NUMBER_KINDS",
    "NUMERIC_FORM",
    "NUMERIC_RULES",
    "ColumnKind",
    "declared_kinds",
    "has_column",
    "pair",
    "read_pairs",
    "read_sizes",
]
