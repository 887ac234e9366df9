"""`plan_columns`: what the columns of a log are, declared by options or by the format, or guessed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.encoding.column_plans import SAID, ColumnPlan
from nas_fusion.data.encoding.guessing.column_sample import ColumnSample, sample_columns
from nas_fusion.data.encoding.guessing.label_evidence import PRIOR_ROWS, alone, told_by_order, told_by_values
from nas_fusion.data.encoding.guessing.number_guesses import ROWS_TO_JUDGE, guess_number
from nas_fusion.data.encoding.guessing.text_looks import (
    are_decorated,
    case_share,
    has_decimal_commas,
    holds_objects,
    list_delimiter,
    whole_forms,
    with_zeros_and_without,
)
from nas_fusion.data.encoding.guessing.time_guesses import declared_times, guessed_times, is_ambiguous
from nas_fusion.data.encoding.scan import Scan
from nas_fusion.data.schema import CellForm
from nas_fusion.data.sources.arrow_types import is_list
from nas_fusion.data.sources.cells import ArrowColumn, Categories, is_text, numbers, plain, undecorated
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import listed, shown
from nas_fusion.errors import plain as harmless
from nas_fusion.settings import ColumnKind, DataOptions

NUMBERS_SHARE = 0.95
"""A column of so many numbers is one of numbers, in which the rest is odd."""

CASE_SHARE = 0.05
"""Words of a text are written so and so; ids that are, are the same ones more often."""

WATCHED_ROWS = 20_000
"""Of columns of which a format says what they are: they are looked at for warnings only."""

LEAK_AUC = 0.99
"""What no honest column tells of a click by itself."""

LEAST_TIME = 10_101
"""The first of January 2001 in digits, without their zeros: no smaller number is a time."""

NUMBER_KINDS = (ColumnKind.NUMBER, ColumnKind.INTERPOLATE, ColumnKind.BUCKET, ColumnKind.SCALE, ColumnKind.BOTH)

logger = logging.getLogger("nas_fusion")


def plan_columns(source: Source, options: DataOptions, scan: Scan) -> tuple[ColumnPlan, ...]:
    """The columns that may be fields, in order, each with what it is; those that are left out, too.

    What looks wrong is warned of: a column that is left out, 7 beside 7.0, a column that gives the label away.

    Args:
        source: the log.
        options: declares columns, and may choose the fields; its columns exist.
        scan: labels and splits.

    Raises:
        DataError: a chosen column is reserved; no field is left; a column can be no field.
    """
    names = _names(source, options, scan.reserved)
    plans = {plan.name: plan for plan in _declared(source, options, names)}
    plans.update({name: ColumnPlan(name, ColumnKind.IGNORE, SAID, True) for name in _dropped(source, options)})
    plans.update({name: ColumnPlan(name, ColumnKind.IGNORE, why, True) for name, why in scan.left_out.items()})
    judged = [name for name in names if source.infer_numbers or name in options.declared_kinds]
    if judged:
        judge = _Judge(sample_columns(source, judged, scan), options)
        plans.update({name: judge.plan(name, plans.get(name)) for name in judged})
    if watched := [] if source.typed else [name for name in names if name not in judged]:
        sample = sample_columns(source, watched, scan, most=WATCHED_ROWS)
        plans.update({name: _warned(plans[name], sample) for name in watched})
    if all(plans[name].kind is ColumnKind.IGNORE for name in names):
        reasons = "; ".join(f"{name} is left out: {plans[name].reason}" for name in names)
        raise source.error(f"no column is left to be a field: {reasons}")
    order = source.columns if options.fields is None else names
    return tuple(plans[name] for name in order if name in plans)


def _names(source: Source, options: DataOptions, reserved: frozenset[str]) -> tuple[str, ...]:
    if options.fields is None:
        kinds = options.declared_kinds
        names = tuple(c for c in source.columns if c not in reserved and (c not in source.not_fields or c in kinds))
    else:
        names = options.fields
        # The true probability would give the answer away.
        taken = [name for name in names if name in reserved or name == source.probability]
        if taken:
            raise source.error("the label or split column cannot be a field", column=taken[0])
    names = tuple(name for name in names if options.declared_kinds.get(name) is not ColumnKind.IGNORE)
    if not names:
        raise source.error(f"no column is left to be a field; columns are {listed(source.columns)}")
    return names


def _dropped(source: Source, options: DataOptions) -> list[str]:
    kinds = options.declared_kinds
    return [name for name in source.columns if kinds.get(name) is ColumnKind.IGNORE]


def _declared(source: Source, options: DataOptions, names: Sequence[str]) -> Iterator[ColumnPlan]:
    """The columns of which the options or the format say what they are."""
    log = ColumnKind.LOG
    for name in names:
        kind = options.declared_kinds.get(name)
        if kind is not None:
            is_log = kind is ColumnKind.BUCKET and name in source.log_buckets
            yield ColumnPlan(name, log if is_log else kind, SAID, is_declared=True)
        elif name in source.log_buckets:
            kind = log if options.reproduce_criteo_buckets else ColumnKind(options.numbers)
            yield ColumnPlan(name, kind, f"a number of the format {source.kind}", is_declared=True)
        elif not source.infer_numbers:
            yield ColumnPlan(name, ColumnKind.CATEGORY, f"of the format {source.kind}", is_declared=True)


class _Judge:
    """Says what a column is, by a sample of it.

    Args:
        sample: of training rows.
        options: what is said of columns as such.
    """

    def __init__(self, sample: ColumnSample, options: DataOptions) -> None:
        self._sample, self._options, self._rules = sample, options, sample.rules

    def plan(self, name: str, declared: ColumnPlan | None) -> ColumnPlan:
        """What a column is, with warnings of what looks wrong, which are also told.

        Raises:
            DataError: the column is not what it is said to be.
        """
        with self._sample.cells.naming(name):
            return _warned(self.guessed(name) if declared is None else self.completed(declared), self._sample)

    def completed(self, plan: ColumnPlan) -> ColumnPlan:
        """A declared column, with how the cells of a time or a list are written.

        Raises:
            CellError: the cells are none.
        """
        column = plain(self._sample.cells.column(plan.name))
        if plan.kind in NUMBER_KINDS and is_text(_value_type(column)):
            decorated = are_decorated(self._sample.cells.categories(plan.name).values)
            return replace(plan, cells=CellForm(decorated=decorated))
        if plan.kind not in (ColumnKind.TIME, ColumnKind.LIST):
            return plan
        if plan.kind is ColumnKind.TIME:
            times = declared_times(column, self._rules, self._options.dates)
            return replace(plan, cells=CellForm(time=times.form.value, start=times.start), parts=times.parts)
        if is_list(column.type):
            return plan
        found = self._sample.cells.categories(plan.name)
        delimiter = self._options.list_delimiter or list_delimiter(found.values, found.counts()) or DEFAULT_DELIMITER
        return replace(plan, cells=CellForm(delimiter=delimiter))

    def guessed(self, name: str) -> ColumnPlan:
        """What a column is of which nothing is said."""
        column = plain(self._sample.cells.column(name))
        kind = _value_type(column)
        if is_list(kind):
            return ColumnPlan(name, ColumnKind.LIST, "lists by their type")
        if pa.types.is_temporal(kind):
            return self._time(name, column) or ColumnPlan(name, ColumnKind.IGNORE, "a time that never differs")
        if pa.types.is_boolean(kind):
            return ColumnPlan(name, ColumnKind.CATEGORY, "true or false")
        return self._judged(name, column)

    def _judged(self, name: str, column: ArrowColumn) -> ColumnPlan:
        """What a column of numbers or of texts is."""
        found = self._sample.cells.categories(name)
        present = found.codes >= 0
        if not present.any():
            return ColumnPlan(name, ColumnKind.IGNORE, "no cell has a value")
        read = numbers(column, self._rules)
        is_listed = self._options.list_delimiter is not None and bool(self._delimiter(found))
        if is_listed or (read.odd & present).sum() > (1 - NUMBERS_SHARE) * present.sum():
            if not is_listed and are_decorated(found.values):
                return self._decorated(name, column, found)
            return self._text(name, column, found)
        return self._number(name, column, found, read.values, has_odd=bool(read.odd.any()))

    def _decorated(self, name: str, column: ArrowColumn, found: Categories) -> ColumnPlan:
        """What a column of numbers is that have a currency, a percent sign or signs between their thousands."""
        x = numbers(undecorated(column), self._rules).values
        plan = self._number(name, column, found, x, has_odd=True)
        if plan.kind not in NUMBER_KINDS:
            return plan
        written = f"numbers written like {shown(found.values[0].as_py())}"
        return replace(plan, reason=f"{written}; {plan.reason}", cells=replace(plan.cells, decorated=True))

    def _number(self, name: str, column: ArrowColumn, found: Categories, x: np.ndarray, *, has_odd: bool) -> ColumnPlan:
        if not has_odd and np.fmax.reduce(x) >= LEAST_TIME and (times := self._time(name, column)):
            return times
        guess = guess_number(name, found, x, self._sample.labels)
        if guess.kind is ColumnKind.NUMBER:
            kind = ColumnKind(self._options.numbers)
            cells = CellForm(odd_allowed=is_text(_value_type(column)))
            if kind is not ColumnKind.CATEGORY:
                return ColumnPlan(name, kind, guess.reason, cells=cells)
            guess = guess._replace(kind=kind, reason="numbers are to be categories")
        forms = whole_forms(found.values)
        return ColumnPlan(name, guess.kind, guess.reason, cells=CellForm(whole=forms.with_point))

    def _time(self, name: str, column: ArrowColumn) -> ColumnPlan | None:
        times = guessed_times(name, column, self._rules, self._options.dates)
        if times is None:
            return None
        if not times.parts:
            return ColumnPlan(name, ColumnKind.IGNORE, "a time of which no part differs")
        cells = CellForm(time=times.form.value, start=times.start)
        return ColumnPlan(name, ColumnKind.TIME, f"times ({times.form.value})", cells=cells, parts=times.parts)

    def _text(self, name: str, column: ArrowColumn, found: Categories) -> ColumnPlan:
        if times := self._time(name, column):
            return times
        if delimiter := self._delimiter(found):
            reason = f"most cells hold {delimiter!r}, and what stands between repeats"
            return ColumnPlan(name, ColumnKind.LIST, reason, cells=CellForm(delimiter=delimiter))
        if is_unique(found):
            return ColumnPlan(name, ColumnKind.IGNORE, "no two rows have the same value")
        kind = "JSON, each read as one value" if holds_objects(found.values) else "texts"
        return ColumnPlan(name, ColumnKind.CATEGORY, is_ambiguous(column, self._rules) or kind)

    def _delimiter(self, found: Categories) -> str:
        if self._options.list_delimiter is not None:
            return self._options.list_delimiter if _holds(found, self._options.list_delimiter) else ""
        return list_delimiter(found.values, found.counts())


def _value_type(column: ArrowColumn) -> pa.DataType:
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


DEFAULT_DELIMITER = ","
"""Of a column that is said to hold lists, and whose cells hold one item each."""


def _holds(found: Categories, delimiter: str) -> bool:
    having = pc.match_substring(found.values, delimiter)
    return bool(found.counts()[np.asarray(having)].sum() * 2 >= found.counts().sum())


def is_unique(found: Categories) -> bool:
    """Whether no two rows have the same value, among enough rows to tell."""
    present = int((found.codes >= 0).sum())
    return present >= ROWS_TO_JUDGE and int((found.counts() > 0).sum()) == present


def _warned(plan: ColumnPlan, sample: ColumnSample) -> ColumnPlan:
    """A plan with what looks wrong about its column, which is also told."""
    warnings = tuple(_warnings(plan, sample))
    for warning in warnings:
        logger.warning("%s", warning)
    return replace(plan, warnings=warnings)


def _warnings(plan: ColumnPlan, sample: ColumnSample) -> Iterator[str]:
    """What looks wrong about a column."""
    name = harmless(plan.name)
    if plan.kind is ColumnKind.CATEGORY and plan.is_declared and is_unique(sample.cells.categories(plan.name)):
        yield f"column {name!r}: no two rows have the same value, of which a model learns nothing (--drop {name})"
    if plan.kind is ColumnKind.IGNORE and not plan.is_declared:
        yield f"column {name!r} is left out: {plan.reason} (--kind {name}=category or {name}=number uses it)"
    if plan.cells.whole:
        forms = whole_forms(sample.cells.categories(plan.name).values)
        if forms.with_point and forms.without:
            yield f"column {name!r} holds whole numbers with and without a point: 7 and 7.0 are read as one value"
    if plan.kind is ColumnKind.CATEGORY:
        yield from _warnings_about_values(plan, sample)
    texts = plan.kind in (ColumnKind.CATEGORY, ColumnKind.IGNORE) and not plan.is_declared
    if texts and has_decimal_commas(sample.cells.categories(plan.name).values):
        yield f"column {name!r} holds texts that look like numbers with a decimal comma: --decimal , reads them so"
    if plan.kind is not ColumnKind.IGNORE and (found := _auc(plan, sample)) > LEAK_AUC:
        yield (
            f"column {name!r} alone predicts the label (AUC {found:.4f} on training rows): if it is not known before "
            f"the click, leave it out (--drop {name})"
        )


def _warnings_about_values(plan: ColumnPlan, sample: ColumnSample) -> Iterator[str]:
    """Values of a category that may be meant otherwise."""
    name, values = harmless(plan.name), sample.cells.categories(plan.name).values
    if pair := with_zeros_and_without(values):
        yield f"column {name!r} holds {pair[0]!r} and {pair[1]!r}: with zeros in front they are read as two values"
    if (share := case_share(values)) > CASE_SHARE:
        yield f"column {name!r}: {share:.0%} of the values differ from others in nothing but upper and lower case"


def _auc(plan: ColumnPlan, sample: ColumnSample) -> float:
    """What a column tells of the label by itself, be it by whether there is a value."""
    found = sample.cells.column(plan.name)
    if plan.kind is ColumnKind.LIST or is_list(_value_type(found)):
        return 0.5
    codes = sample.cells.categories(plan.name).codes
    if plan.kind is not ColumnKind.TIME and plan.kind not in NUMBER_KINDS:
        return alone(told_by_values(codes + 1, sample.labels, PRIOR_ROWS[:1]), sample.labels)
    there = alone(told_by_values((codes >= 0).astype(np.int64), sample.labels, PRIOR_ROWS[:1]), sample.labels)
    if plan.kind in NUMBER_KINDS:
        x = numbers(undecorated(found) if plan.cells.decorated else found, sample.rules).values
        present = ~np.isnan(x)
        if len(np.unique(sample.labels[present])) == 2:
            return max(there, alone(told_by_order(x[present], sample.labels[present]), sample.labels[present]))
    return there
