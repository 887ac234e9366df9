"""The second reading: the fields are fitted on the training rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nas_fusion.data.encoding.column_plans import ColumnPlan, field_plans
from nas_fusion.data.encoding.field_warnings import constant_warning
from nas_fusion.data.encoding.fitted_encoding import FittedEncoding
from nas_fusion.data.encoding.kinds import FieldCounts, field_fitter
from nas_fusion.data.encoding.scan import Progress, Scan
from nas_fusion.data.schema import Schema, with_number_columns
from nas_fusion.data.sources.chunk import chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import DataOptions

logger = logging.getLogger("nas_fusion")


class Fit(NamedTuple):
    """A fitted encoding, and per field what was counted on the way."""

    encoding: FittedEncoding
    counts: tuple[FieldCounts, ...]


def fit_encoding(
    source: Source, scan: Scan, columns: Sequence[ColumnPlan], options: DataOptions, progress: Progress
) -> Fit:
    """Read the fields once and fit them on the training rows, or on all if the options say so.

    A field that has one value only is warned of.

    Raises:
        DataError: a cell cannot be used, or a chosen column can be no field.
    """
    plans = field_plans(columns, options)
    fitters = [field_fitter(plan) for plan in plans]
    names = list(dict.fromkeys(plan.column for plan in plans))
    fitted_on = np.ones(scan.rows, bool) if options.vocabulary_rows == "all" else scan.codes == 0
    for chunk in chunks_of(source, names, most=scan.rows):
        for fitter in fitters:
            fitter.observe(chunk, fitted_on[chunk.span])
        progress("count", chunk.span.stop / scan.rows)
    found = []
    while fitters:  # each is let go before the next one builds its vocabulary
        found.append(fitters.pop(0).finish())
        if warning := constant_warning(found[-1].field, is_constant=found[-1].counts.is_constant):
            logger.warning("%s", warning)
    schema = Schema(with_number_columns(f.field for f in found), scan.label)
    return Fit(FittedEncoding.of(schema, [f.vocabulary for f in found]), tuple(f.counts for f in found))
