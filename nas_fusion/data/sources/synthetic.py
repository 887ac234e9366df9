"""The synthetic log as a `Source`: drawn anew, block by block, at every reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from nas_fusion.data.click_model import DEFAULT_FIELDS, DEFAULT_ROWS, column_names, synthetic_blocks
from nas_fusion.data.sources.source import Source

GENERATOR_VERSION = 1
"""Raise when the generator changes, so that cached logs are not found again."""


class SyntheticSource(Source):
    """The built-in log.

    Args:
        rows: number of rows.
        seed: seed of the log.
        fields: number of fields.
    """

    kind = "synthetic"
    name = "synthetic"
    label = "click"
    infer_numbers = False
    probability = "probability"
    not_fields = frozenset({"probability"})

    def __init__(self, rows: int = DEFAULT_ROWS, seed: int = 0, fields: int = DEFAULT_FIELDS) -> None:
        self._rows, self._seed, self._fields = rows, seed, fields
        self.columns = (*column_names(fields), "probability")
        self.expected_rows = rows

    def digest(self) -> str:
        """The parameters say it all."""
        return f"synthetic:{GENERATOR_VERSION}:{self._rows}:{self._seed}:{self._fields}"

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Draw the log."""
        for ids, clicks, probabilities in synthetic_blocks(self._rows, self._seed, self._fields):
            arrays = dict(zip(column_names(self._fields), [clicks, *ids.T], strict=True))
            yield pa.table({c: probabilities if c == "probability" else arrays[c] for c in columns})
