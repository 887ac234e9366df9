"""What a strategy may be able to do beyond finding a design: optional *abilities*, each a protocol.

A strategy takes up an ability by having everything that its protocol names; nothing is inherited or registered. One
that has a part of a protocol only is refused before anything is trained (`check_abilities`): a misspelt name would
otherwise switch off what its author counts on. A one-shot search asks in this order:

1. `StrategyEntry.build` makes the strategy.
2. `SharesBudget`: how much of the budget is for the supernet.
3. NNI's call, ``strategy(space, engine)``: the supernet is trained.
4. ``strategy.list_models()``: the derived design. Where the strategy is `RanksDesigns`, what it ranked; where it is
   `CountsDeriving`, what that took.
5. `MeasuresChoices`: how many designs near the derived one are held against it, with the supernet's weights.
6. `LeavesSoftStart`: what a soft re-training starts from. Its model is made later, perhaps in another process, by
   `StrategyEntry.make_soft_model`.
7. `RefinesDesigns`: designs to train with what is left of the budget.

A multi-trial search asks its strategy before anything is trained:

- `HalvesCandidates`: by which rungs the candidates that it proposes are trained.
- `TakesUpDesigns`: designs which it begins with, and learns from.

What the modules of a supernet and the choices of a space may be able to do stands in `nas_fusion.nni_bridge`
(`LearnsArchitecture`, `DrawsSamples`), which asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from nas_fusion.bounds import REDUCTION_FACTOR, RUNGS
from nas_fusion.design import Connection, FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.search_spaces import DesignSet


@runtime_checkable
class SharesBudget(Protocol):
    """A strategy that leaves a part of its budget to what comes behind the training of its supernet.

    Without it the supernet may be trained on all of the budget.
    """

    derive_passes: int
    """How many passes over the validation rows deriving takes. Of a budget in seconds, so much time is reserved behind
    the training (at most half of the budget); a budget in samples has to leave them in `training_samples`."""

    def training_samples(self, budget: int) -> int:
        """On how many samples the supernet is trained; asked once, before it is, unless the budget is in seconds."""

    def training_seconds(self, left: float) -> float:
        """For how many seconds at most, of those that are left; asked once, before it is, of a budget in seconds."""


@runtime_checkable
class RankedDesign(Protocol):
    """A design that was ranked with the weights of a supernet."""

    @property
    def design(self) -> FusionDesign:
        """What was ranked."""

    @property
    def valid_auc(self) -> float:
        """Of it with the supernet's weights; need not be finite."""

    @property
    def seconds(self) -> float:
        """Since the search began (`BuildContext.watch`)."""


@runtime_checkable
class RanksDesigns(Protocol):
    """A strategy that ranks designs with its supernet's weights, and derives the best.

    They, and not the supernet, are the models that the search's trace tells of.
    """

    ranking: Sequence[RankedDesign]
    """In the order in which they were ranked; read behind the training. Each costs the validation rows."""


@runtime_checkable
class CountsDeriving(Protocol):
    """A strategy whose deriving takes samples that are not those of a ranking."""

    derive_samples: int
    """Rows that passed through a model between the end of the training and the design; read behind the training."""


@runtime_checkable
class HearsValidations(Protocol):
    """A strategy that is told, while its supernet is trained, how good it is on the validation rows.

    Only to see how far the weights have come: no choice may be learnt from these rows.
    """

    def heard_validation(self, valid_auc: float, margin: float) -> None:
        """Told after every epoch.

        Args:
            valid_auc: of the supernet.
            margin: by more than this must another AUC be below it to count as lost (`loss_margin`).
        """


@runtime_checkable
class PrefersSmall(Protocol):
    """A strategy that derives from the smallest supernet of all epochs that are as good as the best but for the noise.

    Its entry keeps the best epoch (`StrategyEntry.keep_best_epoch`); without this ability that is the one with the best
    validation AUC.
    """

    prefers_small: bool
    """Whether it does."""

    def size(self) -> float:
        """Of the supernet's design as it is now: its open connections, say. Asked after every validation."""


@runtime_checkable
class ClosesByMeasure(Protocol):
    """A strategy whose supernet loses the connections that validation rows do not miss, before a design is derived."""

    measured_closings: int
    """How many passes over the validation rows that may take; below 2 nothing is closed. They count in seconds and not
    in samples."""

    def open_connections(self) -> Mapping[Connection, float]:
        """The supernet's open connections, each with its score: larger is rather open."""

    def close_alone(self, connections: Collection[Connection]) -> None:
        """Close some of those that were open at first; the others of them are open."""


