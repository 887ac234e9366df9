"""Scores of any number of rows, in memory for a few: `score_stream`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding import UNKNOWN_SHARE, EncodedRows, UnknownCells
from nas_fusion.data.sources import Chunk, Source, chunks_of
from nas_fusion.errors import shown
from nas_fusion.serving.saved_model import SavedModel

Progress = Callable[[int, int], None]
"""Called with the number of rows that are scored, and about how many there are; 0 if that cannot be told."""

logger = logging.getLogger("nas_fusion")


class ScoredRows(NamedTuple):
    """Consecutive rows and what a model says of them.

    Args:
        first_row: 0-based position of the first of them.
        logits: float64 ``[rows]``.
    """

    first_row: int
    logits: npt.NDArray[np.float64]

    @property
    def stop(self) -> int:
        """The position behind the last of them."""
        return self.first_row + len(self.logits)


def score_stream(
    model: SavedModel,
    source: Source,
    columns: Sequence[str] = (),
    *,
    seen: Callable[[Chunk], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[ScoredRows]:
    """Score the rows of a log front to back.

    Whatever the reader's pieces are, rows go through the network in the batches in which `SavedModel.scores` would take
    them, so that the scores are the same to the last bit. Fields most of whose values the model has never seen are
    warned of at the end.

    Args:
        model: scores them.
        source: the rows (`nas_fusion.data.open_rows`).
        columns: that are read besides those of the model.
        seen: is shown every chunk before its rows are scored, with these columns.
        progress: told after every chunk.

    Raises:
        DataError: a cell cannot be used; names file, line and column.
    """
    encoding, batch = model.encoding, model.batch_size
    waiting: list[EncodedRows] = []
    unknown, counted = UnknownCells(encoding.schema), np.zeros(len(encoding.schema.fields), np.int64)
    row = 0
    for chunk in chunks_of(source, list(dict.fromkeys([*model.columns, *columns]))):
        if seen is not None:
            seen(chunk)
        rows = encoding.encode(chunk)
        counted += unknown.count(rows.ids)
        rows = EncodedRows.joined([*waiting, rows])
        whole = len(rows.ids) - len(rows.ids) % batch
        waiting = [rows.part(slice(whole, None))]
        if whole:
            yield ScoredRows(row, model.encoded_logits(rows.part(slice(whole))))
            row += whole
        if progress is not None:
            progress(row, source.expected_rows)
    if waiting and len(waiting[0].ids):
        rest = ScoredRows(row, model.encoded_logits(waiting[0]))
        row = rest.stop
        yield rest
    if progress is not None:
        progress(row, source.expected_rows)
    _warn_of_unknown(model, counted / max(row, 1))


def _warn_of_unknown(model: SavedModel, shares: npt.NDArray[np.float64]) -> None:
    for field, share in zip(model.schema.fields, shares.tolist(), strict=True):
        if share > UNKNOWN_SHARE:
            logger.warning(
                "field %s: %.0f%% of the rows hold values that the model does not know; are they written as in the log "
                "that it learnt from?",
                shown(field.name), 100 * share,
            )  # fmt: skip
