"""`EncodedDataset`: a log as memory-mapped ids and labels, and `SearchData`, the part that a search may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.column_plans import ColumnPlan
from nas_fusion.data.encoding.encoded_files import (
    FORMAT_VERSION,
    SCHEMA_FILE,
    array_file,
    check_file_record,
    open_array,
    read_schema,
    read_vocabulary,
)
from nas_fusion.data.encoding.fitted_encoding import EncodedRows, FittedEncoding
from nas_fusion.data.schema import SPLITS, Schema
from nas_fusion.data.sources import LogForm, usual_form
from nas_fusion.errors import DataError, listed, shown

_OPTIONAL = ("values", "numbers", "weights", "groups", "rows")


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """The rows of one split: of an encoded data set memory-mapped and read-only.

    Args:
        ids: int32 ``[rows, id columns]``; each field counts its ids from 0.
        values: float32 ``[rows, value columns]``, or None if no field has values.
        labels: float32 ``[rows]``, 0 or 1.
        positives: number of labels that are 1.
        numbers: float32 ``[rows, number columns]`` (`Schema.number_columns`), the numbers as they stand in the log, NaN
            where missing; None if no field is a number.
        weights: float32 ``[rows]``, how much every row counts, as the log says it; None if all count alike.
        groups: int32 ``[rows]``, the number of every row's group (a user, say); None without groups.
        rows: int64 ``[rows]``, of the test rows their place in the log, the first row's being 0; None for other splits.
    """

    ids: npt.NDArray[Any]
    values: npt.NDArray[Any] | None
    labels: npt.NDArray[Any]
    positives: int
    numbers: npt.NDArray[Any] | None = None
    weights: npt.NDArray[Any] | None = None
    groups: npt.NDArray[Any] | None = None
    rows: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def unlabelled(cls, rows: EncodedRows) -> EncodedSplit:
        """Rows of which no label is known; it is 0 for all of them, so that models can be asked about them."""
        return cls(rows.ids, rows.values, np.zeros(len(rows.ids), np.float32), 0, rows.numbers)

    def part(self, rows: slice) -> EncodedSplit:
        """Neighbouring rows, where they lie."""
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        parts = {name: None if array is None else array[rows] for name, array in optional.items()}
        labels = self.labels[rows]
        return EncodedSplit(ids=self.ids[rows], labels=labels, positives=int(labels.sum()), **parts)

    @property
    def label_rate(self) -> float:
        """The share of positives."""
        return self.positives / len(self)

    @cached_property
    def mean_weight(self) -> float:
        """The mean of the weights; 1 without any."""
        return 1.0 if self.weights is None else float(np.mean(self.weights, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class SearchData:
    """What a strategy gets to see: training and validation rows. The test rows are out of its reach."""

    name: str
    schema: Schema
    train: EncodedSplit
    valid: EncodedSplit
    fingerprint: str

    @property
    def folder(self) -> Path:
        """The folder of the encoded data set."""
        mapped = self.train.labels
        assert isinstance(mapped, np.memmap)
        return Path(str(mapped.filename)).parent.resolve()

    @classmethod
    def open(cls, path: str | Path, fingerprint: str) -> SearchData:
        """Open what another process sees as its `folder`; sizes and shapes are checked, the test rows not touched.

        Args:
            path: the folder.
            fingerprint: of the data set that is expected there.

        Raises:
            DataError: there is none, another one, or a damaged one.
        """
        folder = Path(path)
        content = read_schema(folder, FORMAT_VERSION)
        if content.get("fingerprint") != fingerprint:
            problem = f"another data set: expected fingerprint {fingerprint}, found {content.get('fingerprint')}"
            raise DataError(problem, path=folder)
        train, valid = (_open_split(folder, s, content["splits"][s], verify=False) for s in ("train", "valid"))
        return cls(content["name"], Schema.from_dict(content["schema"]), train, valid, fingerprint)


@dataclass(frozen=True, eq=False)
class EncodedDataset:
    """A log, split and encoded; made by `prepare`, opened by `open`.

    Args:
        name: what the log is called.
        path: the folder.
        schema: its fields and label.
        fingerprint: equal for equal content and options.
        train: the rows that vocabularies are fitted on.
        valid: the rows that choose.
        test: the rows that nothing has seen.
        statistics: what `describe` tells, as plain values.
        columns: what the columns of the log were read as, and why.
        row_words: what was read about the rows (which label is the positive, which columns are therefore no fields).
        log_form: how the log's cells were read, so that rows that are scored later are read so, too.
        attainable_aucs: per split, the AUC of the true probabilities; only a synthetic log has them.
    """

    name: str
    path: Path
    schema: Schema
    fingerprint: str
    train: EncodedSplit
    valid: EncodedSplit
    test: EncodedSplit
    statistics: Mapping[str, Any]
    columns: tuple[ColumnPlan, ...]
    row_words: tuple[str, ...]
    log_form: LogForm = field(default_factory=LogForm)
    attainable_aucs: Mapping[str, float] | None = None

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> EncodedDataset:
        """Open the folder of an encoded data set.

        Args:
            path: the folder.
            verify: read everything once to compare checksums; else only sizes and shapes are checked.

        Raises:
            DataError: it is none, it was damaged, or it is of another format.
        """
        folder = Path(path)
        content = read_schema(folder, FORMAT_VERSION)
        try:
            return cls._from_content(folder, content, verify=verify)
        except DataError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problem = f"corrupted: the schema is not complete ({type(error).__name__}: {error})"
            raise DataError(problem, path=folder / SCHEMA_FILE) from error

    @classmethod
    def _from_content(cls, folder: Path, content: Mapping[str, Any], *, verify: bool) -> EncodedDataset:
        vocabularies = content["vocabularies"].items()
        if verify:
            for name, record in vocabularies:
                check_file_record(folder / name, record)
        splits = {name: _open_split(folder, name, content["splits"][name], verify=verify) for name in SPLITS}
        return cls(
            name=content["name"],
            path=folder,
            schema=Schema.from_dict(content["schema"]),
            fingerprint=content["fingerprint"],
            statistics=content["statistics"],
            row_words=tuple(content.get("row_words", ())),
            columns=tuple(ColumnPlan.from_dict(column) for column in content["columns"]),
            log_form=_log_form(content),
            attainable_aucs=content["attainable_auc"],
            **splits,
        )

    @property
    def attainable_auc(self) -> float | None:
        """The AUC of the true probabilities on the test rows, the best that any model can hope for; None if unknown."""
        return None if self.attainable_aucs is None else self.attainable_aucs["test"]

    def search_view(self) -> SearchData:
        """The same without the test rows: what strategies get."""
        return SearchData(self.name, self.schema, self.train, self.valid, self.fingerprint)

    def vocabulary(self, field: str) -> tuple[str, ...]:
        """The values that have ids, in the order of their ids, the first being id 2.

        Raises:
            DataError: there is no such field, or it has no vocabulary (quantile buckets, scaled numbers).
        """
        names = [f.name for f in self.schema.fields]
        if field not in names:
            raise DataError(f"no field {shown(field)}; fields are {listed(names)}", path=self.path)
        found = read_vocabulary(self.path, names.index(field))
        if found is None:
            raise DataError("the field has no vocabulary", path=self.path, column=field)
        return tuple(found.values.to_pylist())

    def encoding(self) -> FittedEncoding:
        """How its rows became ids and values; encodes new rows in the same way."""
        fields = range(len(self.schema.fields))
        return FittedEncoding.of(self.schema, [read_vocabulary(self.path, field) for field in fields])


def _log_form(content: Mapping[str, Any]) -> LogForm:
    """How the log's cells were read; data sets of an earlier version do not say it, but how they were asked to."""
    if "log_form" in content:
        return LogForm.from_dict(content["log_form"])
    options = content["options"]
    return usual_form(content["source"], options.get("missing", ()), options.get("decimal"))


def _open_split(folder: Path, name: str, content: Mapping[str, Any], *, verify: bool) -> EncodedSplit:
    arrays = {
        array: open_array(array_file(folder, name, array), record, verify=verify)
        for array, record in content["arrays"].items()
    }
    return EncodedSplit(
        **{name: arrays.get(name) for name in _OPTIONAL},
        ids=arrays["ids"],
        labels=arrays["labels"],
        positives=content["positives"],
    )
