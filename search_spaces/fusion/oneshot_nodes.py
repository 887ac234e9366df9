"""The fusion node under NNI's own one-shot strategies: relaxed (DARTS) and sampled (random one-shot)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from nas_fusion.design import connection_label, operation_label
from nas_fusion.nn.blocks import Features
from nas_fusion.search_spaces.fusion.fusion_node import FusionNode, SupernetNode


class DifferentiableNode(SupernetNode):
    """DARTS' relaxation (Liu et al., ICLR 2019) of every connection and every operation.

    A connection is multiplied by the probability that it is open, operations are mixed by their probabilities, both
    by the softmax that the strategy brings (Gumbel softmax for Gumbel-DARTS). The logits are the strategy's own.
    """

    def __init__(self, node: FusionNode, memo: dict[str, Any], softmax: nn.Module) -> None:
        super().__init__(node, memo)
        self.softmax = softmax
        # The strategy made a parameter for every label before it mutates; two nodes never share one.
        self.connection_logits = nn.ParameterList([memo[m.label] for m in self.connection_choices])
        self.operation_logits = memo[self.operation_choice.label] if self.operation_choice is not None else None

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's hook: replace a fusion node."""
        return cls(module, memo, mutate_kwargs["softmax"]) if isinstance(module, FusionNode) else None

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """The logits, connections first."""
        yield from self.connection_logits
        if self.operation_logits is not None:
            yield self.operation_logits

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the inputs, ``[batch, width]`` each, by the relaxed choices."""
        gates = self.softmax(torch.stack(list(self.connection_logits)))[:, 0]  # column 0 is "open"
        return self.mix(inputs, gates, None if self.operation_logits is None else self.softmax(self.operation_logits))

    def connection_scores(self) -> list[float]:
        """Log-odds of being open."""
        return [float(logits[0] - logits[1]) for logits in (p.detach() for p in self.connection_logits)]

    def choose(self) -> dict[str, Any]:
        """The most probable value of every choice."""
        choice = {m.label: int(s > 0) for m, s in zip(self.connection_choices, self.connection_scores(), strict=True)}
        if self.operation_choice is not None and self.operation_logits is not None:
            choice[self.operation_choice.label] = self.operation_choice.values[int(self.operation_logits.argmax())]
        return choice

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Probabilities of every choice."""
        probabilities = {
            m.label: dict(zip(m.values, torch.softmax(logits.detach(), -1).tolist(), strict=True))
            for m, logits in zip(self.connection_choices, self.connection_logits, strict=True)
        }
        if self.operation_choice is not None and self.operation_logits is not None:
            values = torch.softmax(self.operation_logits.detach(), -1).tolist()
            probabilities[self.operation_choice.label] = dict(zip(self.operation_choice.values, values, strict=True))
        return probabilities


class SampledNode(SupernetNode):
    """A single path at a time, drawn by NNI before every step (Guo et al., ECCV 2020)."""

    def __init__(self, node: FusionNode, memo: dict[str, Any]) -> None:
        super().__init__(node, memo)
        self.sample: dict[str, Any] = {m.label: m.default() for m in self.own_mutables()}

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's hook: replace a fusion node."""
        return cls(module, memo) if isinstance(module, FusionNode) else None

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Draw this node's choices (torch's generator decides, so that the run's seed does)."""
        self.sample = {}
        for mutable in self.own_mutables():
            if mutable.label in memo:
                self.sample[mutable.label] = memo[mutable.label]
            else:
                self.sample[mutable.label] = mutable.values[int(torch.randint(len(mutable.values), ()))]
        return self.sample

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the open inputs, ``[batch, width]`` each, by the sampled operation."""
        kept = [j for j, source in enumerate(self.sources) if self.sample[connection_label(source, self.block)]]
        if self.operation_choice is None:
            return inputs[0] if kept else torch.zeros_like(embedding)
        operation = self.operations[self.sample[operation_label(self.block)]]
        # A closed connection is left out, not multiplied by zero: a path costs what its model costs.
        if not kept:
            return operation.constant(embedding)
        return operation.on(inputs, kept)

    def connection_scores(self) -> list[float]:
        """1 for a connection that is open in the current sample."""
        return [float(self.sample[connection_label(source, self.block)]) for source in self.sources]

    def choose(self) -> dict[str, Any]:
        """A random design, as NNI's random one-shot exports it."""
        return self.resample({})
