"""One table for the embeddings of every field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import FieldForm, FieldLike, FieldShape, field_shapes_of, id_column_count, value_fields_of
from nas_fusion.nn.field_terms import FieldTerms
from nas_fusion.nn.kernels import EmbeddingTable
from nas_fusion.nn.plain_vectors import PlainVectors
from nas_fusion.nn.tracing import is_traced
from nas_fusion.settings import DEFAULT_EMB_DIM

EMBEDDING_STD = 1e-2
"""Standard deviation of the initial embeddings (OptFusion, published setting)."""


@dataclass(frozen=True)
class Fields:
    """The fields of a log, and how wide their embeddings are: what the input of a model is made from.

    Args:
        shapes: of the fields (`Schema.field_shapes`).
        emb_dim: width of one field's vector.
        block_width: 0, or to how many features all vectors together are mapped before anything else sees them. Models
            that take vectors take what comes out as vectors of width `emb_dim`, so it is rounded down to whole ones
            (at least one). A deviation from every published model, for logs of very many fields.

    Raises:
        OptionError: `emb_dim` is below 1, or `block_width` below 0.
    """

    shapes: tuple[FieldShape, ...]
    emb_dim: int = DEFAULT_EMB_DIM
    block_width: int = 0

    def __post_init__(self) -> None:
        if self.emb_dim < 1:
            raise OptionError("emb_dim", "a positive integer", self.emb_dim)
        if self.block_width < 0:
            raise OptionError("block_width", "0 or a positive integer", self.block_width)

    @classmethod
    def of(cls, fields: Iterable[FieldLike], emb_dim: int = DEFAULT_EMB_DIM, block_width: int = 0) -> Fields:
        """The same, where numbers may stand for fields of so many ids."""
        return cls(field_shapes_of(fields), emb_dim, block_width)

    @property
    def vectors(self) -> int:
        """How many vectors of width `emb_dim` a row becomes: one for every field, or as many as the block width has."""
        return max(1, self.block_width // self.emb_dim) if self.block_width else len(self.shapes)

    @property
    def width(self) -> int:
        """Number of features of all vectors together."""
        return self.vectors * self.emb_dim


class FieldEmbedding(nn.Module):
    """Make one vector per field and concatenate them.

    All fields share one table; field f's ids start at the sum of the sizes of the fields before it. How a field's ids
    and its value become its vector says `FieldForm`.

    Args:
        fields: their shapes; a number stands for a field of so many ids.
        emb_dim: width of one field's vector.
        block_width: as of `Fields`; the map has no bias.

    Shapes:
        ids ``[batch, id column]``, each in ``0 … size - 1`` of its field, or in a list `PAD`; values
        ``[batch, value column]``; both have the fields' columns in their order. Output ``[batch, field · emb_dim]``, or
        as wide as the blocks.

    Raises:
        OptionError: there is no field, or `emb_dim` is below 1.
    """

    offsets: Tensor

    def __init__(self, fields: Iterable[FieldLike], emb_dim: int, block_width: int = 0) -> None:
        super().__init__()
        self.fields = Fields.of(fields, emb_dim, block_width)
        shapes = self.fields.shapes
        self.width = self.fields.width
        # Where each field's ids begin in the shared table. Not persistent: it follows from the arguments.
        sizes = torch.tensor([shape.size for shape in shapes])
        self.register_buffer("offsets", sizes.cumsum(0) - sizes, persistent=False)
        self.columns, self.values = id_column_count(shapes), len(value_fields_of(shapes))
        ids_alone = all(shape.form is FieldForm.ID for shape in shapes)
        self.terms = None if ids_alone else FieldTerms(shapes)
        self.plain = None if ids_alone else PlainVectors(shapes)
        self.table = EmbeddingTable(sum(shape.size for shape in shapes), emb_dim)
        nn.init.normal_(self.table.weight, std=EMBEDDING_STD)
        self.projection = nn.Linear(len(shapes) * emb_dim, self.width, bias=False) if block_width else None

    @classmethod
    def of(cls, fields: Fields) -> FieldEmbedding:
        """New vectors of fields."""
        return cls(fields.shapes, fields.emb_dim, fields.block_width)

    def like_new(self) -> FieldEmbedding:
        """An embedding of the same fields with new vectors, of the same type and on the same device."""
        return FieldEmbedding.of(self.fields).to(self.table.weight)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """Return the concatenated field vectors, mapped to the blocks' width where they have one of their own.

        Args:
            ids: ``[batch, id column]``, int32 or int64.
            values: ``[batch, value column]``; None where no field has a value.

        Returns:
            ``[batch, width]``, in the table's dtype.

        Raises:
            OptionError: ids or values have another number of columns than the fields.
        """
        vectors = self._vectors(ids, values)
        return vectors if self.projection is None else self.projection(vectors)

    def _vectors(self, ids: Tensor, values: Tensor | None) -> Tensor:
        if self.terms is None or self.plain is None:
            # One look-up for all fields: one kernel, and one weight for the optimiser.
            return self.table(ids + self.offsets).flatten(1)
        if is_traced():
            return self.plain(ids, values, self.table).flatten(1)
        self._check(ids, values)
        # Both sizes but one are known: a row more or less is no other model.
        return self.table.sums(self.terms(ids, values, self.table.weight)).view(
            -1, len(self.fields.shapes) * self.fields.emb_dim
        )

    def _check(self, ids: Tensor, values: Tensor | None) -> None:
        # Columns are told apart by their place alone: a wrong number of them would be taken for other fields.
        if ids.shape[1] != self.columns:
            raise OptionError("ids", f"of {self.columns} columns for these fields", list(ids.shape))
        if self.values and (values is None or values.shape[1] != self.values):
            found = None if values is None else list(values.shape)
            raise OptionError("values", f"given for the {self.values} fields with a value", found)
