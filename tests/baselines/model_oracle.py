"""The hand-made models once more, slowly and from the papers' formulas: sums are loops over fields, pairs and layers.

A model's weights are read from its ``state_dict`` by name; of the package nothing but the shapes of fields is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from nas_fusion.field_shapes import FieldShape
from tests.field_oracle import field_vectors

BATCH_NORM_EPS = 1e-5


@dataclass
class Formulas:
    """The models on one batch, in training mode without dropout."""

    weights: Mapping[str, Tensor]
    shapes: Sequence[FieldShape]
    emb_dim: int
    layers: int
    batch_norm: bool
    ids: Tensor
    values: Tensor | None

    # Parts -----------------------------------------------------------------------------------------------------

    def look_up(self, name: str, fields: Sequence[int]) -> list[Tensor]:
        """One vector ``[batch, width]`` per field, from a table of these fields alone, in this order."""
        columns = [0, *accumulate(shape.columns for shape in self.shapes)]
        value_columns = [0, *accumulate(int(shape.form.has_value) for shape in self.shapes)]
        ids = torch.cat([self.ids[:, columns[f] : columns[f + 1]] for f in fields], dim=1)
        values = self.values
        if values is not None:
            values = torch.cat([values[:, value_columns[f] : value_columns[f + 1]] for f in fields], dim=1)
        return field_vectors(self.weights[f"{name}.table.weight"], [self.shapes[f] for f in fields], ids, values)

    def vectors(self) -> list[Tensor]:
        return self.look_up("embedding", range(len(self.shapes)))

    def first_order(self) -> Tensor:
        total = torch.zeros(len(self.ids), dtype=torch.float64)
        for weight in self.look_up("linear.weights", range(len(self.shapes))):
            total = total + weight[:, 0]
        return total

    def linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        columns = []
        for o in range(len(weight)):
            out = sum((weight[o, i] * x[:, i] for i in range(x.shape[1])), torch.zeros(len(x), dtype=torch.float64))
            columns.append(out if bias is None else out + bias[o])
        return torch.stack(columns, dim=1)

    def normalise(self, x: Tensor, name: str) -> Tensor:
        mean = x.sum(0) / len(x)
        variance = ((x - mean) ** 2).sum(0) / len(x)
        scaled = (x - mean) / torch.sqrt(variance + BATCH_NORM_EPS)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def tower(self, x: Tensor, name: str, layers: int | None = None) -> Tensor:
        place = 0
        for _ in range(self.layers if layers is None else layers):
            x = self.linear(x, f"{name}.{place}")
            if self.batch_norm:
                x = self.normalise(x, f"{name}.{place + 1}")
            x = relu(x)
            place += 3 if self.batch_norm else 2
        return x

    def deep(self, x: Tensor) -> Tensor:
        return self.linear(self.tower(x, "deep.tower"), "deep.head")[:, 0]

    def cross(self, x: Tensor, e: Tensor, name: str) -> Tensor:
        """DCN: ``(w · x) e_d + b_d + x_d``."""
        weight, bias = self.weights[f"{name}.weight.weight"][0], self.weights[f"{name}.bias"]
        columns = []
        for d in range(e.shape[1]):
            product = sum((weight[i] * x[:, i] for i in range(x.shape[1])), torch.zeros(len(x), dtype=torch.float64))
            columns.append(product * e[:, d] + bias[d] + x[:, d])
        return torch.stack(columns, dim=1)

    def matrix_cross(self, x: Tensor, e: Tensor, name: str) -> Tensor:
        """DCNv2: ``(Σ_i W_di x_i + b_d) e_d + x_d`` with W full or ``U V``."""
        if f"{name}.linear.weight" in self.weights:
            weight, bias = self.weights[f"{name}.linear.weight"], self.weights[f"{name}.linear.bias"]
        else:
            up, down = self.weights[f"{name}.up.weight"], self.weights[f"{name}.down.weight"]
            weight = torch.zeros(len(up), down.shape[1], dtype=torch.float64)
            for r in range(len(down)):
                weight = weight + up[:, r, None] * down[r, None, :]
            bias = self.weights[f"{name}.up.bias"]
        columns = []
        for d in range(e.shape[1]):
            mapped = sum((weight[d, i] * x[:, i] for i in range(x.shape[1])), bias[d].expand(len(x)))
            columns.append(mapped * e[:, d] + x[:, d])
        return torch.stack(columns, dim=1)

    # Models ----------------------------------------------------------------------------------------------------

    def fnn(self) -> Tensor:
        return self.deep(torch.cat(self.vectors(), dim=1))

    def wide_deep(self) -> Tensor:
        return self.first_order() + self.fnn()

    def deepfm(self) -> Tensor:
        vectors = self.vectors()
        pairs = torch.zeros(len(self.ids), dtype=torch.float64)
        for i in range(len(vectors)):
            for j in range(i + 1, len(vectors)):
                pairs = pairs + inner(vectors[i], vectors[j])
        return self.first_order() + pairs + self.fnn()

    def ipnn(self) -> Tensor:
        vectors = self.vectors()
        columns = list(vectors)
        for i in range(len(vectors)):
            columns += [inner(vectors[i], vectors[j])[:, None] for j in range(i + 1, len(vectors))]
        return self.deep(torch.cat(columns, dim=1))

    def dcn(self, crosses: int) -> Tensor:
        e = x = torch.cat(self.vectors(), dim=1)
        for k in range(crosses):
            x = self.cross(x, e, f"crosses.layers.{k}")
        return self.linear(torch.cat([x, self.tower(e, "tower")], dim=1), "head")[:, 0]

    def dcnv2_parallel(self, crosses: int) -> Tensor:
        e = x = torch.cat(self.vectors(), dim=1)
        for k in range(crosses):
            x = self.matrix_cross(x, e, f"crosses.layers.{k}")
        return self.linear(torch.cat([x, self.tower(e, "tower")], dim=1), "head")[:, 0]

    def dcnv2_stacked(self, crosses: int) -> Tensor:
        e = x = torch.cat(self.vectors(), dim=1)
        for k in range(crosses):
            x = self.matrix_cross(x, e, f"crosses.layers.{k}")
        return self.deep(x)

    def xdeepfm(self, widths: Sequence[int]) -> Tensor:
        base = self.vectors()
        layer, pooled = base, []
        for k, width in enumerate(widths):
            weight = self.weights[f"interactions.layers.{k}.weight"]
            after = []
            for h in range(width):
                total = torch.zeros_like(base[0])
                for i in range(len(layer)):
                    for j in range(len(base)):
                        total = total + weight[h, i * len(base) + j] * (layer[i] * base[j])
                after.append(total)
            layer = after
            pooled += [vector.sum(1) for vector in layer]
        interactions = self.linear(torch.stack(pooled, dim=1), "interactions_head")[:, 0]
        return self.first_order() + interactions + self.fnn()

    def edcn(self, layers: int, temperature: float, bridge: str) -> Tensor:
        shared = torch.cat(self.vectors(), dim=1)
        first: Tensor | None = None
        for k in range(layers):
            x, h = (self.regulated(shared, k, tower, temperature) for tower in (0, 1))
            first = x if first is None else first
            x, h = self.cross(x, first, f"crosses.{k}"), relu(self.linear(h, f"denses.{k}.linear"))
            shared = self.bridged(x, h, bridge, f"bridges.{k}.operation")
        return self.linear(torch.cat([x, h, shared], dim=1), "head")[:, 0]

    def regulated(self, features: Tensor, layer: int, tower: int, temperature: float) -> Tensor:
        exponentials = torch.exp(self.weights[f"regulations.{layer}.gates"][tower] / temperature)
        parts = []
        for field in range(len(self.shapes)):
            vector = features[:, field * self.emb_dim : (field + 1) * self.emb_dim]
            parts.append(vector * (exponentials[field] / exponentials.sum()))
        gated = torch.cat(parts, dim=1)
        return self.normalise(gated, f"regulations.{layer}.norms.{tower}") if self.batch_norm else gated

    def bridged(self, x: Tensor, h: Tensor, bridge: str, name: str) -> Tensor:
        if bridge == "add":
            return x + h
        if bridge == "product":
            return x * h
        if bridge == "residual-product":
            return (1 + x) * (1 + h) - 1
        if bridge == "concat":
            return relu(self.linear(torch.cat([x, h], dim=1), f"{name}.linear"))
        if bridge == "bilinear":
            scale, matrix = self.weights[f"{name}.scale"], torch.block_diag(*self.weights[f"{name}.weight"][0])
            return scale[0] * x + scale[1] * h + x * (h @ matrix.T)
        total = torch.zeros_like(x)
        for j, z in enumerate((x, h)):
            hidden = relu(z @ self.weights[f"{name}.hidden_weight"][j].T + self.weights[f"{name}.hidden_bias"][j])
            exponentials = torch.exp(hidden @ self.weights[f"{name}.score_weight"][j].T)
            total = total + exponentials / exponentials.sum(1, keepdim=True) * z
        return total

    def finalmlp(self, second_layers: int, heads: int, contexts: Sequence[Sequence[int]]) -> Tensor:
        e = torch.cat(self.vectors(), dim=1)
        x = self.tower(self.gated(e, "first_gate", contexts[0]), "first")
        y = self.tower(self.gated(e, "second_gate", contexts[1]), "second", second_layers)
        logits = self.linear(torch.cat([x, y], dim=1), "fusion.linear")[:, 0]
        weight = self.weights["fusion.weight"]
        wide, high = x.shape[1] // heads, y.shape[1] // heads
        for head in range(heads):
            for i in range(wide):
                for j in range(high):
                    logits = logits + weight[head, i, j] * x[:, head * wide + i] * y[:, head * high + j]
        return logits

    def gated(self, e: Tensor, name: str, context: Sequence[int]) -> Tensor:
        if context:
            c = torch.cat(self.look_up(f"{name}.context.embedding", context), dim=1)
        else:
            c = self.weights[f"{name}.context.vector"].expand(len(e), -1)
        scores = self.linear(relu(self.linear(c, f"{name}.hidden")), f"{name}.scores")
        return 2 / (1 + torch.exp(-scores)) * e


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def inner(a: Tensor, b: Tensor) -> Tensor:
    total = torch.zeros(len(a), dtype=a.dtype)
    for d in range(a.shape[1]):
        total = total + a[:, d] * b[:, d]
    return total
