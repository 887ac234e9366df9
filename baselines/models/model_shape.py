"""`ModelShape`: what every hand-made model is built from."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion.errors import OptionError
from nas_fusion.nn import FieldEmbedding, Fields


@dataclass(frozen=True)
class ModelShape:
    """The fields of the data and the sizes that all models share.

    Args:
        fields: of the data, and the width of their vectors.
        hidden: widths of the dense tower's layers; EDCN, whose layers all have the embeddings' width, has none.
        batch_norm: batch norm before every ReLU of the tower.
        dropout: probability of dropping a feature of the tower while training (`ByteDropout`).

    Raises:
        OptionError: a value is out of its range.
    """

    fields: Fields
    hidden: tuple[int, ...] = (400, 400, 400)
    batch_norm: bool = True
    dropout: float = 0.2

    def __post_init__(self) -> None:
        # JSON brings lists; a frozen value that is hashed needs tuples.
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if any(width < 1 for width in self.hidden):
            raise OptionError("hidden", "positive integers", self.hidden)
        if not 0.0 <= self.dropout < 1.0:
            raise OptionError("dropout", "from 0 to below 1", self.dropout)

    @property
    def emb_dim(self) -> int:
        """Width of a field's vector."""
        return self.fields.emb_dim

    @property
    def vectors(self) -> int:
        """Number of field vectors."""
        return self.fields.vectors

    @property
    def width(self) -> int:
        """Number of features of all field vectors together."""
        return self.fields.width

    @property
    def pairs(self) -> int:
        """Number of pairs of different field vectors."""
        return self.vectors * (self.vectors - 1) // 2

    def make_embedding(self) -> FieldEmbedding:
        """New vectors of all fields."""
        return FieldEmbedding.of(self.fields)
