"""The fusion node in OptFusion's supernet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.errors import OptionError
from nas_fusion.nn import Product, ProductRule
from nas_fusion.nn.blocks import Features
from nas_fusion.optfusion.gates import binary_gate
from nas_fusion.search_spaces import FusionNode, SupernetNode, gated

Searched = Literal["both", "connections", "operations"]
MixtureStart = Literal["xavier", "uniform"]


@dataclass(frozen=True)
class SupernetOptions:
    """How the supernet starts, and which part of the design it learns.

    Args:
        gate_start: initial α of every gate (published: 0.5).
        search: ``"both"``; or the ablations ``"connections"`` (every block merges by `operation`, the only one that is
            computed) and ``"operations"`` (every connection stays open).
        operation: the operation of the ablation "connections".
        product: what a product does with a closed input (`nas_fusion.nn.Product`); None: as the space says.
        mixture_start: initial β: ``"xavier"`` (published: normal with standard deviation .63, so that a short search
            may end with the operations it was born with), or ``"uniform"``: all alike.
        gate_noise: standard deviation of what is added to α before it is held against 0, in training mode.

    Raises:
        OptionError: an option is out of its range.
    """

    gate_start: float = 0.5
    search: Searched = "both"
    operation: str = "add"
    product: ProductRule | None = None
    mixture_start: MixtureStart = "xavier"
    gate_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.search not in ("both", "connections", "operations"):
            raise OptionError("search", "'both', 'connections' or 'operations'", self.search)
        if not self.gate_start > 0:
            raise OptionError("gate_start", "a positive number (gates start open)", self.gate_start)
        if self.product not in (None, "zero", "open"):
            raise OptionError("product", "'zero', 'open' or None", self.product)
        if self.mixture_start not in ("xavier", "uniform"):
            raise OptionError("mixture_start", "'xavier' or 'uniform'", self.mixture_start)


class OptFusionNode(SupernetNode):
    """``Σ_o softmax(β)_o · op_o(m_1 x_1, …, m_k x_k)`` with binary gates ``m = 1[α > 0]`` (Zhang et al., WSDM 2025).

    Its own parameters are α ``[input]`` and β ``[operation]``, None where nothing is merged; the weights of the
    operations are the node's that it replaces.

    Args:
        node: the node to replace.
        memo: NNI's memo of the mutation.
        options: how to start, and what to learn.

    Raises:
        OptionError: the ablation's operation is none of the node's.
    """

    def __init__(self, node: FusionNode, memo: dict[str, Any], options: SupernetOptions) -> None:
        super().__init__(node, memo)
        # The operations are the space's own; what is set here also holds for what is derived from this supernet.
        for operation in self.operations.all().values():
            if isinstance(operation, Product) and options.product is not None:
                operation.rule = options.product
        self.gate_noise = options.gate_noise
        self.only = options.operation if options.search == "connections" else None
        # All gates start alike and open: α is the distance that a gate has to go before it closes.
        self.alpha = nn.Parameter(torch.full((len(self.sources),), options.gate_start))
        self.alpha.requires_grad_(options.search != "operations")
        self.beta: nn.Parameter | None = None
        if self.operations:
            # The published 1 x 4 matrix: its shape gives xavier's standard deviation. Drawn for every option, so that
            # whatever is drawn after it is the same.
            start = torch.empty(1, len(self.operations))
            nn.init.xavier_normal_(start)
            if options.mixture_start == "uniform":
                start.zero_()
            if options.search == "connections":
                if options.operation not in self.operations:
                    raise OptionError("operation", f"one of {', '.join(self.operations)}", options.operation)
                # A softmax of exactly 1 for the one operation and 0 for the others.
                start.fill_(-torch.inf)[0, list(self.operations).index(options.operation)] = 0.0
            self.beta = nn.Parameter(start.squeeze(0), requires_grad=options.search != "connections")

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """The gates' α and the operations' β, as far as they are learned."""
        yield from (p for p in (self.alpha, self.beta) if p is not None and p.requires_grad)

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the gated inputs by the mixture of operations, or by the only one that is not searched.

        Args:
            inputs: of every candidate connection, ``[batch, width]`` each.
            embedding: ``[batch, width]``; not looked at, every node is called alike.

        Returns:
            ``[batch, width]``.
        """
        gates = binary_gate(self._shaken_alpha())
        if self.beta is None:
            return self.mix(inputs, gates, None)
        if self.only is not None:
            # A mixture would compute the others too, and one that is not finite would pass its weight of zero.
            return self.operations[self.only](gated(inputs, gates), gates)
        return self.mix(inputs, gates, torch.softmax(self.beta, dim=0))

    def _shaken_alpha(self) -> Float[Tensor, " input"]:
        """α, with the noise of the options while training; nothing is drawn without any."""
        if not (self.training and self.gate_noise):
            return self.alpha
        return self.alpha + self.gate_noise * torch.randn_like(self.alpha)

    def connection_scores(self) -> list[float]:
        """The gates' α."""
        scores: list[float] = self.alpha.detach().tolist()
        return scores

    def mixture(self) -> dict[str, float]:
        """``softmax(β)`` by operation; empty for a block without operation."""
        if self.beta is None:
            return {}
        # In float64: these shares are written down, and a soft model rounds them to its own precision.
        return dict(zip(self.operations, torch.softmax(self.beta.detach().double(), dim=0).tolist(), strict=True))

    def choose(self) -> dict[str, Any]:
        """Open gates, and the operation with the largest β."""
        choice: dict[str, Any] = {
            m.label: int(a > 0) for m, a in zip(self.connection_choices, self.connection_scores(), strict=True)
        }
        if self.operation_choice is not None:
            mixture = self.mixture()
            choice[self.operation_choice.label] = max(mixture, key=lambda name: mixture[name])
        return choice

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        """1 or 0 for every gate, ``softmax(β)`` for the operations."""
        probabilities: dict[str, dict[Any, float]] = {
            m.label: {1: float(a > 0), 0: float(a <= 0)}
            for m, a in zip(self.connection_choices, self.connection_scores(), strict=True)
        }
        if self.operation_choice is not None:
            probabilities[self.operation_choice.label] = {**self.mixture()}
        return probabilities
