"""One table for the embeddings of every field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.errors import OptionError
from nas_fusion.nn.embedding_table import EmbeddingTable
from nas_fusion.settings import DEFAULT_EMB_DIM

EMBEDDING_STD = 1e-2
"""Standard deviation of the initial embeddings (OptFusion, published setting)."""


@dataclass(frozen=True)
class Fields:
    """The fields of a log, and how wide their embeddings are: what the input of a model is made from.

    Args:
        sizes: number of ids of each field (`Schema.field_sizes`).
        value_fields: indices of the scaled numeric fields (`Schema.value_fields`).
        emb_dim: width of one field's vector.
    """

    sizes: tuple[int, ...]
    value_fields: tuple[int, ...] = ()
    emb_dim: int = DEFAULT_EMB_DIM


class FieldEmbedding(nn.Module):
    """Look up one vector per field and concatenate them.

    All fields share one table; field f's ids start at the sum of the sizes of the fields before it. A scaled
    numeric field is an ordinary field of two ids (0 missing, 1 present) whose vector is multiplied by the value.

    Args:
        field_sizes: number of ids of each field.
        emb_dim: width of one field's vector.
        value_fields: indices of the scaled numeric fields, in the order of the columns of ``values``.

    Shapes:
        ids ``[batch, field]``, each in ``0 … field_sizes[f] - 1``; values ``[batch, len(value_fields)]``;
        output ``[batch, field · emb_dim]``.

    Raises:
        OptionError: a field has no ids, `emb_dim` is below 1, or a value field is none of the fields.
    """

    offsets: Tensor
    value_columns: Tensor

    def __init__(self, field_sizes: Sequence[int], emb_dim: int, value_fields: Sequence[int] = ()) -> None:
        super().__init__()
        if not field_sizes or any(size < 1 for size in field_sizes):
            raise OptionError("field_sizes", "a non-empty sequence of positive integers", list(field_sizes))
        if emb_dim < 1:
            raise OptionError("emb_dim", "a positive integer", emb_dim)
        if any(not 0 <= f < len(field_sizes) for f in value_fields):
            raise OptionError("value_fields", f"indices below {len(field_sizes)}", list(value_fields))
        self.emb_dim = emb_dim
        self.field_sizes, self.value_fields = tuple(field_sizes), tuple(value_fields)
        self.width = emb_dim * len(field_sizes)
        # Where each field's ids begin in the shared table. Not persistent: it follows from the arguments.
        sizes = torch.tensor(list(field_sizes))
        self.register_buffer("offsets", sizes.cumsum(0) - sizes, persistent=False)
        self.register_buffer("value_columns", torch.tensor(list(value_fields), dtype=torch.long), persistent=False)
        self.table = EmbeddingTable(sum(map(int, field_sizes)), emb_dim)
        nn.init.normal_(self.table.weight, std=EMBEDDING_STD)

    def like_new(self) -> FieldEmbedding:
        """An embedding of the same fields with new vectors, of the same type and on the same device."""
        return FieldEmbedding(self.field_sizes, self.emb_dim, self.value_fields).to(self.table.weight)

    @property
    def fields(self) -> Fields:
        """What it embeds."""
        return Fields(self.field_sizes, self.value_fields, self.emb_dim)

    def forward(
        self, ids: Int[Tensor, "batch field"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """Return the concatenated field vectors.

        Args:
            ids: ``[batch, field]``, int32 or int64, each field's from 0 to below its size.
            values: ``[batch, value]``, of the scaled numeric fields in their order; None where there are none.

        Returns:
            ``[batch, field · emb_dim]``, in the table's dtype.

        Raises:
            OptionError: there are scaled numeric fields and no values.
        """
        # One look-up for all fields: one kernel, and one weight for the optimiser.
        vectors = self.table(ids + self.offsets)
        if len(self.value_columns):
            if values is None:
                raise OptionError("values", f"given for the {len(self.value_columns)} scaled numeric fields", None)
            # A factor for every field, 1 where it has no value: a single multiplication for all of them.
            factor = torch.ones(ids.shape, dtype=vectors.dtype, device=vectors.device)
            factor = factor.index_copy(1, self.value_columns, values.to(vectors.dtype))
            vectors = vectors * factor.unsqueeze(-1)
        return vectors.flatten(1)
