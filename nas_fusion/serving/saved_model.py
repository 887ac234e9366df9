"""`SavedModel`: a model that was opened, which scores rows that nobody has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nas_fusion.data import EncodedSplit, Schema
from nas_fusion.data.encoding import EncodedRows, FittedEncoding, NotPlain
from nas_fusion.data.sources import FEW, Chunk, Log, chunks_of, few_rows, open_rows
from nas_fusion.serving.model_manifest import ModelManifest
from nas_fusion.serving.model_view import drawing_view, model_view
from nas_fusion.settings import DataOptions
from nas_fusion.training import TrainConfig, WholeModel, predict_logits, probabilities

Scores = npt.NDArray[np.float64]


class SavedModel:
    """A trained model with everything that turns rows into scores; made by `nas_fusion.load`.

    Rows need no label, and one that is there is not looked at; columns may stand in any order, and others than those of
    `columns` are ignored. Scores are the same, bit for bit on the CPU, as those of the test rows when the model was
    made, for the same rows in the same order: rows go through the network in batches of the recipe's size.

    Attributes:
        path: where it was opened from.
        manifest: what it is.
        encoding: turns rows into ids and values.
        module: the network, in evaluation mode on the CPU; called with ids and values, returns logits ``[batch]``.
    """

    def __init__(self, path: Path, manifest: ModelManifest, encoding: FittedEncoding, module: nn.Module) -> None:
        self.path, self.manifest, self.encoding, self.module = path, manifest, encoding, module

    @property
    def schema(self) -> Schema:
        """The fields, in the order of the columns of the ids."""
        return self.encoding.schema

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows need."""
        return self.encoding.columns

    @property
    def batch_size(self) -> int:
        """Rows that go through the network together; whole batches get the scores that all rows at once get."""
        return self.manifest.recipe.batch_size

    @property
    def reading_options(self) -> DataOptions:
        """How files with new rows are read: as the log that the model was trained on, but in any format."""
        return self.manifest.log.reading_options

    @property
    def config(self) -> TrainConfig:
        """The recipe, for the CPU."""
        return replace(self.manifest.recipe, device="cpu")

    def encode(self, rows: Log) -> EncodedRows:
        """Rows as ids, values and numbers, all at once.

        Args:
            rows: a pandas or polars frame, an Arrow table or record batch, columns by name, one mapping per row, or
                the path of a file.

        Raises:
            DataError: a column is missing, or a cell cannot be used; names row and column.
        """
        form = self.manifest.log.form
        if (few := few_rows(rows, self.columns)) is not None:
            try:
                return self.encoding.encode_cells(few, form.rules)
            except NotPlain:
                pass  # columns read it right, or say what is wrong
        source = open_rows(rows, self.columns, form, self.reading_options)
        parts = [self.encoding.encode(chunk) for chunk in chunks_of(source, self.columns)]
        return EncodedRows.joined(parts) if parts else _no_rows(self.schema)

    def predict_logits(self, rows: Log) -> Scores:
        """The logits of rows, float64 ``[rows]``.

        Raises:
            DataError: as of `encode`.
        """
        return self.encoded_logits(self.encode(rows))

    def predict_proba(self, rows: Log) -> Scores:
        """The probabilities of no click and of a click, float64 ``[rows, 2]``, as scikit-learn has them.

        Raises:
            DataError: as of `encode`.
        """
        clicks = self.scores(rows)
        return np.stack([1.0 - clicks, clicks], axis=1)

    def scores(self, rows: Log) -> Scores:
        """The probability of a click of every row, float64 ``[rows]``.

        Raises:
            DataError: as of `encode`.
        """
        return probabilities(self.predict_logits(rows))

    def chunk_scores(self, chunk: Chunk) -> Scores:
        """The same of a chunk of a stream; chunks of whole batches give what all rows at once would give.

        Raises:
            DataError: as of `encode`.
        """
        return probabilities(self.encoded_logits(self.encoding.encode(chunk)))

    def encoded_logits(self, rows: EncodedRows) -> Scores:
        """The logits of rows that are encoded already, float64 ``[rows]``."""
        if not len(rows.ids):
            return np.zeros(0)
        if self._is_one_step(rows):
            with torch.inference_mode():  # what `predict_logits` does besides takes longer than the network
                values = None if rows.values is None else torch.from_numpy(rows.values)
                return np.asarray(self.module(torch.from_numpy(rows.ids), values).numpy(), np.float64)
        return np.asarray(predict_logits(self.module, EncodedSplit.unlabelled(rows), self.config), np.float64)

    def _is_one_step(self, rows: EncodedRows) -> bool:
        """Whether nothing but the network has to be called."""
        few = len(rows.ids) <= min(FEW, self.batch_size)
        return few and self.manifest.recipe.precision != "bf16" and not isinstance(self.module, WholeModel)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return model_view(self.path, self.manifest, self.schema) + drawing_view(self.path, self.manifest)

    def __repr__(self) -> str:
        return f"SavedModel({str(self.path)!r}: {self.manifest.title}, trained on {self.manifest.log.name})"


def _no_rows(schema: Schema) -> EncodedRows:
    widths = len(schema.value_fields), len(schema.number_fields)
    values, numbers = (np.zeros((0, width), np.float32) if width else None for width in widths)
    return EncodedRows(np.zeros((0, schema.id_columns), np.int32), values, numbers)
