"""A penalty on what the supernet's design is expected to cost, as long as that is above a limit.

With gates ``m`` (binary, straight-through), mixtures ``w = softmax(β)`` and a table of costs (`CostTable`), a supernet
is expected to cost::

    cost(m, w) = fixed + Σ_b live_b Σ_o w_bo · cost_bo(Σ_j m_jb),
    live_output = 1,  live_b = 1 - Π_t (1 - m_bt · live_t)

where ``cost_bo(k)`` is the cost of block b merging k inputs by operation o, between whole numbers of inputs a straight
line. Forward,
the gates are 0 or 1 and the number is the cost of the design whose operations are mixed by w; backward, a gate gets
what its input costs. The loss is raised by::

    weight · Σ_limits max(0, cost / limit - 1)

a Lagrangian's term for ``cost ≤ limit`` with a fixed multiplier: at or below the limit it is nothing, so the search
goes on as if there were no limit. It does not make sure that the limit is kept; deriving does (`make_affordable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.design import OUTPUT
from nas_fusion.measures import CostTable, Limits
from nas_fusion.optfusion.gates import binary_gate
from nas_fusion.optfusion.optfusion_block import OptFusionBlock
from nas_fusion.optfusion.optfusion_node import OptFusionNode

Gates = Mapping[str, Mapping[str, Tensor]]
"""By target and source, one number each."""


class CostPenalty:
    """See this module; a call gives the penalty of the supernet as it is.

    Args:
        nodes: of one supernet.
        limits: of its space.
        weight: of the penalty.
        blocks: of the same supernet, those that have variants.
    """

    def __init__(
        self, nodes: Iterable[OptFusionNode], limits: Limits, weight: float, blocks: Iterable[OptFusionBlock] = ()
    ) -> None:
        self.nodes = {node.block: node for node in nodes}
        self.blocks = {block.block: block for block in blocks}
        self.limits, self.weight = limits, weight

    @classmethod
    def of(cls, supernet: nn.Module, weight: float) -> CostPenalty | None:
        """The penalty of a supernet; None where its space has no limits, or the penalty no weight."""
        # The limits are asked for in the nodes: at this point the supernet is wrapped, and the space is not at hand.
        nodes = [module for module in supernet.modules() if isinstance(module, OptFusionNode)]
        limits = next((node.limits for node in nodes if node.limits is not None), None)
        return cls(nodes, limits, weight, blocks_of(supernet).values()) if limits is not None and weight else None

    def __call__(self) -> Float[Tensor, ""]:
        """The penalty, one number, to be added to the loss; its gradient reaches α and β alone."""
        gates = gates_of(self.nodes)
        terms = [
            torch.relu(expected_cost(self.nodes, limit.table, gates, self.blocks) * (limit.factor / limit.most) - 1)
            for limit in self.limits.limits
        ]
        return self.weight * torch.stack(terms).sum()

    def expected_costs(self) -> dict[str, float]:
        """What the supernet is expected to cost now, by the option of the limit."""
        with torch.no_grad():
            gates = gates_of(self.nodes)
            return {
                li.option: float(expected_cost(self.nodes, li.table, gates, self.blocks)) * li.factor
                for li in self.limits.limits
            }


def gates_of(nodes: Mapping[str, OptFusionNode]) -> Gates:
    """The binary gates of a supernet, by block; their gradients reach α."""
    return {
        block: dict(zip(node.sources, binary_gate(node.alpha).unbind(), strict=True)) for block, node in nodes.items()
    }


def blocks_of(supernet: nn.Module) -> dict[str, OptFusionBlock]:
    """The blocks of a supernet that have variants, by name."""
    return {module.block: module for module in supernet.modules() if isinstance(module, OptFusionBlock)}


def expected_cost(
    nodes: Mapping[str, OptFusionNode],
    table: CostTable,
    gates: Gates,
    blocks: Mapping[str, OptFusionBlock] = MappingProxyType({}),
) -> Float[Tensor, ""]:
    """What a supernet is expected to cost; see this module.

    Args:
        nodes: of the supernet, by block.
        table: what the parts of its space cost.
        gates: its gates (`gates_of`).
        blocks: those with variants (`blocks_of`).
    """
    live = _liveness(list(nodes), gates)
    # A tensor from the start, on the gates' device; the output always lives.
    total: Tensor = live[OUTPUT] * table.fixed
    for block, node in nodes.items():
        open_inputs = torch.stack(list(gates[block].values())).sum()
        total = total + live[block] * _of_block(table, node, blocks.get(block), open_inputs)
    return total


def _of_block(table: CostTable, node: OptFusionNode, place: OptFusionBlock | None, open_inputs: Tensor) -> Tensor:
    """What a block costs by its mixture of operations, and by that of what may stand in its place."""
    if place is None:
        return _of_standing(table, node, open_inputs, None)
    costs = torch.stack([_of_standing(table, node, open_inputs, name) for name in place.variants])
    return (place.shares() * costs).sum()


def _of_standing(table: CostTable, node: OptFusionNode, open_inputs: Tensor, variant: str | None) -> Tensor:
    # cross0: a gate and nothing to merge.
    if node.beta is None:
        return _between(table.of_block(node.block, None, variant), open_inputs)
    costs = [_between(table.of_block(node.block, name, variant), open_inputs) for name in node.operations]
    return (torch.softmax(node.beta, dim=0) * torch.stack(costs)).sum()


def _liveness(blocks: Sequence[str], gates: Gates) -> dict[str, Tensor]:
    """1 for a block that reaches the output; for other gates than 0 and 1, the probability that one path is open."""
    live: dict[str, Tensor] = {}
    # From the output back: whether a block lives follows from the blocks that take it.
    for block in reversed(blocks):
        into = [inputs[block] * live[target] for target, inputs in gates.items() if block in inputs]
        if block == OUTPUT:
            live[block] = torch.ones_like(next(iter(gates[block].values())))
        else:
            # 1 less the probability that every way on is closed; for gates of 0 and 1, whether one is open.
            live[block] = 1 - torch.stack([1 - reached for reached in into]).prod()
    return live


def _between(costs: Sequence[float], inputs: Tensor) -> Tensor:
    """Cost of a number of inputs; its gradient is the mean slope to the next lower and the next higher number."""
    last = len(costs) - 1
    # Binary gates add up to a whole number: rounding only takes away what floating point added.
    k = min(max(round(inputs.item()), 0), last)
    low, high = max(k - 1, 0), min(k + 1, last)
    # Costs are known at whole numbers only. Forward the term below is zero, backward its slope is what an input costs.
    slope = (costs[high] - costs[low]) / max(high - low, 1)
    return costs[k] + slope * (inputs - k)
