"""`HandMade`: how one published model is listed, beside its module and in one place.

Defaults are the settings that BARS (Zhu et al., SIGIR 2022) publishes for Frappe_x1, where it found them by tuning;
what is our choice is said at the entry. The training recipe around them is not here: it is the comparison's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from torch import nn

from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.bounds import DROPOUT, Bound, Rule
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import DesignSet
from nas_fusion.settings import DEFAULT_EMB_DIM

if TYPE_CHECKING:
    from nas_fusion.data import Schema

Distributions = Callable[[], Mapping[str, BaseDistribution]]

LAYERS, WIDTH = Bound(1, 64), Bound(1, 16_384)
"""What a number of layers, and a width, may be."""

TOWER_BOUNDS: Mapping[str, Rule] = MappingProxyType(
    {"hidden_layers": Bound(0, 64), "hidden_width": WIDTH, "dropout": DROPOUT}
)
"""What the dense tower's hyperparameters may be."""


def tower_defaults(dropout: float, *, batch_norm: bool = True) -> dict[str, Any]:
    """The dense tower that BARS gives most models, three layers of 400."""
    return {"hidden_layers": 3, "hidden_width": 400, "batch_norm": batch_norm, "dropout": dropout}


def tuned_tower(**own: BaseDistribution) -> Distributions:
    """The distributions of a tower, and of what else the model has."""

    def distributions() -> Mapping[str, BaseDistribution]:
        tower = {
            "hidden_layers": IntDistribution(1, 4),
            "hidden_width": IntDistribution(100, 800, step=100),
            "dropout": FloatDistribution(0.0, 0.6),
            "batch_norm": CategoricalDistribution((False, True)),
        }
        return {**tower, **own}

    return distributions


class FrappeResult(NamedTuple):
    """What BARS publishes for a model on Frappe_x1, with embeddings of width 10 and the default hyperparameters here.

    Test AUC and logloss, mean of `runs` runs; `embedding_l2` is the one part of the recipe that differs by model (see
    `TrainConfig`); `parameters` is the number of weights that the published log reports.
    """

    auc: float
    logloss: float
    runs: int
    embedding_l2: float
    parameters: int


@dataclass(frozen=True)
class HandMade:
    """A published model: what it is, how it is built, what may be tuned.

    Args:
        name: how users call it.
        summary: one line with the citation.
        make: the model of a `ModelShape` and the `own` hyperparameters.
        tower: defaults of the dense tower's hyperparameters (``hidden_layers``, ``hidden_width``, ``batch_norm``,
            ``dropout``), as far as it has them; they go into the `ModelShape`.
        own: the other hyperparameters and their defaults.
        own_bounds: what they may be (`StrategyEntry.bounds`); the tower's are in `TOWER_BOUNDS`.
        distributions: returns the Optuna distributions of the hyperparameters that are worth tuning.
        frappe: the published result; None where BARS has none or its context cannot be known from the data.
        design: the same model as a design of a fusion space, where it is one: exactly, if the tower's widths are the
            blocks' width, the numbers of layers are the design's, and the space knows the operation "add".
        space: the search space that `design` is a point of; None: any.
    """

    name: str
    summary: str
    make: Callable[..., nn.Module]
    tower: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
    own_bounds: Mapping[str, Rule] = field(default_factory=dict)
    distributions: Distributions = dict
    frappe: FrappeResult | None = None
    design: Callable[[DesignSet], FusionDesign] | None = None
    space: str | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """All hyperparameters and their defaults."""
        return {**self.tower, **self.own}

    @property
    def bounds(self) -> dict[str, Rule]:
        """What the hyperparameters may be; one that is not here may be anything of its default's type."""
        return {**{name: rule for name, rule in TOWER_BOUNDS.items() if name in self.tower}, **self.own_bounds}

    def build(self, shape: ModelShape, **own: Any) -> nn.Module:
        """The model with fresh weights from the current random state.

        Args:
            shape: fields and tower.
            own: hyperparameters besides the tower's, where they differ from the default.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(own, self.own)
        return self.make(shape, **{**self.own, **own})

    def shape(self, fields: Fields, **tower: Any) -> ModelShape:
        """The shape with this model's tower.

        Args:
            fields: as of `ModelShape`.
            tower: hyperparameters of the tower, where they differ from the default.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(tower, self.tower)
        options = {**self.tower, **tower}
        # Tuned as a number and a width, which are two independent numbers; built from one width a layer.
        if "hidden_layers" in options:
            options["hidden"] = (options.pop("hidden_width"),) * options.pop("hidden_layers")
        return ModelShape(fields, **options)

    def for_fields(self, fields: Fields, **given: Any) -> nn.Module:
        """The model for the fields of a log, from any of its `parameters`.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(given, self.parameters)
        tower = {name: value for name, value in given.items() if name in self.tower}
        own = {name: value for name, value in given.items() if name not in self.tower}
        return self.build(self.shape(fields, **tower), **own)

    def for_schema(self, schema: Schema, emb_dim: int = DEFAULT_EMB_DIM, **given: Any) -> nn.Module:
        """The model for the fields of a `nas_fusion.data.Schema`; see `for_fields`."""
        return self.for_fields(Fields(schema.field_shapes, emb_dim), **given)

    def _check(self, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name in given:
            if name not in known:
                raise OptionError(f"parameter of {self.name}", f"one of: {', '.join(known) or 'none'}", name)
