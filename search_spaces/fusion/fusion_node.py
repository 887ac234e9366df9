"""The fusion node: one block's choices as NNI mutables, with the weights of every operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.design import OPERATION_KEY, OUTPUT, Connection, FusionDesign, connection_label, operation_label
from nas_fusion.measures import Limits
from nas_fusion.nn.blocks import Features
from nas_fusion.nn.derived_nodes import HardFusion, SoftFusion
from nas_fusion.nn.mixture import covered_places, gated, mixture_of
from nas_fusion.nn.operations import FusionOperation, OperationDict
from nas_fusion.nni_bridge import (
    BaseSuperNetModule,
    LearnsArchitecture,
    MutableModule,
    ensure_frozen,
    label_scope,
    nni,
)
from nas_fusion.search_spaces.fusion.design_repair import Scores, make_affordable, make_legal
from nas_fusion.search_spaces.fusion.supernet_peers import SupernetPeers
from nas_fusion.search_spaces.fusion.variant_block import SupernetBlock


class FusionNode(MutableModule):
    """How one block merges its candidate inputs: a binary choice per connection and a choice of operation.

    Labels are ``<block>/<source>`` and ``<block>/operation``. Choices are listed with "open" first, so that NNI's
    dry run, which takes the first of everything, sees a legal design.

    Args:
        block: name of the block.
        sources: its candidate inputs, in the order of the computation.
        operations: by name, each made for all candidate inputs; empty for ``cross0``, which has a gate but merges
            nothing.
    """

    def __init__(self, block: str, sources: Sequence[str], operations: Mapping[str, FusionOperation]) -> None:
        super().__init__()
        self.block, self.sources = block, tuple(sources)
        self.limits: Limits | None = None
        self.operations = OperationDict(operations)
        # NNI joins scopes and names by a slash: ``deep1/cross0``.
        with label_scope(block):
            self.connection_choices = [nni.choice(source, [1, 0]) for source in sources]
            self.operation_choice = nni.choice(OPERATION_KEY, list(operations)) if operations else None
        for mutable in self.own_mutables():
            self.add_mutable(mutable)

    def own_mutables(self) -> list[Any]:
        """The choices of this block: its connections, and its operation where it has one."""
        return self.connection_choices + ([self.operation_choice] if self.operation_choice is not None else [])

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the inputs, ``[batch, width]`` each, as NNI's dry run does: everything open, the first operation."""
        if self.operation_choice is None:
            return inputs[0]
        return self.operations[ensure_frozen(self.operation_choice, strict=False)](inputs)

    def freeze(self, sample: Mapping[str, Any]) -> nn.Module:
        """The node fixed to a sample, for all candidate inputs that are open in it, with a copy of the weights."""
        self.validate(sample)
        kept = [j for j, s in enumerate(self.sources) if sample[connection_label(s, self.block)]]
        operation = sample[operation_label(self.block)] if self.operation_choice is not None else None
        return self.derive_hard(kept, operation)

    def derive_hard(self, kept: Sequence[int], operation: str | None) -> nn.Module:
        """Fix one operation on the inputs with the indices `kept`, with a copy of its weights."""
        return HardFusion.of(None if operation is None else self.operations[operation], kept)

    def derive_soft(self, kept: Sequence[int], probabilities: Mapping[str, float]) -> nn.Module:
        """Fix the mixture of all operations on the inputs `kept`, with a copy of their weights; see `SoftFusion.of`."""
        all_open = len(kept) == len(self.sources)
        return SoftFusion.of(self.operations.all(), kept, probabilities, all_open=all_open)


class SupernetNode(BaseSuperNetModule):
    """What a fusion node becomes in a supernet; each one-shot strategy has its own subclass.

    It keeps the node's mutables and weights, so that the space can still be simplified and frozen. The nodes of one
    supernet know each other: the output's `export`, which NNI calls last, mends a design that is not legal, and makes
    one affordable that is above the space's limits.

    Args:
        node: the node to replace.
        memo: NNI's memo of the mutation; holds the list of nodes of this supernet.
    """

    def __init__(self, node: FusionNode, memo: dict[str, Any]) -> None:
        super().__init__()
        self.block, self.sources, self.limits = node.block, node.sources, node.limits
        self.operations: OperationDict = node.operations
        self.connection_choices, self.operation_choice = node.connection_choices, node.operation_choice
        for mutable in self.own_mutables():
            self.add_mutable(mutable)
        # Once, not at every step: which of these operations the fast ways know.
        self._covered = covered_places(list(self.operations.all().values()))
        self._peers = SupernetPeers.of(memo)
        self._peers.nodes.append(self)

    own_mutables = FusionNode.own_mutables
    freeze = FusionNode.freeze
    derive_hard = FusionNode.derive_hard
    derive_soft = FusionNode.derive_soft

    def connection_scores(self) -> list[float]:
        """How much each candidate connection should be open; larger is more."""
        raise NotImplementedError

    def operation_scores(self) -> dict[str, float]:
        """How good each operation is, from 0 to 1: its probability, where the strategy has any."""
        if self.operation_choice is None or not isinstance(self, LearnsArchitecture):
            return {}
        return dict(self.export_probs({})[self.operation_choice.label])

    def choose(self) -> dict[str, Any]:
        """The best value of each of this node's choices, by label."""
        raise NotImplementedError

    def mix(
        self, inputs: Sequence[Features], gates: Float[Tensor, " input"], weights: Float[Tensor, " operation"] | None
    ) -> Features:
        """``Σ_o w_o · op_o(m_1 x_1, …, m_k x_k)``; ``m_1 x_1`` where there is no operation.

        Args:
            inputs: ``x_j`` of every candidate input, ``[batch, width]`` each.
            gates: ``m_j``, ``[input]``.
            weights: ``w_o``, ``[operation]``, in the order of `operations`; None for a block that merges nothing.

        Returns:
            ``[batch, width]``.
        """
        if weights is None:
            return gated(inputs, gates)[0]
        return mixture_of(inputs, gates, weights, list(self.operations.all().values()), self._covered)

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Nothing to sample."""
        return {}

    def export(self, memo: dict[str, Any]) -> dict[str, Any]:
        """This node's choices; the output's, which comes last, makes the whole design legal and affordable."""
        own = self.choose()
        if self.block != OUTPUT:
            return own
        # NNI asks the nodes before the blocks, and what a design costs depends on what stands in its places.
        for block in self._peers.blocks:
            own |= block.choose()
        # `memo` has what the other nodes chose; only the whole says whether it is legal.
        design = FusionDesign.from_sample({**memo, **own})
        scores = scores_of([*self._peers.nodes, *self._peers.blocks])
        legal = make_legal(design, scores.connections)
        return (legal if self.limits is None else make_affordable(legal, scores, self.limits)).to_sample()


def scores_of(modules: Iterable[nn.Module]) -> Scores:
    """What the nodes, and the blocks with variants, of one supernet think of every choice."""
    modules = list(modules)
    nodes = [module for module in modules if isinstance(module, SupernetNode)]
    connections: dict[Connection, float] = {}
    for node in nodes:
        scores = node.connection_scores()
        connections.update(((source, node.block), s) for source, s in zip(node.sources, scores, strict=True))
    return Scores(
        connections,
        {node.block: node.operation_scores() for node in nodes if node.operations},
        {block.block: block.variant_scores() for block in modules if isinstance(block, SupernetBlock)},
    )
