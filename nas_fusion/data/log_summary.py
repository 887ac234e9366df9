"""`describe`: what is in a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.data.encoded_dataset import EncodedDataset
from nas_fusion.data.encoding.column_plans import ColumnPlan
from nas_fusion.data.encoding.field_warnings import constant_warning, unknown_warning
from nas_fusion.data.preparation import prepare
from nas_fusion.data.schema import SPLITS, FieldKind
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FieldSummary:
    """One field of a log.

    Args:
        name: of the field.
        kind: how it is encoded.
        distinct: different values in the training rows (numbers: told apart to 2^-15 of their size), missing not
            counted.
        size: number of ids that an embedding needs.
        missing: missing cells in all rows.
        top_share: share of the most frequent value among the training rows, 0 to 1.
        valid_unknown: share of validation rows whose value is out of the vocabulary, 0 to 1.
        test_unknown: the same of the test rows.
    """

    name: str
    kind: FieldKind
    distinct: int
    size: int
    missing: int
    top_share: float
    valid_unknown: float
    test_unknown: float


@dataclass(frozen=True)
class DataSummary:
    """A log.

    Args:
        name: of the log.
        label: column of the label.
        rows: number of rows in all splits.
        label_rate: share of positives, 0 to 1.
        split_rows: number of rows per split.
        split_label_rates: share of positives per split.
        fields: one summary per field, in order.
        num_features: ids of all fields together.
        attainable_auc: AUC of the true probabilities on the test rows, if they are known.
        fingerprint: of content and options.
        path: folder of the encoded data set.
        columns: what the columns of the log were read as, and why.
        warnings: what looks wrong.
    """

    name: str
    label: str
    rows: int
    label_rate: float
    split_rows: dict[str, int]
    split_label_rates: dict[str, float]
    fields: tuple[FieldSummary, ...]
    num_features: int
    attainable_auc: float | None
    fingerprint: str
    path: Path
    columns: tuple[ColumnPlan, ...]
    warnings: tuple[str, ...]


def describe(
    source: str | Path | pd.DataFrame | EncodedDataset,
    options: DataOptions = DEFAULT_OPTIONS,
    *,
    cache: Path | None = None,
) -> DataSummary:
    """Summarise a log; it is encoded if it was not before.

    Args:
        source: whatever `prepare` takes, or an encoded data set.
        options: as for `prepare`.
        cache: as for `prepare`.

    Raises:
        DataError: the log cannot be used.
    """
    data = source if isinstance(source, EncodedDataset) else prepare(source, options, cache=cache)
    splits = {name: getattr(data, name) for name in SPLITS}
    rows = sum(len(s) for s in splits.values())
    return DataSummary(
        name=data.name,
        label=data.schema.label,
        rows=rows,
        label_rate=sum(s.positives for s in splits.values()) / rows,
        split_rows={name: len(s) for name, s in splits.items()},
        split_label_rates={name: s.label_rate for name, s in splits.items()},
        fields=_fields(data),
        num_features=data.schema.num_features,
        attainable_auc=data.attainable_auc,
        fingerprint=data.fingerprint,
        path=data.path,
        columns=data.columns,
        warnings=tuple(_warnings(data)),
    )


def _warnings(data: EncodedDataset) -> Iterator[str]:
    for column in data.columns:
        yield from column.warnings
    for field, found in zip(data.schema.fields, data.statistics["fields"], strict=True):
        is_constant = found["distinct"] + bool(found["missing"]["train"]) < 2
        unknown = found["unknown"]["valid"] / len(data.valid)
        for warning in (
            constant_warning(field, is_constant=is_constant),
            unknown_warning(field, unknown, found["distinct"]),
        ):
            if warning:
                yield warning


def _fields(data: EncodedDataset) -> tuple[FieldSummary, ...]:
    return tuple(
        FieldSummary(
            name=field.name,
            kind=field.kind,
            distinct=found["distinct"],
            size=field.size,
            missing=sum(found["missing"].values()),
            top_share=found["top_share"],
            valid_unknown=found["unknown"]["valid"] / len(data.valid),
            test_unknown=found["unknown"]["test"] / len(data.test),
        )
        for field, found in zip(data.schema.fields, data.statistics["fields"], strict=True)
    )
