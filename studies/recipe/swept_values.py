"""What a sweep may change, where it begins, and the settings that its values make.

It begins with the *usual* recipe: the comparison's own values, with the embedding L2 that a log of so many rows usually
wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from nas_fusion.bounds import BATCH_SIZE, EMB_DIM, LEARNING_RATE
from nas_fusion.settings import ComparisonSettings, default_of
from nas_fusion.settings.dotted_names import SECTIONS
from nas_fusion.settings.recipe_settings import SWEPT

EMBEDDING_L2 = (0.0, 1e-3, 1e-2, 0.05, 0.2, 1.0)
"""Below 1e-3 it was as without on every log that was tried."""

DROPOUT = (0.0, 0.1, 0.2, 0.3, 0.5)

FACTOR = 5.0
"""The learning rate stays within this factor of the comparison's own: models of a search share it."""

USUAL_L2, PRIOR_ROWS = 0.2, 10_000
"""Of the embeddings: at most `USUAL_L2`, and beyond 50,000 rows `PRIOR_ROWS` over their number: the loss is a mean over
rows, so that is a prior of one strength for all logs. On 8,000 rows of seven public logs (docs/how-to/tuning.md) .2 was
the best; on frappe's 202,000 rows the published value is .05, and on 33 million of Criteo it is near 0."""

STARTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"batch_norm": True},
    {"embedding_l2": 0.0},
    {"embedding_l2": 0.05, "batch_norm": True, "dropout": 0.3},
    {"embedding_l2": 0.05},
    {"embedding_l2": 0.05, "batch_norm": True},
    {"embedding_l2": 0.0, "dropout": 0.3},
    {"batch_norm": True, "dropout": 0.3},
)
"""What is tried first, as changes of the usual recipe: that itself, then others by what they added to those before them
on six public logs (docs/how-to/tuning.md), since few passes pay for few trainings."""


def usual_l2(rows: int) -> float:
    """The embedding L2 that a log of so many training rows usually wants, to one digit."""
    return min(USUAL_L2, float(f"{PRIOR_ROWS / max(1, rows):.1g}"))


@dataclass(frozen=True)
class SweptValues:
    """The values of one comparison that a sweep may choose.

    Args:
        settings: the comparison's, before the sweep.
        train_rows: of its log.
        fits: whether models with embeddings of a width fit the machine.
    """

    settings: ComparisonSettings
    train_rows: int
    fits: Callable[[int], bool] = lambda width: True

    @property
    def names(self) -> tuple[str, ...]:
        """What is swept: what nothing fixes, by the name of its field."""
        return tuple(name.partition(".")[2] for name in SWEPT if not self._is_kept(name))

    def own(self) -> dict[str, Any]:
        """The comparison's own values of what is swept."""
        values = {
            "embedding_l2": self.settings.recipe.embedding_l2,
            "learning_rate": self.settings.recipe.learning_rate,
            "batch_size": self.settings.batch_size(self.train_rows),
            "batch_norm": self.settings.model.batch_norm,
            "dropout": self.settings.model.dropout,
            "emb_dim": self.settings.emb_dim,
        }
        return {name: values[name] for name in self.names}

    def usual(self) -> dict[str, Any]:
        """What is taken unless another recipe is clearly better: the own values, but for the embeddings' L2."""
        own = self.own()
        return own | ({"embedding_l2": usual_l2(self.train_rows)} if "embedding_l2" in own else {})

    def starts(self) -> tuple[dict[str, Any], ...]:
        """What is tried before anything is proposed; the usual recipe first."""
        usual = self.usual()
        tried = [usual | {name: value for name, value in start.items() if name in usual} for start in STARTS]
        return tuple(one for at, one in enumerate(tried) if one not in tried[:at])

    def widths(self) -> list[int]:
        """The widths of embeddings that are tried: half, the same, double, as far as they fit the machine."""
        width = self.settings.emb_dim
        near = {max(2, width // 2), width, min(width * 2, int(EMB_DIM.high))}
        return sorted(one for one in near if one == width or self.fits(one))

    def distributions(self, widths: list[int]) -> dict[str, BaseDistribution]:
        """Name → where it may lie; the comparison's own values are inside.

        Args:
            widths: of embeddings, as `widths` gave them on the coordinator's machine.
        """
        every = self.ranges(widths)
        return {name: every[name] for name in self.own()}

    def ranges(self, widths: list[int]) -> dict[str, BaseDistribution]:
        """As `distributions`, of all that a sweep may choose, fixed or not."""
        rate = self.settings.recipe.learning_rate
        size = self.settings.batch_size(self.train_rows)
        sizes = [max(1, size // 2), size, min(size * 2, int(BATCH_SIZE.high))]
        return {
            "embedding_l2": _one_of((*EMBEDDING_L2, usual_l2(self.train_rows)), self.settings.recipe.embedding_l2),
            "learning_rate": FloatDistribution(rate / FACTOR, min(rate * FACTOR, LEARNING_RATE.high), log=True),
            "batch_size": _one_of(sizes, size),
            "batch_norm": CategoricalDistribution((False, True)),
            "dropout": _one_of(DROPOUT, self.settings.model.dropout),
            "emb_dim": CategoricalDistribution(widths),
        }

    def apply(self, values: Mapping[str, Any]) -> ComparisonSettings:
        """The comparison with chosen values, and nothing left to choose.

        A re-training's own learning rate keeps its ratio to a chosen one, and so does a soft re-training's.
        """
        ours = self.settings.recipe
        sections: dict[str, dict[str, Any]] = {"recipe": {}, "model": {}}
        for dotted in SWEPT:
            section, _, name = dotted.partition(".")
            if name in values:
                sections[section][name] = values[name]
        recipe = sections["recipe"]
        factor = recipe.get("learning_rate", ours.learning_rate) / ours.learning_rate
        for name in ("retrain_learning_rate", "soft_learning_rate"):
            recipe[name] = getattr(ours, name) * factor
        return replace(
            self.settings,
            recipe=replace(ours, **recipe, choice="defaults", kept=(), sweep_passes=0.0),
            model=replace(self.settings.model, **sections["model"]),
        )

    def _is_kept(self, dotted: str) -> bool:
        section, _, name = dotted.partition(".")
        value = getattr(getattr(self.settings, section), name)
        return dotted in self.settings.recipe.kept or value != default_of(SECTIONS[section], name)


def _one_of(values: tuple[float, ...] | list[int], own: float) -> CategoricalDistribution:
    return CategoricalDistribution(sorted({*values, own}))
