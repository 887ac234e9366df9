"""Encode a further log by an encoding that is there already, whose vocabularies may grow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from nas_fusion.data.encoded_dataset import EncodedDataset
from nas_fusion.data.encoding.dataset_writer import write_dataset
from nas_fusion.data.encoding.fitted_encoding import FittedEncoding
from nas_fusion.data.encoding.fitting import Fit
from nas_fusion.data.encoding.kinds import FieldCounts, FieldEncoder, FieldPlan, Fitter, Rule, field_fitter
from nas_fusion.data.encoding.reading_plan import plan_reading
from nas_fusion.data.encoding.scan import Progress, Scan, scan_rows
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import FIRST_ID, UNKNOWN_ID, FieldKind, Schema
from nas_fusion.data.sources import Log, LogForm, chunks_of, open_rows
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import DataOptions

_RULES = {FieldKind.CATEGORICAL: Rule.CATEGORY, FieldKind.LIST: Rule.LIST}


@dataclass(frozen=True, eq=False)
class FurtherRows:
    """A further log, split and encoded.

    Args:
        dataset: its rows; ids of values that were known before are what they were.
        encoding: the one that was there, with the values that were new and frequent enough behind the others.
        added: how many values every field got.
    """

    dataset: EncodedDataset
    encoding: FittedEncoding
    added: tuple[int, ...]


def encode_further(
    log: Log,
    encoding: FittedEncoding,
    form: LogForm,
    options: DataOptions,
    folder: Path,
    *,
    progress: Progress = lambda stage, share: None,
) -> FurtherRows:
    """Split a labelled log as the options say, and encode it as another one was.

    Args:
        log: whatever `open_rows` takes.
        encoding: fitted on the earlier log.
        form: how that one was read.
        options: of that one; they name label, weights, groups and the rule of the split. A split column that this log
            does not have is not asked for.
        folder: existing and empty; the data set lies in it.
        progress: told of stage and share, as by `prepare`.

    Raises:
        DataError: a column is missing, or a cell cannot be used; names file, row and column.
    """
    source = open_rows(log, encoding.columns, form, options)
    options = _of_the_rows(options, source)
    scan = scan_rows(source, plan_reading(source, options), progress)
    vocabularies, counts = _grown(source, scan, encoding, options, progress)
    fields = [
        one if new is None else replace(one, size=len(new) + FIRST_ID)
        for one, new in zip(encoding.schema.fields, vocabularies, strict=True)
    ]
    grown = FittedEncoding.of(Schema(tuple(fields), scan.label), vocabularies)
    fingerprint = f"further:{source.digest()}"
    write_dataset(
        source, scan, (), Fit(grown, counts), folder, fingerprint=fingerprint, options=options, progress=progress
    )
    added = [new.size - old.size for new, old in zip(fields, encoding.schema.fields, strict=True)]
    return FurtherRows(EncodedDataset.open(folder, verify=False), grown, tuple(added))


def _of_the_rows(options: DataOptions, source: Source) -> DataOptions:
    """What the options say of rows; what columns are read as is decided."""
    there = options.split_column in source.columns
    split_column = options.split_column if there else None
    return replace(options, split_column=split_column, fields=None, kinds=(), numeric=(), hash=(), drop=())


def _grown(
    source: Source, scan: Scan, encoding: FittedEncoding, options: DataOptions, progress: Progress
) -> tuple[list[Vocabulary | None], tuple[FieldCounts, ...]]:
    """Per field its vocabulary, larger by what the training rows have often enough, and what was counted."""
    fitters = {i: _fitter(one, options) for i, one in enumerate(encoding.encoders) if one.vocabulary is not None}
    columns = list(dict.fromkeys(encoding.schema.fields[i].column for i in fitters))
    for chunk in chunks_of(source, columns, most=scan.rows) if fitters else ():
        for fitter in fitters.values():
            fitter.observe(chunk, scan.codes[chunk.span] == 0)
        progress("count", chunk.span.stop / scan.rows)
    rows = int((scan.codes == 0).sum())
    vocabularies: list[Vocabulary | None] = []
    counts = []
    for position, old in enumerate(encoding.vocabularies):
        if old is None:
            vocabularies.append(None)
            counts.append(FieldCounts(0, 0, 0, rows))  # nothing was counted, since nothing is learnt
            continue
        found = fitters.pop(position).finish()
        assert found.vocabulary is not None
        vocabularies.append(_joined(old, found.vocabulary))
        counts.append(found.counts)
    return vocabularies, tuple(counts)


def _fitter(encoder: FieldEncoder, options: DataOptions) -> Fitter:
    """What counts the values of a field of a vocabulary, as it was fitted."""
    field = encoder.field
    rule = _RULES.get(field.kind) or Rule(field.buckets)
    plan = FieldPlan(
        field.name, rule, field.column, field.part, field.cells, min_count=options.min_count, items=field.columns
    )
    return field_fitter(plan)


def _joined(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    """The old values with their ids, and behind them those of the new that it lacks."""
    lacking = new.values.filter(pa.array(old.ids(new.values) == UNKNOWN_ID))
    if not len(lacking):
        return old
    return Vocabulary(pa.concat_arrays([old.values, lacking]))
