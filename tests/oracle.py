"""OptFusion's formulas, written down one by one, as slowly and as plainly as possible.

Nothing here calls the model's own modules: weights are read from its ``state_dict`` by name.

``Formulas`` computes the logits of the masked model: every candidate input of every block is there, multiplied by its
gate. Search, soft and hard models are all special cases of it:

- search: gates from α, mixture from β;
- soft: the same, frozen;
- hard: one operation per block, and a product over the open inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Formulas:
    """A fusion model from its weights.

    Args:
        weights: the state dict of a `FusionSpace` (names under ``network.``).
        levels: L.
        emb_sizes: number of ids per field.
        product: "zero" or "open".
    """

    weights: Mapping[str, Tensor]
    levels: int
    field_sizes: tuple[int, ...]
    product: str = "zero"

    def w(self, name: str) -> Tensor:
        return self.weights[f"network.{name}"]

    def embed(self, ids: Tensor) -> Tensor:
        columns, offset = [], 0
        for f, size in enumerate(self.field_sizes):
            columns.append(self.w("embedding.table.weight")[ids[:, f].long() + offset])
            offset += size
        return torch.cat(columns, dim=1)

    def add(self, z: Tensor) -> Tensor:
        return z.sum(dim=0)

    def multiply(self, z: Tensor, m: Tensor) -> Tensor:
        if self.product == "zero":
            return z.prod(dim=0)
        return self.multiply_open(z, m)

    def multiply_open(self, z: Tensor, m: Tensor) -> Tensor:
        is_open = m.detach() > 0
        if not is_open.any():
            return torch.zeros_like(z[0])
        # z = m x; where m = 1 the factor is x m, where m = 0 it is 1 (+ m x - m, for the straight-through gradient)
        return (z + (1 - m)[:, None, None]).prod(dim=0)

    def multiply_residually(self, z: Tensor) -> Tensor:
        return (1 + z).prod(dim=0) - 1

    def concat(self, block: str, z: Tensor) -> Tensor:
        side_by_side = torch.cat([z[j] for j in range(len(z))], dim=1)
        prefix = f"nodes.{block}.operations.concat.linear"
        return side_by_side @ self.w(f"{prefix}.weight").T + self.w(f"{prefix}.bias")

    def attention(self, block: str, z: Tensor) -> Tensor:
        prefix = f"nodes.{block}.operations.attention"
        total = torch.zeros_like(z[0])
        for j in range(len(z)):
            hidden = z[j] @ self.w(f"{prefix}.hidden_weight")[j].T + self.w(f"{prefix}.hidden_bias")[j]
            scores = hidden.clamp(min=0) @ self.w(f"{prefix}.score_weight")[j].T
            exponentials = torch.exp(scores - scores.amax(dim=1, keepdim=True))
            total = total + exponentials / exponentials.sum(dim=1, keepdim=True) * z[j]
        return total

    def bilinear(self, block: str, z: Tensor) -> Tensor:
        prefix = f"nodes.{block}.operations.bilinear"
        scale, maps = self.w(f"{prefix}.scale"), self.weights.get(f"network.{prefix}.weight")
        total = sum((scale[j] * z[j] for j in range(len(z))), torch.zeros_like(z[0]))
        for j in range(1, len(z)):
            assert maps is not None
            # Heads side by side on the diagonal of one matrix, and every pair of inputs by itself.
            matrix = torch.block_diag(*maps[j - 1])
            for i in range(j):
                total = total + z[i] * (z[j] @ matrix.T)
        return total

    def cross(self, block: str, f: Tensor, e: Tensor) -> Tensor:
        scalar = f @ self.w(f"blocks.{block}.weight.weight")[0]
        return scalar[:, None] * e + self.w(f"blocks.{block}.bias") + f

    def deep(self, block: str, f: Tensor) -> Tensor:
        linear = f @ self.w(f"blocks.{block}.linear.weight").T + self.w(f"blocks.{block}.linear.bias")
        return linear.clamp(min=0)

    def fuse(self, block: str, x: list[Tensor], m: Tensor, mixture: Mapping[str, Tensor]) -> Tensor:
        z = torch.stack([m[j] * x[j] for j in range(len(x))])
        fused = {
            "add": lambda: self.add(z),
            "product": lambda: self.multiply(z, m),
            "product_of_open": lambda: self.multiply_open(z, m),
            "residual-product": lambda: self.multiply_residually(z),
            "concat": lambda: self.concat(block, z),
            "attention": lambda: self.attention(block, z),
            "bilinear": lambda: self.bilinear(block, z),
        }
        return sum((mixture[name] * fused[name]() for name in mixture), torch.zeros_like(x[0]))

    def logits(self, ids: Tensor, gates: Mapping[str, Tensor], mixtures: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
        """Logits, with a gate per candidate input and a mixture of operations per fused block."""
        e = self.embed(ids)
        cross0 = self.cross("cross0", gates["cross0"][0] * e, e)
        outputs = [e, cross0]
        for level in range(1, self.levels + 1):
            below = list(outputs)
            for kind in ("cross", "deep"):
                block = f"{kind}{level}"
                f = self.fuse(block, below, gates[block], mixtures[block])
                outputs.append(self.cross(block, f, e) if kind == "cross" else self.deep(block, f))
        f = self.fuse("output", outputs, gates["output"], mixtures["output"])
        return f @ self.w("head.weight")[0] + self.w("head.bias")[0]
