"""The kinds of fields: one module per family of kinds, each with what is fitted and what encodes.

A `FieldPlan` says what is to be fitted; a `Fitter` takes in the training rows and gives a `Field`; a `FieldEncoder`
turns any rows into ids and values by it.
"""

from nas_fusion.data.encoding.kinds.field_coding import (
    EncodedCell,
    EncodedColumn,
    FieldCounts,
    FieldEncoder,
    FieldPlan,
    FittedField,
    Fitter,
    RowMask,
    Rule,
)
from nas_fusion.data.encoding.kinds.kind_table import field_encoder, field_fitter
from nas_fusion.data.encoding.kinds.single_cells import NotPlain, native

__all__ = [
    "EncodedCell",
    "EncodedColumn",
    "FieldCounts",
    "FieldEncoder",
    "FieldPlan",
    "FittedField",
    "Fitter",
    "NotPlain",
    "RowMask",
    "Rule",
    "field_encoder",
    "field_fitter",
    "native",
]
