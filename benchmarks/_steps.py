"""Training steps: models, batches, and forward, backward and optimisers as one call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import FusionSpace

FIELDS, FEATURES_PER_FIELD = 10, 500


def has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 matrix products have instructions of their own."""
    if device != "cpu":
        return True
    return bool(torch.backends.cpu.get_cpu_capability() and torch.cpu._is_avx512_bf16_supported())


def supernet(width: int, closed: float, levels: int = 3) -> FusionSpace:
    """A supernet with a share of its gates closed, the same ones every time."""
    torch.manual_seed(width)
    space = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=levels, emb_dim=width // FIELDS)
    OptFusion().mutate_model(space)
    nodes = [m for m in space.modules() if isinstance(m, OptFusionNode)]
    generator = torch.Generator().manual_seed(1)
    for node in nodes:
        if len(node.alpha) > 1:
            count = round(closed * len(node.alpha))
            node.alpha.data[torch.randperm(len(node.alpha), generator=generator)[:count]] = -1.0
    return space


def random_batch(rows: int, device: str) -> tuple[Tensor, Tensor]:
    """Ids and labels."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(FEATURES_PER_FIELD, (rows, FIELDS), generator=generator).int()
    labels = torch.randint(2, (rows,), generator=generator).float()
    return ids.to(device), labels.to(device)


def training_step(model: nn.Module, ids: Tensor, labels: Tensor, *, precision: str = "32") -> Callable[[], None]:
    """One joint step of the weights and, where the model has them, of gates and mixtures, both by fused Adam.

    Args:
        model: gives logits ``[batch]``.
        ids: ``[batch, field]``.
        labels: ``[batch]``.
        precision: "32", or "bf16" for autocast.
    """
    named = dict(model.named_parameters())
    architecture = [p for name, p in named.items() if name.rpartition(".")[2] in ("alpha", "beta")]
    # A rate of zero, so that gates stay where the case wants them; the work is the same.
    optimisers: list[Any] = [torch.optim.Adam([p for p in named.values() if not _is_in(p, architecture)], fused=True)]
    if architecture:
        optimisers.append(torch.optim.Adam(architecture, lr=0.0, fused=True))

    def step() -> None:
        context: AbstractContextManager[Any] = (
            torch.autocast(ids.device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
        )
        with context:
            logits = model(ids)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()

    return step


def _is_in(parameter: Tensor, parameters: list[nn.Parameter]) -> bool:
    return any(parameter is other for other in parameters)
