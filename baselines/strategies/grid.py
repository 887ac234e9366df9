"""Grid search over small spaces."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from nas_fusion.nni_bridge import GridSearch, nni
from nas_fusion.strategy import BuildContext, StrategyEntry


@nni.trace
class FusionGridSearch(GridSearch):
    """NNI's grid search, skipping illegal samples, which NNI's own enumeration would stop at.

    Args:
        shuffle: shuffle within every hundred designs.
        seed: of the shuffling.
    """

    def __init__(self, seed: int, shuffle: bool = True) -> None:
        super().__init__(shuffle=shuffle, seed=seed)

    def _grid_generator(self, model_space: Any) -> Iterator[Any]:
        choices = model_space.simplify()
        for values in product(*(mutable.values for mutable in choices.values())):
            sample = dict(zip(choices, values, strict=True))
            if model_space.contains(sample):
                yield model_space.freeze(sample)


def _grid(context: BuildContext) -> FusionGridSearch:
    return FusionGridSearch(seed=context.seed)


GRID_ENTRY = StrategyEntry(
    "grid", "multi-trial", "grid search (NNI's GridSearch), for small spaces", _grid, in_all=False
)
