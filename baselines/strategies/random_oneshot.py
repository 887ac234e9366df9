"""One-shot random sampling: a supernet trained on random paths, then random designs ranked with its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from optuna.distributions import IntDistribution

from nas_fusion.baselines.strategies.candidate_counts import POPULATION, ranked_and_training
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.nni_bridge import (
    LightningModule,
    MendedModule,
    MendedStrategy,
    RandomOneShot,
    RandomSamplingLightningModule,
    RawFormatModelSpace,
    nni,
)
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.search_spaces.fusion.oneshot_nodes import SampledNode
from nas_fusion.search_spaces.fusion.variant_block import SampledBlock
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.training import auc_and_logloss

if TYPE_CHECKING:
    from nas_fusion.data import BatchLoader


@dataclass(frozen=True)
class RankedDesign:
    """A design and its validation AUC with the supernet's weights."""

    design: FusionDesign
    valid_auc: float
    seconds: float


class RandomOneShotModule(MendedModule, RandomSamplingLightningModule):
    """NNI's random path training; validates on a path per batch, and logs nothing.

    It steps by hand, as NNI's other one-shot modules do.
    """

    @property
    def automatic_optimization(self) -> bool:
        """Not Lightning's."""
        return False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        """Draw a path and train it."""
        self.resample()
        loss = self.training_module.training_step(batch, batch_idx)
        self.advance_optimization(loss, batch_idx)
        return loss

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """Draw a path and validate it."""
        self.resample()
        return self.training_module.validation_step(*args, **kwargs)


@nni.trace
class FusionRandomOneShot(MendedStrategy, RandomOneShot):
    """Single-path one-shot with uniform sampling (Guo et al., ECCV 2020).

    NNI's `RandomOneShot` trains the supernet and exports an arbitrary design; "sampling the best architecture from
    this trained supernet is another search process", which this class adds: random legal designs are ranked by their
    validation AUC with the supernet's weights.

    Args:
        designs: how many designs to rank.
        seed: of the ranked designs (the paths of the training follow torch's generator).
        training_samples: samples to train the supernet on; None: all of the budget.
        watch: of the search; once its limit is reached no further design is ranked (one always is).
    """

    def __init__(
        self, designs: int, seed: int, training_samples: int | None = None, watch: Stopwatch | None = None
    ) -> None:
        super().__init__()
        if designs < 1:
            raise OptionError("designs", "a positive integer", designs)
        self.designs, self.seed, self._training_samples = designs, seed, training_samples
        self.watch = watch or Stopwatch()
        self.derive_passes = designs
        self.ranking: list[RankedDesign] = []

    def training_samples(self, budget: int) -> int:
        """As the constructor was told."""
        return budget if self._training_samples is None else self._training_samples

    def training_seconds(self, left: float) -> float:
        """All of them, but for what the passes of the ranking are reserved."""
        return left

    def configure_oneshot_module(self, training_module: LightningModule) -> RandomOneShotModule:
        """Wrap the evaluator's Lightning module."""
        return RandomOneShotModule(training_module)

    def _run(self) -> None:
        super()._run()
        space = self.supernet
        assert isinstance(space, FusionSpace)
        rng = np.random.default_rng(self.seed)
        loader = self._mutated_model_space.evaluator.val_dataloaders
        space.eval()
        for _ in range(self.designs):
            design = space.designs.sample(rng)
            auc = _shared_weight_auc(space, design, loader)
            self.ranking.append(RankedDesign(design, auc, self.watch.elapsed))
            if self.watch.left <= 0:
                break

    def list_models(self, sort: bool = True, limit: int | None = 1) -> Iterator[RawFormatModelSpace]:
        """The best ranked design.

        Raises:
            TrainingError: no design gave finite predictions.
        """
        usable = [r for r in self.ranking if np.isfinite(r.valid_auc)]
        if not usable:
            raise TrainingError("no design gave finite predictions with the supernet's weights")
        best = max(usable, key=lambda r: r.valid_auc)
        yield self.model_space.freeze(best.design.to_sample())


@torch.inference_mode()
def _shared_weight_auc(space: FusionSpace, design: FusionDesign, loader: BatchLoader) -> float:
    sample = design.to_sample()
    device = space.network.head.weight.device
    for node in space.modules():
        if isinstance(node, SampledNode | SampledBlock):
            node.sample = {m.label: sample[m.label] for m in node.own_mutables()}
    logits, labels, weights = [], [], []
    for batch in loader:
        values = None if batch.values is None else batch.values.to(device)
        logits.append(space(batch.ids.to(device), values).float().cpu())
        labels.append(batch.labels)
        weights += [] if batch.weights is None else [batch.weights]
    together = torch.cat(logits)
    if not torch.isfinite(together).all():
        return float("nan")
    counting = torch.cat(weights).numpy() if weights else None
    return auc_and_logloss(together.numpy(), torch.cat(labels).numpy(), counting).auc


def _random_oneshot(context: BuildContext, designs: int) -> FusionRandomOneShot:
    ranked, training = ranked_and_training(context, designs)
    return FusionRandomOneShot(ranked, context.seed, training, context.watch)


RANDOM_ONESHOT_ENTRY = StrategyEntry(
    "random-oneshot",
    "one-shot",
    "one-shot with random paths (NNI's RandomOneShot), then random designs ranked with its weights",
    _random_oneshot,
    parameters={"designs": 24},
    bounds={"designs": POPULATION},
    distributions=lambda: {"designs": IntDistribution(4, 100, log=True)},
)
