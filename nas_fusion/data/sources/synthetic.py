"""`SyntheticSource`: the built-in log, drawn anew, block by block, at every reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from nas_fusion import bounds
from nas_fusion.data.click_model import DEFAULT_FIELDS, DEFAULT_ROWS, column_names, synthetic_blocks
from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import OptionError

GENERATOR_VERSION = 1
"""Raise when the generator changes, so that cached logs are not found again."""

PROBABILITY = "probability"

SYNTHETIC = re.compile(r"^synthetic(:.*)?$")
SYNTHETIC_FORM = (
    f"synthetic, synthetic:ROWS or synthetic:ROWS:SEED (rows: {bounds.SYNTHETIC_ROWS.range}; seed: {bounds.SEED.range})"
)


class SyntheticSource(Source):
    """The built-in log.

    Args:
        rows: number of rows.
        seed: seed of the log.
        fields: number of fields.
    """

    kind = "synthetic"
    encoding_version = 1  # its categories are encoded as they ever were
    name = "synthetic"
    label = "click"
    infer_numbers = False
    probability = PROBABILITY
    not_fields = frozenset({PROBABILITY})

    def __init__(self, rows: int = DEFAULT_ROWS, seed: int = 0, fields: int = DEFAULT_FIELDS) -> None:
        self._rows, self._seed, self._fields = rows, seed, fields
        self.columns = (*column_names(fields), PROBABILITY)
        self.expected_rows = rows

    @classmethod
    def named(cls, text: str) -> SyntheticSource:
        """The log that a user calls "synthetic", "synthetic:ROWS" or "synthetic:ROWS:SEED".

        Raises:
            OptionError: the text has another form.
        """
        parts = text.split(":")[1:]
        values = [bound.read(part) for bound, part in zip((bounds.SYNTHETIC_ROWS, bounds.SEED), parts, strict=False)]
        if len(parts) > 2 or None in values:
            raise OptionError("data", SYNTHETIC_FORM, text)
        return cls(*(int(value) for value in values if value is not None))

    def digest(self) -> str:
        """The parameters say it all."""
        return f"synthetic:{GENERATOR_VERSION}:{self._rows}:{self._seed}:{self._fields}"

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Draw the log."""
        for ids, clicks, probabilities in synthetic_blocks(self._rows, self._seed, self._fields):
            arrays = dict(zip(column_names(self._fields), [clicks, *ids.T], strict=True))
            yield pa.table({c: probabilities if c == PROBABILITY else arrays[c] for c in columns})
