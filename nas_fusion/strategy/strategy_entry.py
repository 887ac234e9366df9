"""The contract of a strategy: what it is called, what it can do, how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nas_fusion.bounds import Rule, check_parameter
from nas_fusion.errors import OptionError, StrategyError
from nas_fusion.system.stopwatch import Stopwatch

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from torch import nn

    from nas_fusion.architecture import Architecture, Found
    from nas_fusion.data import Schema, SearchData
    from nas_fusion.design import FusionDesign
    from nas_fusion.nn import Fields
    from nas_fusion.search_spaces import DesignSet, FusionSpace
    from nas_fusion.strategy.abilities import SoftStart
    from nas_fusion.training import TrainConfig, WholeModel, WholeState

ALWAYS_COMPARED = ("stacked", "parallel")
"""The hand-made designs of the fusion space itself."""

Kind = Literal["one-shot", "multi-trial", "reference"]
Mode = Literal["hard", "soft"]

WholeFit: TypeAlias = "Callable[[Architecture, SearchData, TrainConfig], WholeModel]"
"""Fits a model that is no network on training rows; the validation rows say when to stop.

Of the recipe, `TrainConfig.seed` and `TrainConfig.select`, by which validation chooses, are for it.
"""

WholeOpening: TypeAlias = "Callable[[Architecture, Schema, WholeState], WholeModel]"
"""Makes such a model again from what was kept of it, for rows with the fields of a schema; nothing is fitted."""


@dataclass(frozen=True)
class BuildContext:
    """What an entry may know when it builds its strategy.

    Args:
        seed: of the cell; the only source of randomness.
        candidates: for a multi-trial strategy, how many candidates the budget pays for.
        designs: the designs of the space.
        config: the training recipe.
        samples: the whole budget in samples; None for a budget in seconds.
        valid_rows: rows of the validation split.
        fields: the fields of the data, and the width of their embeddings.
        watch: runs since the search began, and knows how many seconds are left of a budget in seconds.
    """

    seed: int
    candidates: int
    designs: DesignSet
    config: TrainConfig
    samples: int | None
    valid_rows: int
    fields: Fields
    watch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True)
class StrategyEntry:
    """A registered way to find a design.

    Args:
        name: how users call it.
        kind: ``"one-shot"`` (one supernet), ``"multi-trial"`` (one candidate after the other) or ``"reference"``
            (a hand-made design, nothing is searched).
        summary: one line.
        build: makes a fresh NNI strategy from the context and the parameters; for a reference, the design itself, made
            from the `DesignSet`. With a space of its own (`make_model`): an object with ``search(task) ->
            SearchOutcome``; for a reference, the `Architecture`, made from the context and the parameters.
        parameters: its hyperparameters and their defaults.
        bounds: what a hyperparameter may be: within a `nas_fusion.bounds.Bound`, or one of a few words; one that is not
            named here may be anything of its default's type.
        distributions: returns the Optuna distributions of the hyperparameters.
        starts: hyperparameters, inside these distributions, that are worth a trial before anything is proposed; the
            best guess first. What one does not name has its default.
        in_all: whether ``--strategies all`` includes it.
        operations: by which blocks may merge in its space, where the user leaves that open (``--operations auto``);
            None: the space's own. A task that is made by hand has the space that it was given.
        mode: re-train hard or soft.
        shares_search_with: the entry whose search this one uses (OptFusion soft uses OptFusion's).
        keep_best_epoch: for one-shot: derive from the epoch with the best validation AUC, not from the last.
        patience: for one-shot: stop after this many epochs in a row without a better validation AUC, where any gain is
            one; 0 spends the budget.
        make_soft_model: for mode "soft": called as ``make_soft_model(space, design, start)``, makes the model that is
            re-trained from a fresh space, which it may change, the design, and what the search left
            (`nas_fusion.strategy.abilities.LeavesSoftStart`). It may be called in another process than the search, and
            later: it knows nothing else of the strategy. When a saved model is opened, the weights of the start are
            all zero, and those that were saved are loaded over what it makes: of what parts that is made may depend on
            the design and the mixture alone. The model is called with ``(ids, values)``, returning logits ``[batch]``.
        make_model: for a strategy that has a space of its own, or a hand-made model: makes the model of an
            `Architecture` with fresh weights from the current random state, called with ``(ids, values)``, returning
            logits ``[batch]``. None for strategies over the fusion space.
        fit_model: in place of `make_model`, for a reference whose models are fitted as a whole by a library of their
            own (`nas_fusion.training.WholeModel`): called with the `Architecture`, training and validation rows, and
            the recipe, whose seed and selection count for it.
        ends_in_time: whether `fit_model` ends with what it has where `nas_fusion.system.deadline.has_to_end` says so.
        open_model: of a reference with `fit_model`: makes the fitted model again from its state, without any rows, so
            that it can be saved and score new ones. Without it such a model can be compared, but not be opened again.
        point: of a reference: its design in a set of designs, from which searches may start; None where it is none of
            them.

    Raises:
        OptionError: kind or mode is unknown, or they do not go together; `make_soft_model` without mode "soft", or the
            other way round; `fit_model` of a strategy that searches.
    """

    name: str
    kind: Kind
    summary: str
    build: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    distributions: Callable[[], Mapping[str, BaseDistribution]] = dict
    starts: tuple[Mapping[str, Any], ...] = ()
    bounds: Mapping[str, Rule] = field(default_factory=dict)
    in_all: bool = True
    operations: tuple[str, ...] | None = None
    mode: Mode = "hard"
    shares_search_with: str | None = None
    keep_best_epoch: bool = False
    patience: int = 0
    make_model: Callable[[Architecture, Fields], nn.Module] | None = None
    make_soft_model: Callable[[FusionSpace, FusionDesign, SoftStart], nn.Module] | None = None
    fit_model: WholeFit | None = None
    open_model: WholeOpening | None = None
    ends_in_time: bool = False
    point: Callable[[DesignSet], FusionDesign | None] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("one-shot", "multi-trial", "reference"):
            raise OptionError("kind", "'one-shot', 'multi-trial' or 'reference'", self.kind)
        if self.mode not in ("hard", "soft"):
            raise OptionError("mode", "'hard' or 'soft'", self.mode)
        if self.mode == "soft" and self.has_own_space:
            raise OptionError("mode", "'hard' for a strategy with a space of its own", self.mode)
        if self.mode == "soft" and self.kind != "one-shot":
            raise OptionError("mode", f"'hard' for a strategy that is {self.kind}: it leaves no supernet", self.mode)
        if self.fit_model is not None and (self.kind != "reference" or self.make_model is not None):
            raise OptionError(f"fit_model of {self.name}", "None but for a reference without make_model", self.kind)
        if self.operations is not None and (not self.operations or len(set(self.operations)) < len(self.operations)):
            raise OptionError(f"operations of {self.name}", "names of different operations, or None", self.operations)
        if self.point is not None and self.kind != "reference":
            raise OptionError(f"point of {self.name}", "None but for a reference", self.kind)
        if self.open_model is not None and self.fit_model is None:
            raise OptionError(f"open_model of {self.name}", "None without fit_model", self.open_model)
        if (self.mode == "soft") != (self.make_soft_model is not None):
            wanted = "given" if self.mode == "soft" else "None"
            raise OptionError(
                f"make_soft_model of {self.name}", f"{wanted} for mode {self.mode!r}", self.make_soft_model
            )

    @property
    def has_own_space(self) -> bool:
        """Whether it finds an `Architecture` instead of a design of the fusion space."""
        return self.make_model is not None or self.fit_model is not None

    @property
    def is_always_compared(self) -> bool:
        """Whether every comparison has it; those of third parties are compared where they are asked for."""
        return self.name in ALWAYS_COMPARED

    @property
    def search_name(self) -> str:
        """The entry whose search is run for this one."""
        return self.shares_search_with or self.name

    def with_parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, overridden.

        Raises:
            OptionError: a name is no parameter of this strategy, or a value is not allowed (`bounds`).
        """
        for name, value in given.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise OptionError(f"parameter of {self.name}", f"one of: {known}", name)
            check_parameter(f"{self.name}.{name}", value, self.parameters[name], self.bounds.get(name))
        return {**self.parameters, **given}

    def reference(self, context: BuildContext, parameters: Mapping[str, Any]) -> Found:
        """The design or the architecture of a reference."""
        if self.has_own_space:
            from nas_fusion.architecture import Architecture

            architecture = self.build(context, **parameters)
            if not isinstance(architecture, Architecture):
                raise StrategyError(self.name, f"its build must return an Architecture, got {_kind_of(architecture)}")
            return architecture
        return self.reference_design(context.designs)

    def reference_design(self, designs: DesignSet) -> FusionDesign:
        """The design of a reference that is a point of the fusion space."""
        from nas_fusion.design import FusionDesign

        design = self.build(designs)
        if not isinstance(design, FusionDesign):
            raise StrategyError(self.name, f"its build must return a FusionDesign, got {_kind_of(design)}")
        return designs.unlimited.check(design)  # it is there for comparison, whatever it costs


def _kind_of(value: object) -> str:
    return type(value).__name__
