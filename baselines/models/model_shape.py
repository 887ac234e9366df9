"""`ModelShape`: what every hand-made model is built from."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion.errors import OptionError
from nas_fusion.nn import FieldEmbedding
from nas_fusion.settings import DEFAULT_EMB_DIM


@dataclass(frozen=True)
class ModelShape:
    """The fields of the data and the sizes that all models share.

    Args:
        field_sizes: number of ids of each field (`Schema.field_sizes`).
        value_fields: indices of the scaled numeric fields (`Schema.value_fields`).
        emb_dim: width of a field's vector.
        hidden: widths of the dense tower's layers; EDCN, whose layers all have the embeddings' width, has none.
        batch_norm: batch norm before every ReLU of the tower.
        dropout: probability of dropping a feature of the tower while training.

    Raises:
        OptionError: a value is out of its range.
    """

    field_sizes: tuple[int, ...]
    value_fields: tuple[int, ...] = ()
    emb_dim: int = DEFAULT_EMB_DIM
    hidden: tuple[int, ...] = (400, 400, 400)
    batch_norm: bool = True
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for name in ("field_sizes", "value_fields", "hidden"):
            # JSON brings lists; a frozen value that is hashed needs tuples.
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if any(width < 1 for width in self.hidden):
            raise OptionError("hidden", "positive integers", self.hidden)
        if not 0.0 <= self.dropout < 1.0:
            raise OptionError("dropout", "from 0 to below 1", self.dropout)

    @property
    def fields(self) -> int:
        """Number of fields."""
        return len(self.field_sizes)

    @property
    def width(self) -> int:
        """Number of features of all field vectors together."""
        return self.fields * self.emb_dim

    @property
    def pairs(self) -> int:
        """Number of pairs of different fields."""
        return self.fields * (self.fields - 1) // 2

    def make_embedding(self) -> FieldEmbedding:
        """New vectors of all fields."""
        return FieldEmbedding(self.field_sizes, self.emb_dim, self.value_fields)
