"""OptFusion as its authors wrote it, in torch alone: the peer of our supernets and hard models.

After the published implementation of Zhang et al., WSDM 2025: every candidate input of a block is multiplied by its
gate, an addition and a product stack the inputs, a concat is one linear map of all of them, an attention has a small
network for each, and a search weighs what the four give by a softmax. A hard model keeps every block and every input,
closed ones as zeros; its product looks at the data to see which those are.

Left as published, but for what does not change the work: any number of levels, any device, no printing. One optimiser
is given to both sides of a comparison, so that the ratio is that of the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_fusion.design import OPERATIONS, OUTPUT, FusionDesign, candidate_sources, fused_blocks


class StraightThrough(torch.autograd.Function):
    """``1[α > 0]`` with the identity's gradient."""

    @staticmethod
    def forward(ctx: object, alpha: Tensor) -> Tensor:
        """The gates."""
        return (alpha > 0).to(alpha.dtype)

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> Tensor:
        """Straight through."""
        return grads[0]


class ConcatPooling(nn.Module):
    """One linear map of all inputs side by side.

    Args:
        inputs: how many.
        width: of each, and of the result.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs * width, width)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Merge inputs ``[batch, width]`` to one."""
        return self.linear(torch.cat(list(inputs), dim=-1))


class AttentionPooling(nn.Module):
    """The sum of the inputs, each weighed feature by feature by a network of its own.

    Args:
        inputs: how many.
        width: of each, and of the result.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width, bias=False), nn.Softmax(dim=-1))
            for _ in range(inputs)
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Merge inputs ``[batch, width]`` to one."""
        return sum(
            (attention(z) * z for attention, z in zip(self.attentions, inputs, strict=True)),
            torch.zeros((), device=inputs[0].device),
        )


class PublishedFusion(nn.Module):
    """How one block merges its inputs.

    Args:
        inputs: number of candidate inputs.
        width: of each.
        operation: the one of a hard model; None for a supernet's mixture of all.
    """

    def __init__(self, inputs: int, width: int, operation: str | None) -> None:
        super().__init__()
        self.operation = operation
        self.beta = nn.Parameter(torch.empty(1, len(OPERATIONS))) if operation is None else None
        self.concat = ConcatPooling(inputs, width) if operation in (None, "concat") else None
        self.attention = AttentionPooling(inputs, width) if operation in (None, "attention") else None

    def forward(self, z: Sequence[Tensor]) -> Tensor:
        """Merge the gated inputs, ``[batch, width]`` each."""
        if self.operation == "product":
            given = [x for x in z if torch.sum(torch.abs(x)) != 0]
            return torch.prod(torch.stack(given), dim=0) if given else torch.zeros_like(z[0])
        if self.operation == "add":
            return torch.sum(torch.stack(list(z)), dim=0)
        if self.beta is None:
            only = self.concat or self.attention
            assert only is not None
            return only(z)
        assert self.concat is not None
        assert self.attention is not None
        results = (
            torch.sum(torch.stack(list(z)), dim=0),
            torch.prod(torch.stack(list(z)), dim=0),
            self.concat(z),
            self.attention(z),
        )
        weights = torch.softmax(self.beta, dim=1)
        first, *others = (weights[:, number].unsqueeze(1).mul(result) for number, result in enumerate(results))
        return sum(others, first)


