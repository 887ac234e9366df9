"""Logs that are drawn anew, block by block, at every reading: `SyntheticSource`, the built-in one; `PlantedSource`."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import pyarrow as pa

from nas_fusion import bounds
from nas_fusion.data.click_model import (
    DEFAULT_FIELDS,
    DEFAULT_ROWS,
    FloatArray,
    IntArray,
    column_names,
    synthetic_blocks,
)
from nas_fusion.data.planted import PlantedLog, planted_auc
from nas_fusion.data.sources.cells import ArrowRows
from nas_fusion.data.sources.source import Guess, Source
from nas_fusion.errors import OptionError
from nas_fusion.settings import is_planted

GENERATOR_VERSION = 1
"""Raise when the generator changes, so that cached logs are not found again."""

PLANTED_VERSION = 1
"""The same of planted logs."""

Drawn: TypeAlias = tuple[IntArray, IntArray, FloatArray]
"""A block of a drawn log: ids ``[block, fields]``, clicks ``[block]``, true probabilities ``[block]``."""

PROBABILITY = "probability"

SYNTHETIC = re.compile(r"^synthetic(:.*)?$")
SYNTHETIC_FORM = (
    f"synthetic, synthetic:ROWS or synthetic:ROWS:SEED (rows: {bounds.SYNTHETIC_ROWS.range}; seed: {bounds.SEED.range})"
    ", or synthetic:planted for a log whose best design is known"
)


class DrawnSource(Source):
    """A log that is drawn: a label, categories, and the true probability of every row.

    Args:
        columns: of the log, label first, without the probability.
        rows: number of rows.
    """

    kind = "synthetic"
    encoding_version = 1  # its categories are encoded as they ever were
    label = "click"
    infer_numbers = False
    probability = PROBABILITY
    not_fields = frozenset({PROBABILITY})

    def __init__(self, columns: Sequence[str], rows: int) -> None:
        self.columns = (*columns, PROBABILITY)
        self.expected_rows = rows

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Draw the log."""
        for ids, clicks, probabilities in self.blocks():
            arrays = dict(zip(self.columns, [clicks, *ids.T, probabilities], strict=True))
            yield pa.table({c: arrays[c] for c in columns})

    @abstractmethod
    def blocks(self) -> Iterator[Drawn]:
        """Draw rows: ids ``[block, fields]``, clicks ``[block]``, true probabilities ``[block]``."""


class SyntheticSource(DrawnSource):
    """The built-in log.

    Args:
        rows: number of rows.
        seed: seed of the log.
        fields: number of fields.
    """

    name = "synthetic"

    def __init__(self, rows: int = DEFAULT_ROWS, seed: int = 0, fields: int = DEFAULT_FIELDS) -> None:
        super().__init__(column_names(fields), rows)
        self._rows, self._seed, self._fields = rows, seed, fields

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

    def blocks(self) -> Iterator[Drawn]:
        """Draw the log."""
        return synthetic_blocks(self._rows, self._seed, self._fields)


class PlantedSource(DrawnSource):
    """A planted log.

    Args:
        log: what is drawn.
    """

    def __init__(self, log: PlantedLog) -> None:
        super().__init__(log.columns, log.rows)
        self.name = f"planted-{log.teacher}"
        self._log = log
        # Of all possible rows; of those that were drawn the data set tells itself.
        attainable = planted_auc(log)
        self.guesses = (
            Guess(f"teacher {log.design}", f"clicks are drawn from it; attainable AUC {attainable:.3f}", ""),
        )

    def digest(self) -> str:
        """The parameters say it all, the teacher's own among them."""
        log = self._log
        teacher = hashlib.sha256(repr(replace(log.plan, summary="")).encode()).hexdigest()
        return f"planted:{PLANTED_VERSION}:{teacher}:{log.rows}:{log.seed}:{log.noise!r}:{log.zipf!r}"

    def blocks(self) -> Iterator[Drawn]:
        """Draw the log."""
        return self._log.blocks()


def drawn_source(text: str) -> DrawnSource:
    """The log that a user calls "synthetic…".

    Raises:
        OptionError: the text has no form of such a log.
    """
    return PlantedSource(PlantedLog.named(text)) if is_planted(text) else SyntheticSource.named(text)
