"""A derived model against its masked form, and against the supernet it comes from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._harness import Options, Row, take_turns
from benchmarks.plain import plain_masked, plain_supernet
from benchmarks.supernet import FEATURES_PER_FIELD, FIELDS, random_batch, training_step
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace

WIDTH, LEVELS, DESIGNS = 100, 3, 20


def run(options: Options) -> Iterator[Row]:
    """20 random designs: training step, masked over derived; inference, the plain supernet over a derived design."""
    batch, count, width = (256, 3, 20) if options.quick else (4096, DESIGNS, WIDTH)
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=LEVELS, emb_dim=width // FIELDS)
    rng = np.random.default_rng(0)
    designs = [space.designs.sample(rng) for _ in range(count)]
    ids, labels = random_batch(batch, options.device)
    step_ratios = []
    for design in designs:
        masked = plain_masked(space, design).to(options.device)
        derived = space.derive(design).to(options.device)
        with torch.inference_mode():
            torch.testing.assert_close(masked(ids), derived(ids), rtol=1e-3, atol=1e-4)  # the same numbers
        times = take_turns(
            [training_step(masked, ids, labels, fused=False), training_step(derived, ids, labels, fused=True)],
            max(3, options.repeats // 2),
        )
        step_ratios.append(statistics.median(times[0]) / statistics.median(times[1]))
    yield _geometric_mean(f"training step, width {width}, {count} designs", step_ratios, 1.9)
    supernet = FusionSpace(field_sizes=[FEATURES_PER_FIELD] * FIELDS, levels=LEVELS, emb_dim=width // FIELDS)
    OptFusion().mutate_model(supernet)
    plain, ours = plain_supernet(supernet).to(options.device), supernet.to(options.device)
    for rows in (batch, 1):
        ratios, against_ours = [], []
        for design in designs:
            derived = space.derive(design).to(options.device)
            sides = [inference(model, ids[:rows]) for model in (plain, ours, derived)]
            first, second, third = (statistics.median(t) for t in take_turns(sides, max(3, options.repeats)))
            ratios.append(first / third)
            against_ours.append(second / third)
        yield _geometric_mean(f"inference, batch {rows}, against the plain supernet", ratios, None)
        yield _geometric_mean(f"inference, batch {rows}, against our supernet", against_ours, 5.0)


def inference(model: nn.Module, ids: Tensor) -> Callable[[], None]:
    """Logits of a batch."""
    model.eval()

    def infer() -> None:
        with torch.inference_mode():
            model(ids)

    return infer


def _geometric_mean(case: str, ratios: list[float], aim: float | None) -> Row:
    details = {"least": f"{min(ratios):.2f}", "most": f"{max(ratios):.2f}"}
    return Row(case, statistics.geometric_mean(ratios), "×", aim, details)
