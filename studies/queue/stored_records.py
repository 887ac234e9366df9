"""Records of cells in Optuna's storage, for a coordinator that does not see the folder of the worker."""

from __future__ import annotations

import base64
import zlib

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from nas_fusion.errors import StudyError
from nas_fusion.records import CellRecord

_RECORD = "nas-fusion:record"
_RECORD_PART = 50_000
"""Some databases cut longer texts."""


def store_record(storage: BaseStorage, trial_id: int, record: CellRecord) -> None:
    """Put a cell's record into the attributes of its trial, in parts."""
    text = base64.b64encode(zlib.compress(record.to_json().encode())).decode()
    for number, start in enumerate(range(0, len(text), _RECORD_PART)):
        part = text[start : start + _RECORD_PART]
        storage.set_trial_system_attr(trial_id, f"{_RECORD}:{number}", part)


def has_record(trial: FrozenTrial) -> bool:
    """Whether somebody has put a record there."""
    return f"{_RECORD}:0" in trial.system_attrs


def read_record(trial: FrozenTrial) -> CellRecord:
    """The record that `store_record` has put there.

    Raises:
        StudyError: it cannot be read.
    """
    parts: list[str] = []
    while f"{_RECORD}:{len(parts)}" in trial.system_attrs:
        parts.append(trial.system_attrs[f"{_RECORD}:{len(parts)}"])
    try:
        text = zlib.decompress(base64.b64decode("".join(parts), validate=True)).decode()
    except (ValueError, zlib.error) as error:
        raise StudyError(f"the record of trial {trial.number} in the storage cannot be read: {error}") from error
    return CellRecord.from_json(text)
