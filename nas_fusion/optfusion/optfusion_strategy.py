"""`OptFusion` as an NNI one-shot strategy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_fusion.design import Connection, FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.measures import DEFAULT_COST_PENALTY, CostTable
from nas_fusion.nn import ProductRule
from nas_fusion.nni_bridge import LightningModule, MendedStrategy, OneShotStrategy, nni, no_default_hook
from nas_fusion.optfusion.gate_learning import GateLearning
from nas_fusion.optfusion.held_out_rows import TwoLevelLoader
from nas_fusion.optfusion.optfusion_block import OptFusionBlock
from nas_fusion.optfusion.optfusion_node import MixtureStart, OptFusionNode, Searched, SupernetOptions
from nas_fusion.optfusion.proposals import propose
from nas_fusion.optfusion.training_step import OptFusionModule
from nas_fusion.search_spaces import DesignSet, FusionNode, FusionSpace, VariantBlock, multiply_add_table
from nas_fusion.strategy.abilities import SoftStart

DEFAULT_ARCH_LEARNING_RATE = 0.03
"""Between the published rates (0.3 on Criteo, 0.1 on Avazu, 0.01 on KDD12)."""


@nni.trace
class OptFusion(MendedStrategy, OneShotStrategy):
    """Learn connections and operations in one supernet training (Zhang et al., WSDM 2025, arXiv 2411.15731).

    Every connection of the supernet has a binary gate with a straight-through gradient, every fused block a softmax
    mixture of its operations; gates, mixtures and weights are trained together on the training data. Usable in a
    plain ``NasExperiment`` on a `FusionSpace`, as ``nni.nas.strategy.OptFusion`` too once this package is imported.

    Where a space leaves open what stands in the blocks' places (variants), that is one more mixture of every block.

    Deviations from the published implementation: any number of levels; the derived design is always legal (the
    output's input with the largest α is re-opened if all are closed).

    Args:
        arch_learning_rate: Adam's rate for α and β.
        gate_start: initial α (published: 0.5).
        search: ``"both"``, or an ablation: ``"connections"`` or ``"operations"`` only.
        operation: what every block merges by in the ablation "connections".
        gradient_clip: clip the norm of the weights' gradient.
        product: what a product does with a closed input while searching; None: as the space says.
        warm_up: samples on which the weights are trained before the architecture moves.
        training_share: the share of the budget on which the supernet is trained.
        refinement: train so many candidates with what the supernet leaves of the budget, and take the best
            (`nas_fusion.search`); 0: the derived design stands.
        proposed_share: the share of them that is drawn from the supernet's gates and mixtures; the others are changes
            of the best candidate so far.
        mixture_start: initial β: ``"xavier"`` (published), or ``"uniform"``.
        measured_designs: hold the derived design against its neighbours, with the supernet's weights on the
            validation rows, so many in all (`nas_fusion.strategy.abilities.MeasuresChoices`); 0: it stands, as
            published.
        cost_penalty: weight of the penalty on the supernet's expected cost above a limit of the space
            (`nas_fusion.optfusion.cost_penalty`); without limits it does nothing.

    Raises:
        OptionError: an argument is out of its range.
    """

    def __init__(
        self,
        arch_learning_rate: float = DEFAULT_ARCH_LEARNING_RATE,
        gate_start: float = 0.5,
        search: Searched = "both",
        operation: str = "add",
        gradient_clip: float | None = None,
        product: ProductRule | None = None,
        warm_up: int = 0,
        training_share: float = 1.0,
        refinement: int = 0,
        proposed_share: float = 0.5,
        mixture_start: MixtureStart = "xavier",
        cost_penalty: float = DEFAULT_COST_PENALTY,
        measured_designs: int = 0,
        learning: GateLearning | None = None,
    ) -> None:
        super().__init__()
        if not cost_penalty >= 0:
            raise OptionError("cost_penalty", "zero or a positive number", cost_penalty)
        self.cost_penalty = cost_penalty
        if not arch_learning_rate > 0:
            raise OptionError("arch_learning_rate", "a positive number", arch_learning_rate)
        for name, value in (
            ("warm_up", warm_up),
            ("refinement", refinement),
            ("measured_designs", measured_designs),
        ):
            if value < 0:
                raise OptionError(name, "zero or a positive integer", value)
        if not 0 <= proposed_share <= 1:
            raise OptionError("proposed_share", "from 0 to 1", proposed_share)
        if not 0 < training_share <= 1:
            raise OptionError("training_share", "above 0, at most 1", training_share)
        self.arch_learning_rate, self.gradient_clip, self.warm_up = arch_learning_rate, gradient_clip, warm_up
        self.learning = learning = learning or GateLearning()
        self.options = SupernetOptions(gate_start, search, operation, product, mixture_start, learning.gate_noise)
        self.prefers_small, self.measured_closings = learning.sparsest_epoch, learning.measured_closings
        self._turned: set[Connection] = set()
        self._module: OptFusionModule | None = None
        self._heard: float | None = None
        self._costs: CostTable | None = None
        self.refinement, self.proposed_share = refinement, proposed_share
        self.measured_designs = measured_designs
        # Deriving itself reads α and β alone: no pass over the validation rows has to be paid for.
        self.training_share, self.derive_passes = training_share, 0

    def training_samples(self, budget: int) -> int:
        """Its share of the budget."""
        return max(1, round(self.training_share * budget))

    def training_seconds(self, left: float) -> float:
        """Its share of them."""
        return self.training_share * left

    def default_mutation_hooks(self) -> list[Callable[..., Any]]:
        """Replace fusion nodes and blocks with variants; refuse any other mutable, which would stay as it is."""
        return [self._replace_node, self._replace_block, no_default_hook]

    def _replace_node(
        self, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]
    ) -> OptFusionNode | None:
        return OptFusionNode(module, memo, self.options) if isinstance(module, FusionNode) else None

    def _replace_block(
        self, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]
    ) -> OptFusionBlock | None:
        return OptFusionBlock(module, memo, self.options) if isinstance(module, VariantBlock) else None

    def configure_oneshot_module(self, training_module: LightningModule) -> OptFusionModule:
        """Wrap the evaluator's Lightning module."""
        self._module = OptFusionModule(
            training_module,
            self.arch_learning_rate,
            self.gradient_clip,
            self.warm_up,
            self.cost_penalty,
            self.learning,
            self._costs,
        )
        return self._module

    def heard_validation(self, valid_auc: float, margin: float) -> None:
        """Let gates move once an epoch brings less than the margin (`GateLearning.waits`)."""
        if self._heard is not None and self._module is not None and valid_auc - self._heard < margin:
            self._module.has_levelled = True
        self._heard = valid_auc

    def mutate_model(self, model: Any) -> Any:
        """Make the supernet; where connections are priced by their cost, the space's own parts are counted before."""
        if self.learning.pressure and self.learning.priced_by == "cost" and isinstance(model, FusionSpace):
            self._costs = multiply_add_table(model)
        return super().mutate_model(model)

    def train_dataloader(self, train_dataloader_fn: Callable[[], Any], val_dataloader_fn: Callable[[], Any]) -> Any:
        """The training rows; where gates are learnt on rows of their own, batches of both."""
        loader = train_dataloader_fn()
        return TwoLevelLoader.of(loader, self.learning.held_out) if self.learning.held_out else loader

    def size(self) -> float:
        """The number of open connections."""
        return float(sum(a > 0 for node in self._nodes() for a in node.connection_scores()))

    def open_connections(self) -> dict[Connection, float]:
        """α of every open gate."""
        return {connection: alpha for connection, alpha in self._alphas().items() if alpha > 0}

    def close_alone(self, connections: Collection[Connection]) -> None:
        """Turn the signs of these gates; those that were turned before and are not among them are turned back."""
        turned = set(connections)
        with torch.no_grad():
            for node in self._nodes():
                for place, source in enumerate(node.sources):
                    if ((source, node.block) in turned) != ((source, node.block) in self._turned):
                        node.alpha[place] *= -1
        self._turned = turned

    def soft_start(self) -> SoftStart:
        """The supernet's weights and its mixture of operations; see `soft_model`."""
        return SoftStart(self.supernet.state_dict(), self.mixture())

    def mixture(self) -> dict[str, dict[str, float]]:
        """``softmax(β)`` by block and operation after the search, as a soft model needs it."""
        return {n.block: n.mixture() for n in self._nodes() if n.operations}

    def gates(self) -> dict[str, float]:
        """α by connection label."""
        return {
            choice.label: alpha
            for node in self._nodes()
            for choice, alpha in zip(node.connection_choices, node.connection_scores(), strict=True)
        }

    def proposals(self, designs: DesignSet, rng: np.random.Generator) -> Iterator[FusionDesign]:
        """The derived design, then others near it, without end (see `propose`)."""
        # As NNI exports it, so legal and within the limits.
        derived = FusionDesign.from_sample(next(iter(self.list_models())).sample)
        blocks = [m for m in self.supernet.modules() if isinstance(m, OptFusionBlock)]
        variants = {b.block: b.variant_scores() for b in blocks}
        return propose(derived, self._alphas(), self.mixture(), self.options.gate_start, designs, rng, variants)

    def _alphas(self) -> dict[Connection, float]:
        return {(s, n.block): a for n in self._nodes() for s, a in zip(n.sources, n.connection_scores(), strict=True)}

    def _nodes(self) -> list[OptFusionNode]:
        return [m for m in self.supernet.modules() if isinstance(m, OptFusionNode)]


def soft_model(space: FusionSpace, design: FusionDesign, start: SoftStart) -> nn.Module:
    """The frozen mixture on a design's connections, with the supernet's weights (`StrategyEntry.make_soft_model`).

    Args:
        space: a fresh one; it becomes the supernet that `start` was taken from.
        design: that a search found in it.
        start: of `OptFusion.soft_start`.
    """
    # Into the same kind of supernet, whose weights have the names that `start` knows. Its options only say how it would
    # start, and everything is loaded over that.
    OptFusion().mutate_model(space)
    space.load_state_dict(start.weights)
    return space.derive(design, mode="soft", mixture=start.mixture)
