"""`HandMade`: how one published model is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.errors import OptionError
from nas_fusion.nn import Fields

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from nas_fusion.design import FusionDesign
    from nas_fusion.search_spaces import DesignSet


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
    distributions: Callable[[], Mapping[str, BaseDistribution]] = dict
    frappe: FrappeResult | None = None
    design: Callable[[DesignSet], FusionDesign] | None = None
    space: str | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """All hyperparameters and their defaults."""
        return {**self.tower, **self.own}

    def build(self, shape: ModelShape, **own: Any) -> nn.Module:
        """The model with fresh weights from the current random state.

        Args:
            shape: fields and tower.
            own: hyperparameters beside the tower's, where they differ from the default.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(own, self.own)
        return self.make(shape, **{**self.own, **own})

    def shape(
        self, field_sizes: Sequence[int], value_fields: Sequence[int] = (), emb_dim: int = 10, **tower: Any
    ) -> ModelShape:
        """The shape with this model's tower.

        Args:
            field_sizes, value_fields, emb_dim: as of `ModelShape`.
            tower: hyperparameters of the tower, where they differ from the default.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(tower, self.tower)
        options = {**self.tower, **tower}
        if "hidden_layers" in options:
            options["hidden"] = (options.pop("hidden_width"),) * options.pop("hidden_layers")
        return ModelShape(tuple(field_sizes), tuple(value_fields), emb_dim, **options)

    def for_fields(self, fields: Fields, **given: Any) -> nn.Module:
        """The model for the fields of a log, from any of its `parameters`.

        Raises:
            OptionError: a hyperparameter is unknown or out of its range.
        """
        self._check(given, self.parameters)
        tower = {name: value for name, value in given.items() if name in self.tower}
        own = {name: value for name, value in given.items() if name not in self.tower}
        return self.build(self.shape(fields.sizes, fields.value_fields, fields.emb_dim, **tower), **own)

    def for_schema(self, schema: Any, emb_dim: int = 10, **given: Any) -> nn.Module:
        """The model for the fields of a `nas_fusion.data.Schema`; see `for_fields`."""
        return self.for_fields(Fields(tuple(schema.field_sizes), tuple(schema.value_fields), emb_dim), **given)

    def _check(self, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name in given:
            if name not in known:
                raise OptionError(f"parameter of {self.name}", f"one of: {', '.join(known) or 'none'}", name)
