"""Which fitter and which encoder a rule has."""

from __future__ import annotations

from nas_fusion.data.encoding.kinds.category_fields import (
    CategoryEncoder,
    CategoryFitter,
    HashEncoder,
    HashFitter,
    LogBucketEncoder,
    LogBucketFitter,
)
from nas_fusion.data.encoding.kinds.field_coding import FieldEncoder, FieldPlan, Fitter, Rule
from nas_fusion.data.encoding.kinds.list_fields import ListEncoder, ListFitter
from nas_fusion.data.encoding.kinds.number_fields import (
    BinsEncoder,
    BinsFitter,
    InterpolateFitter,
    ScaleEncoder,
    ScaleFitter,
)
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import Field, FieldKind

FITTERS: dict[Rule, type[Fitter]] = {
    Rule.CATEGORY: CategoryFitter,
    Rule.HASH: HashFitter,
    Rule.INTERPOLATE: InterpolateFitter,
    Rule.BINS: BinsFitter,
    Rule.SCALE: ScaleFitter,
    Rule.LOG: LogBucketFitter,
    Rule.LOG_PUBLISHED: LogBucketFitter,
    Rule.LIST: ListFitter,
}

ENCODERS: dict[FieldKind, type[FieldEncoder]] = {
    FieldKind.CATEGORICAL: CategoryEncoder,
    FieldKind.HASHED: HashEncoder,
    FieldKind.INTERPOLATED: BinsEncoder,
    FieldKind.SCALED: ScaleEncoder,
    FieldKind.LIST: ListEncoder,
}
"""Of bucketed fields, `Field.buckets` decides."""


def field_fitter(plan: FieldPlan) -> Fitter:
    """What fits a planned field."""
    return FITTERS[plan.rule](plan)


def field_encoder(field: Field, vocabulary: Vocabulary | None) -> FieldEncoder:
    """The encoder of a fitted field."""
    if field.kind is FieldKind.BUCKETED:
        kind = BinsEncoder if field.buckets == Rule.BINS else LogBucketEncoder
        return kind(field, vocabulary)
    return ENCODERS[field.kind](field, vocabulary)
