"""Random derived designs against a form that keeps every block, and against the supernet they come from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._harness import Options, Row, take_turns
from benchmarks._steps import FEATURES_PER_FIELD, FIELDS, random_batch, training_step
from benchmarks.peers.open_inputs import open_hard
from nas_fusion.design import FusionDesign
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace

WIDTH, LEVELS, DESIGNS = 100, 3, 20
STEP_AIM = 1.3
"""Of a training step, against the form that merges the open inputs alone."""


def run(options: Options) -> Iterator[Row]:
    """20 random designs, training step and inference; every side trains with the same optimiser."""
    batch, count, width = (256, 3, 20) if options.quick else (4096, DESIGNS, WIDTH)
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=LEVELS, emb_dim=width // FIELDS)
    for name, parameter in space.named_parameters():
        if name.endswith(".bias"):  # a cross without input is its bias; the published product drops it while it is zero
            nn.init.normal_(parameter, std=0.1)
    rng = np.random.default_rng(0)
    designs = [space.designs.sample(rng) for _ in range(count)]
    ids, labels = random_batch(batch, options.device)
    yield from _training_steps(space, designs, ids, labels, options)
    supernet = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=LEVELS, emb_dim=width // FIELDS)
    OptFusion().mutate_model(supernet)
    ours = supernet.to(options.device)
    for rows in (batch, 1):
        times = []
        for design in designs:
            derived = space.derive(design).to(options.device)
            sides = [inference(model, ids[:rows]) for model in (ours, derived)]
            times.append(medians(take_turns(sides, max(3, options.repeats))))
        yield _geometric_mean(f"inference, batch {rows}, against our supernet", times, 5.0)


def _training_steps(
    space: FusionSpace, designs: Sequence[FusionDesign], ids: Tensor, labels: Tensor, options: Options
) -> Iterator[Row]:
    times = []
    for design in designs:
        models = [open_hard(space, design).to(ids.device), space.derive(design).to(ids.device)]
        with torch.inference_mode():
            torch.testing.assert_close(models[0](ids), models[1](ids), rtol=1e-3, atol=1e-4)  # the same numbers
        sides = [training_step(model, ids, labels) for model in models]
        times.append(medians(take_turns(sides, max(3, options.repeats // 2))))
    case = f"training step, width {space.network.embedding.width}, {len(designs)} designs"
    yield _geometric_mean(f"{case}, against all blocks, open inputs alone", times, STEP_AIM)


def inference(model: nn.Module, ids: Tensor) -> Callable[[], None]:
    """Logits of a batch."""
    model.eval()

    def infer() -> None:
        with torch.inference_mode():
            model(ids)

    return infer


def medians(times: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Of every side's turns, in seconds."""
    return tuple(map(statistics.median, times))


def _geometric_mean(case: str, times: Sequence[Sequence[float]], aim: float | None) -> Row:
    """The ratio of the first side to the second, over the designs."""
    ratios = [seconds[0] / seconds[1] for seconds in times]
    details = {
        "least": f"{min(ratios):.2f}",
        "most": f"{max(ratios):.2f}",
        "theirs ms": f"{1e3 * statistics.geometric_mean(s[0] for s in times):.3g}",
        "ours ms": f"{1e3 * statistics.geometric_mean(s[1] for s in times):.3g}",
    }
    return Row(case, statistics.geometric_mean(ratios), "×", aim, details)
