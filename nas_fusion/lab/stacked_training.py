"""Training many designs side by side, on the same batches, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from nas_fusion.data import BatchLoader, EncodedDataset, EncodedSplit
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.lab.stacked_network import StackedNetwork
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, seeded, torch_device
from nas_fusion.training.optimizers import weights_optimizer
from nas_fusion.training.watching import RunningMean, rhythm

ROWS_AT_ONCE = 1024
"""Rows that all members of a stack score together: features of all of them are in memory at the same time."""

_PRECISIONS = {"32": torch.float32, "64": torch.float64}

Aucs = npt.NDArray[np.float64]


def train_stack(
    space: FusionSpace,
    designs: Sequence[FusionDesign],
    dataset: EncodedDataset,
    config: TrainConfig,
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> tuple[Aucs, Aucs]:
    """Train designs for `TrainConfig.max_epochs` epochs; the validation and test AUC after each of them.

    Every design gets what it gets as a candidate of a search: the first weights that its seed draws, the same batches,
    Adam, the average of its weights where it is measured. There is no early stop and no drop of the learning rate: what
    either would have done can be told from the epochs' figures.

    Args:
        space: makes the designs' networks.
        designs: that may be stacked (`StackedNetwork`).
        dataset: training, validation and test rows, all of which count alike.
        config: the recipe; its seed is of first weights and of the batches' order.
        on_epoch: called with the number of every epoch that has ended.

    Returns:
        ``[design, epoch]`` each; NaN from the epoch on in which a design's weights are no longer finite.

    Raises:
        OptionError: the recipe, or the log, has what cannot be trained side by side.
        DesignError: the designs do not go together, or the space has blocks that have no form for many designs.
    """
    check_stackable(dataset, config)
    stack = stack_of(space, designs, config)
    optimizer, average = weights_optimizer(stack, config), _Average(stack, config, len(dataset.train))
    loader = BatchLoader(dataset.train, config.batch_size, shuffle=True, seed=config.seed)
    loader.set_epoch(1)  # as `nas_fusion.training.TrainingLoop` counts them
    aucs: list[tuple[Aucs, Aucs]] = []
    for epoch in range(1, config.max_epochs + 1):
        for batch in loader:
            _step(stack, optimizer, batch.ids, batch.values, batch.labels)
            average.after_step()
        with average.in_use():
            aucs.append((auc_of_members(stack, dataset.valid), auc_of_members(stack, dataset.test)))
        on_epoch(epoch)
    valid, test = zip(*aucs, strict=True)
    return np.stack(valid, axis=1), np.stack(test, axis=1)


def check_stackable(dataset: EncodedDataset, config: TrainConfig) -> None:
    """Refuse what would not be the same side by side.

    Raises:
        OptionError: the recipe, or the log, has it.
    """
    if dataset.train.weights is not None:
        raise OptionError("weight", "None: rows of a table's log count alike", "weights")
    if config.gradient_clip is not None:
        raise OptionError("gradient_clip", "0 for designs that are trained side by side", config.gradient_clip)
    if config.precision not in _PRECISIONS:
        raise OptionError("precision", " or ".join(_PRECISIONS), config.precision)
    if config.embedding_optimizer != "adam":
        raise OptionError("embedding_optimizer", "adam", config.embedding_optimizer)


def stack_of(space: FusionSpace, designs: Sequence[FusionDesign], config: TrainConfig) -> StackedNetwork:
    """A stack with the first weights that every design gets alone."""
    stack = StackedNetwork(space.fields, designs).to(_PRECISIONS[config.precision])
    for place, design in enumerate(designs):
        with seeded(config.seed):
            stack.load(place, space.derive(design, weights=False))
    return stack.to(torch_device(config))


def _step(
    stack: StackedNetwork, optimizer: torch.optim.Optimizer, ids: Tensor, values: Tensor | None, labels: Tensor
) -> None:
    optimizer.zero_grad()
    weight = stack.head_bias
    logits = stack(ids.to(weight.device), None if values is None else values.to(weight))
    wanted = labels.to(weight).expand_as(logits)
    # The sum over members of each one's mean: no member's gradient knows of the others.
    loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / len(labels)
    loss.backward()
    optimizer.step()


class _Average:
    """What `nas_fusion.training.AveragedWeights` does."""

    def __init__(self, stack: StackedNetwork, config: TrainConfig, rows: int) -> None:
        self._every, most = rhythm(config.averaging, -(-rows // config.batch_size))
        self._mean = RunningMean(list(stack.parameters()), most)
        self._is_wanted = bool(config.averaging)
        self._steps = 0

    def after_step(self) -> None:
        """Take the weights into the average, every so many steps."""
        self._steps += 1
        if self._is_wanted and self._steps % self._every == 0:
            self._mean.update()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the average in the network."""
        if not self._is_wanted:
            yield
            return
        if self._mean.is_empty:
            self._mean.update()
        self._mean.exchange()
        yield
        self._mean.exchange()


@torch.no_grad()
def auc_of_members(stack: StackedNetwork, split: EncodedSplit) -> Aucs:
    """The AUC of every member on the rows of a split, ``[member]``; NaN where a logit is not finite."""
    weight = stack.head_bias
    logits = [
        stack(batch.ids.to(weight.device), None if batch.values is None else batch.values.to(weight))
        for batch in BatchLoader(split, ROWS_AT_ONCE)
    ]
    clicked = torch.from_numpy(np.asarray(split.labels) > 0).to(weight.device)
    return aucs_of(torch.cat(logits, dim=1), clicked).cpu().numpy()


def aucs_of(logits: Float[Tensor, "member row"], clicked: Bool[Tensor, " row"]) -> Float[Tensor, " member"]:
    """How often a click is above a row without one, ties counting half; NaN where a logit is not finite."""
    rest, clicks = logits[:, ~clicked].sort(dim=1).values, logits[:, clicked].contiguous()
    below = torch.searchsorted(rest, clicks) + torch.searchsorted(rest, clicks, right=True)
    aucs = below.double().mean(dim=1) / (2 * rest.shape[1])
    return torch.where(logits.isfinite().all(dim=1), aucs, torch.nan)