class PublishedCross(nn.Module):
    """``(w · f) e + b + f``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, fused: Tensor, embedding: Tensor) -> Tensor:
        """Cross the fused input with the embedding, both ``[batch, width]``."""
        return self.weight(fused) * embedding + self.bias + fused


class PublishedModel(nn.Module):
    """A supernet, or a hard model.

    Args:
        field_sizes: number of ids of each field.
        emb_dim: width of a field's vector.
        levels: L.
        design: of a hard model; None for a supernet.
    """

    offsets: Tensor
    frozen: Tensor | None

    def __init__(self, field_sizes: Sequence[int], emb_dim: int, levels: int, design: FusionDesign | None) -> None:
        super().__init__()
        width = len(field_sizes) * emb_dim
        sizes = torch.tensor(field_sizes)
        self.register_buffer("offsets", sizes.cumsum(0) - sizes)
        self.embedding = nn.Embedding(int(sizes.sum()), emb_dim)
        self.levels = levels
        # A row of gates for every block that has inputs, a column for every block that may be one.
        self.rows = {block: row for row, block in enumerate(("cross0", *fused_blocks(levels)))}
        shape = len(self.rows), len(candidate_sources(OUTPUT, levels))
        self.alpha = nn.Parameter(torch.full(shape, 0.5)) if design is None else None
        self.register_buffer("frozen", None if design is None else self._gates_of(design, torch.zeros(shape)))
        self.fusions = nn.ModuleDict(
            {
                block: PublishedFusion(
                    len(candidate_sources(block, levels)), width, None if design is None else design.operation(block)
                )
                for block in fused_blocks(levels)
            }
        )
        self.crosses = nn.ModuleList(PublishedCross(width) for _ in range(levels + 1))
        self.denses = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(levels))
        self.fc = nn.Linear(width, 1)

    def _gates_of(self, design: FusionDesign, gates: Tensor) -> Tensor:
        for block, row in self.rows.items():
            for column, source in enumerate(candidate_sources(block, self.levels)):
                gates[row, column] = float(source in design.sources(block))
        return gates

    def forward(self, ids: Tensor) -> Tensor:
        """Logits ``[batch]`` of ids ``[batch, field]``."""
        embedding = self.embedding(ids + self.offsets).flatten(1)
        gates = StraightThrough.apply(self.alpha) if self.frozen is None else self.frozen  # type: ignore[no-untyped-call]
        outputs = [embedding, self.crosses[0](embedding * gates[0, 0], embedding)]
        for level in range(1, self.levels + 1):
            below = list(outputs)
            outputs.append(self.crosses[level](self._fused(f"cross{level}", below, gates), embedding))
            outputs.append(self.denses[level - 1](self._fused(f"deep{level}", below, gates)))
        logits: Tensor = self.fc(self._fused(OUTPUT, outputs, gates))
        return logits.squeeze(1)

    def _fused(self, block: str, inputs: Sequence[Tensor], gates: Tensor) -> Tensor:
        row = self.rows[block]
        fused: Tensor = self.fusions[block]([x * gates[row, column] for column, x in enumerate(inputs)])
        return fused

    @torch.no_grad()
    def take_weights(self, weights: Mapping[str, Tensor]) -> PublishedModel:
        """The weights, and a supernet's gates and mixtures, of a `FusionSpace` of the same fields and levels.

        Args:
            weights: its ``state_dict``.

        Returns:
            This model.
        """
        given = {name.removeprefix("network."): value for name, value in weights.items()}
        taken = {"embedding.weight": given["embedding.table.weight"], "offsets": self.offsets}
        taken |= {f"fc.{name}": given[f"head.{name}"] for name in ("weight", "bias")}
        for level, cross in enumerate(self.crosses):
            taken |= {f"crosses.{level}.{n}": given[f"blocks.cross{level}.{n}"] for n, _ in cross.named_parameters()}
        for level in range(1, self.levels + 1):
            for name in ("weight", "bias"):
                taken[f"denses.{level - 1}.0.{name}"] = given[f"blocks.deep{level}.linear.{name}"]
        for block, fusion in self.fusions.items():
            taken |= {f"fusions.{block}.{n}": _weight(given, f"nodes.{block}", n) for n in fusion.state_dict()}
        if self.alpha is None:
            assert self.frozen is not None
            taken["frozen"] = self.frozen
        else:
            taken["alpha"] = self.alpha.clone()
            for block, row in self.rows.items():
                alpha = given[f"nodes.{block}.alpha"]
                taken["alpha"][row, : len(alpha)] = alpha
        self.load_state_dict(taken)
        return self


def _weight(given: Mapping[str, Tensor], node: str, name: str) -> Tensor:
    """Of a fusion's weights the one called `name` here, from a node's."""
    if name == "beta":
        return given[f"{node}.beta"].unsqueeze(0)
    kind, *rest = name.split(".")
    if kind == "concat":
        return given[f"{node}.operations.{name}"]
    # attention.attentions.<input>.<0: first map, 2: second map>.<weight or bias>
    _, number, layer, what = rest
    stacked = f"hidden_{what}" if layer == "0" else "score_weight"
    return given[f"{node}.operations.attention.{stacked}"][int(number)]
