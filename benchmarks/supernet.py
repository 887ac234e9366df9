"""A training step of the supernet: forward, backward, two optimisers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._harness import Options, Row, compare_times
from benchmarks.plain import plain_supernet
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import FusionSpace

FIELDS, FEATURES_PER_FIELD = 10, 500
AIMS = {(0.0, "32"): 1.4, (0.3, "32"): 2.0, (0.5, "32"): 2.6, (0.3, "bf16"): 4.0}


def run(options: Options) -> Iterator[Row]:
    """Widths 100 and 160, three levels, batch 4096; all gates open, 30 % and 50 % closed."""
    batch, widths = (256, [20]) if options.quick else (4096, [100, 160])
    precisions = ["32", "bf16"] if has_fast_bfloat16(options.device) else ["32"]
    for width in widths:
        for precision in precisions:
            for closed in (0.0, 0.3, 0.5):
                space = supernet(width, closed)
                plain = plain_supernet(space).to(options.device)
                ours = space.to(options.device)
                ids, labels = random_batch(batch, options.device)
                case = f"width {width}, {closed:.0%} closed, {'float32' if precision == '32' else 'bfloat16'}"
                yield compare_times(
                    case,
                    # Plain is always float32: what one has before one looks for speed.
                    training_step(plain, ids, labels, fused=False),
                    training_step(ours, ids, labels, fused=True, precision=precision),
                    options,
                    aim=AIMS.get((closed, precision)) if options.device == "cpu" else None,
                )


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


def training_step(
    model: nn.Module, ids: Tensor, labels: Tensor, *, fused: bool, precision: str = "32"
) -> Callable[[], None]:
    """One joint step of the weights (Adam) and, where the model has them, of gates and mixtures (Adam, apart)."""
    named = dict(model.named_parameters())
    architecture = [p for name, p in named.items() if name.endswith((".alpha", ".beta"))]
    # A rate of zero, so that gates stay where the case wants them; the work is the same.
    optimisers: list[Any] = [torch.optim.Adam([p for p in named.values() if not _is_in(p, architecture)], fused=fused)]
    if architecture:
        optimisers.append(torch.optim.Adam(architecture, lr=0.0, fused=fused))

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
