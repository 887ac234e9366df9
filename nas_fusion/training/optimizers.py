"""The weights' optimiser: Adam, with a choice for the embedding table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn

from nas_fusion.nn.embedding import FieldEmbedding
from nas_fusion.settings import TrainConfig

Loss = TypeVar("Loss")
"""What a closure returns: a number, or a tensor of one."""

ELEMENTS_AT_ONCE = 1 << 16
"""Elements of a table that `TouchedRowsAdam` steps together on a CPU: with their moments they fit into its cache."""


class TouchedRowsAdam(torch.optim.Adam):
    """Adam whose step on a table with sparse gradients costs what the rows in the batch cost, not the table.

    This is a different algorithm from dense Adam, which moves every row in every step: rows without a look-up go on
    by their momentum there, and shrink by L2. Here a row that is not looked up stays as it is, and its moments are
    those of the sequence of its own gradients, corrected for bias by its own number of steps (the idea of
    TensorFlow's LazyAdam). Where every row is looked up in every step, both are the same.

    L2 is lazy: a row that is looked up again gets the L2 gradients of all steps since its last one at once,
    ``weight_decay · w · (steps since)`` (Langford et al., JMLR 2009, for SGD).

    Parameters with dense gradients are stepped by torch's fused Adam. Memory per row of a table: its weights, two
    moments and 8 bytes; no dense gradient.

    Args:
        params: parameters or groups, as of `torch.optim.Adam`.
        lr, betas, eps, weight_decay: as of `torch.optim.Adam`.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...

    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """One step; the closure, if any, computes the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        tables = [
            (parameter, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and parameter.grad.is_sparse
        ]
        gradients = [parameter.grad for parameter, _ in tables]
        for parameter, group in tables:
            self._step_rows(parameter, group)
            parameter.grad = None  # hidden from the dense step
        super().step()
        for (parameter, _), gradient in zip(tables, gradients, strict=True):
            parameter.grad = gradient
        return loss

    @torch.no_grad()
    def _step_rows(self, table: nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[table]
        if not state:
            state["step"] = table.new_zeros(())
            # A row's two moments side by side: one access to memory instead of two.
            state["moments"] = table.new_zeros(len(table), 2 * table.shape[1])
            state["row_steps"] = table.new_zeros(len(table), 2)  # how many it took, and when the last one was
        state["step"] += 1
        rows, gradient = summed_rows(table.grad)
        kept = table, state["moments"], state["row_steps"]
        # A few rows at a time: what is read is still in the processor's cache when it is written back.
        size = max(1, ELEMENTS_AT_ONCE // table.shape[1] if table.device.type == "cpu" else len(rows))
        for some, part in zip(rows.split(size), gradient.split(size), strict=True):
            # Several times as fast as kept[some].
            new = [tensor.index_select(0, some) for tensor in kept]
            _adam_step(new[0], new[1], new[2], part, state["step"], group)
            for tensor, value in zip(kept, new, strict=True):
                tensor.index_copy_(0, some, value)


def _adam_step(
    weights: Tensor, moments: Tensor, steps: Tensor, gradient: Tensor, step: Tensor, group: dict[str, Any]
) -> None:
    """Step rows in place: weights and gradient ``[row, width]``, moments ``[row, 2 · width]``, steps ``[row, 2]``."""
    (beta1, beta2), decay = group["betas"], group["weight_decay"]
    if decay:
        gradient = torch.addcmul(gradient, weights, step - steps[:, 1:], value=decay)
    steps[:, 0] += 1
    steps[:, 1] = step
    first, second = moments.chunk(2, dim=1)
    first.lerp_(gradient, 1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    own = steps[:, :1].to(torch.float64)
    rate = (-group["lr"] / (1 - beta1**own)).to(weights.dtype)
    root = (1 - beta2**own).rsqrt().to(weights.dtype)
    weights.add_(torch.mul(first, rate).div_(second.sqrt().mul_(root).add_(group["eps"])))


def summed_rows(gradient: Tensor | None) -> tuple[Tensor, Tensor]:
    """The different rows of a sparse gradient ``[row, width]``, and the sum of each one's parts."""
    assert gradient is not None
    if gradient.is_cuda:
        gradient = gradient.coalesce()  # sorts; index_add_ adds in another order every time there
    if gradient.is_coalesced():
        return gradient.indices()[0], gradient.values()
    rows, place = torch.unique(gradient._indices()[0], return_inverse=True)
    values = gradient._values()
    return rows, values.new_zeros(len(rows), values.shape[1]).index_add_(0, place, values)


def weights_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """One Adam with a group for the embeddings and one for the rest."""
    touched_rows = config.embedding_optimizer == "touched-rows-adam"
    for module in model.modules():
        if isinstance(module, FieldEmbedding):
            module.table.sparse = touched_rows
    groups = parameter_groups(model, config)
    return TouchedRowsAdam(groups) if touched_rows else torch.optim.Adam(groups, fused=True)


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Two groups for Adam: the tables of the `FieldEmbedding`s, and all other weights."""
    embedding = {id(m.table.weight) for m in model.modules() if isinstance(m, FieldEmbedding)}
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {
            "name": "embedding",
            "params": [p for p in parameters if id(p) in embedding],
            "lr": config.embedding_learning_rate or config.learning_rate,
            "weight_decay": config.embedding_l2,
        },
        {
            "name": "network",
            "params": [p for p in parameters if id(p) not in embedding],
            "lr": config.learning_rate,
            "weight_decay": config.network_l2,
        },
    ]


def clip_gradient(parameters: Iterable[Tensor], limit: float) -> None:
    """Scale all gradients so that their common norm is `limit` at most; sparse ones count their summed rows."""
    dense: list[Tensor] = []
    sparse: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is not None:
            (sparse if parameter.grad.is_sparse else dense).append(parameter)
    if not sparse:
        nn.utils.clip_grad_norm_(dense, limit)
        return
    for parameter in sparse:
        rows, values = summed_rows(parameter.grad)
        parameter.grad = torch.sparse_coo_tensor(
            rows[None], values, parameter.shape, is_coalesced=True, check_invariants=False
        )
    gradients = [p.grad for p in dense] + [p.grad.values() for p in sparse if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients if g is not None]))
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)  # as nn.utils.clip_grad_norm_
    for gradient in gradients:
        if gradient is not None:
            gradient.mul_(factor)
