"""The fused input of one block in a derived model, where connections and operations no longer change.

Every node is called with the block's *open* inputs, in the order of the computation, and with the embedding, whose
shape tells a node without inputs what to return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.nn.blocks import Features
from nas_fusion.nn.kernels import has_own_way
from nas_fusion.nn.mixture import covered_places, fast_mixture, mixture_of
from nas_fusion.nn.operations import Concat, FusionOperation, OperationDict, Product, Zero


class PassThrough(nn.Module):
    """The node of ``cross0``: its single input, or zero where the connection is closed."""

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Return the only input, ``[batch, width]``."""
        return inputs[0] if inputs else torch.zeros_like(embedding)


class NoInput(nn.Module):
    """The node of a block that has no open input and whose operation then gives zero."""

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Return zeros of the shape of the embedding, ``[batch, width]``."""
        return torch.zeros_like(embedding)


class HardFusion(nn.Module):
    """One operation on the open inputs.

    Args:
        operation: made for exactly the open inputs.
    """

    @staticmethod
    def of(operation: FusionOperation | None, kept: Sequence[int]) -> nn.Module:
        """The node of a block of a derived model.

        Args:
            operation: for all candidate inputs; None for a block that has a gate and merges nothing.
            kept: indices of the open ones.
        """
        if operation is None:
            return PassThrough() if kept else NoInput()
        left = operation.keep(kept)
        return NoInput() if isinstance(left, Zero) else HardFusion(left)

    def __init__(self, operation: FusionOperation) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the open inputs, ``[batch, width]`` each, to one of the same shape."""
        return self.operation(inputs) if inputs else self.operation.constant(embedding)

    def can_map(self, inputs: Sequence[Features]) -> bool:
        """Whether `mapped` may know a shorter way for these inputs."""
        return bool(inputs) and isinstance(self.operation, Concat) and has_own_way(inputs[0])

    def mapped(
        self, inputs: Sequence[Features], embedding: Features, linear: nn.Linear
    ) -> Float[Tensor, "batch mapped"]:
        """``linear(self(inputs, embedding))``, by less work where the operation knows a way."""
        if inputs and isinstance(self.operation, Concat):
            return self.operation.mapped(inputs, linear)
        return linear(self(inputs, embedding))


class SoftFusion(nn.Module):
    """The frozen mixture ``Σ_o p_o · op_o(z)`` that a search ended with, on the open inputs.

    Args:
        operations: by name; one that is known to be zero may be left out.
        probabilities: ``softmax(β)``, ``[operation]``: one for each of `operations`, in their order.
    """

    probabilities: Tensor

    @staticmethod
    def of(
        operations: Mapping[str, FusionOperation],
        kept: Sequence[int],
        probabilities: Mapping[str, float],
        *,
        all_open: bool,
    ) -> nn.Module:
        """The node of a block of a soft model.

        What is zero is left out: a product of the rule "zero" with a closed input, an operation whose probability is
        zero in the weights' precision, and, without any open input, all but those with a constant.

        Args:
            operations: by name, for all candidate inputs; none for a block that has a gate and merges nothing.
            kept: indices of the open ones.
            probabilities: ``softmax(β)`` by name.
            all_open: whether no candidate input is closed.
        """
        if not operations:
            return HardFusion.of(None, kept)
        # Weights by their precision: a probability that rounds to zero would be computed for nothing.
        like = next((p for operation in operations.values() for p in operation.parameters()), torch.empty(0))
        weights = {name: torch.tensor(probabilities[name], dtype=torch.float64).to(like.dtype) for name in operations}
        left = {
            name: operation.keep(kept)
            for name, operation in operations.items()
            # A published product with a closed input is zero in every row.
            if weights[name] != 0 and (all_open or not (isinstance(operation, Product) and operation.rule == "zero"))
        }
        left = {name: operation for name, operation in left.items() if not isinstance(operation, Zero)}
        return SoftFusion(left, torch.stack([weights[name] for name in left])) if left else NoInput()

    def __init__(self, operations: Mapping[str, FusionOperation], probabilities: Float[Tensor, " operation"]) -> None:
        super().__init__()
        self.operations = OperationDict(operations)
        self._covered = covered_places(list(operations.values()))
        # A buffer: it is saved and moves with the model, and no optimiser sees it.
        self.register_buffer("probabilities", probabilities.detach().clone())

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Mix what the operations give for the open inputs, ``[batch, width]`` each, to one of the same shape."""
        if self._covered and inputs and fast_mixture(embedding.device.type) is not None:
            # Whatever a derived node is called with is open.
            gates = self.probabilities.new_ones(len(inputs))
            operations = list(self.operations.all().values())
            return mixture_of(inputs, gates, self.probabilities, operations, self._covered)
        mixed = torch.zeros_like(embedding)
        for probability, operation in zip(self.probabilities.unbind(), self.operations.all().values(), strict=True):
            fused = operation(inputs) if inputs else operation.constant(embedding)
            mixed = torch.addcmul(mixed, probability, fused)
        return mixed