@runtime_checkable
class MeasuresChoices(Protocol):
    """A strategy whose derived design is held against its neighbours before it is taken.

    Neighbours have another operation in one block, or one other connection of which the supernet is least sure; the
    search measures them with the supernet's weights (`nas_fusion.search`). Only a supernet that learns its
    choices can have any.
    """

    measured_designs: int
    """How many are measured at most, the derived one among them; below 2 it stands as it is. Each takes a pass over the
    validation rows, which counts in seconds and not in samples."""


@dataclass(frozen=True)
class SoftStart:
    """Where a soft re-training starts: plain values, which are kept in a file until then.

    Args:
        weights: of the supernet, by name.
        mixture: how much of each operation, by block and operation; or whatever other numbers the soft model needs, by
            two names.
    """

    weights: Mapping[str, Tensor]
    mixture: Mapping[str, Mapping[str, float]]


@runtime_checkable
class LeavesSoftStart(Protocol):
    """A strategy that leaves something from which a soft model can be made; every entry of mode "soft" has one."""

    def soft_start(self) -> SoftStart:
        """What the entry's `make_soft_model` needs; asked once, behind the training. The tensors are copied."""


@runtime_checkable
class RefinesDesigns(Protocol):
    """A strategy that goes on after its supernet: candidates are trained with what is left of the budget."""

    refinement: int
    """How many candidates share what is left; 0: the derived design stands."""

    proposed_share: float
    """The share of them that the supernet proposes, from 0 to 1; the others are changes of the best one."""

    def proposals(self, designs: DesignSet, rng: np.random.Generator) -> Iterator[FusionDesign]:
        """Designs as the supernet's choices weigh them, the derived one first; without end, repetitions allowed."""


@dataclass(frozen=True)
class Halving:
    """Successive halving: all candidates are trained a little, and the best ones on from there.

    Args:
        reduction_factor: of the candidates that have reached a rung one in so many goes on to the next, which is so
            many times as long.
        rungs: how many, where there are candidates enough; with one rung all are trained alike.

    Raises:
        OptionError: a number is out of its range.
    """

    reduction_factor: int = 3
    rungs: int = 2

    def __post_init__(self) -> None:
        REDUCTION_FACTOR.check("reduction_factor", self.reduction_factor)
        RUNGS.check("rungs", self.rungs)


@runtime_checkable
class HalvesCandidates(Protocol):
    """A multi-trial strategy whose candidates are trained by rungs, within the same budget.

    It proposes candidates as ever. Each is trained to the first rung, and its metric is reported. One that goes on is
    run again by the engine, which reports its metric once more: the best of its training so far. The engine ends the
    proposals when the budget is spent.
    """

    halving: Halving
    """Read once, before the strategy is called."""


@runtime_checkable
class TakesUpDesigns(Protocol):
    """A multi-trial strategy that begins with designs which it is given, and learns from them.

    For one without it the search runs them first, and the strategy does not know of them.
    """

    def take_up(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Propose these first, in this order, before anything of its own; NNI's samples."""


ABILITIES: tuple[type, ...] = (
    SharesBudget,
    RanksDesigns,
    CountsDeriving,
    HearsValidations,
    PrefersSmall,
    ClosesByMeasure,
    MeasuresChoices,
    LeavesSoftStart,
    RefinesDesigns,
    HalvesCandidates,
    TakesUpDesigns,
)
"""Every ability that a search asks for."""


def check_abilities(strategy: object, name: str) -> None:
    """Refuse a strategy that has a part of an ability.

    Args:
        strategy: as its entry built it.
        name: of the entry, for the message.

    Raises:
        OptionError: something of a protocol is missing, or is no method; names the strategy, the ability and that.
    """
    for ability in ABILITIES:
        methods, values = _members(ability)
        there = [member for member in (*values, *methods) if hasattr(strategy, member)]
        wrong = [f"no {member}" for member in (*values, *methods) if member not in there]
        wrong += [f"a {member} that is no method" for member in methods if not _is_method(strategy, member)]
        if there and wrong:
            parts = ", ".join((*values, *(f"{method}()" for method in methods)))
            raise OptionError(f"{ability.__name__} of strategy {name}", f"whole ({parts})", wrong[0])


def _members(ability: Any) -> tuple[list[str], list[str]]:
    """The methods that a protocol names, and its other attributes."""
    return [name for name in vars(ability) if not name.startswith("_")], list(vars(ability).get("__annotations__", {}))


def _is_method(strategy: object, name: str) -> bool:
    return not hasattr(strategy, name) or callable(getattr(strategy, name))
