"""NNI's regularised evolution, with more candidates at once than its population has members, and with given founders.

NNI draws a population and breeds from it at once, whether anything of it has been trained or not, and then fails on the
empty population. And it draws all of the first population at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas_fusion.nni_bridge.nni_import import RegularizedEvolution


class MendedEvolution(RegularizedEvolution):
    """NNI's `RegularizedEvolution`, which waits until there is somebody to breed from, and takes founders."""

    _founders: tuple[dict[str, Any], ...] = ()

    def take_up(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Let these be the first members of the population, by their samples; what follows is drawn as ever."""
        self._founders = tuple(dict(sample) for sample in samples)

    def random(self) -> Any:
        """The next founder; a random design where there is none left."""
        if not self._founders:
            return super().random()
        sample, *left = self._founders
        self._founders = tuple(left)
        if self._dedup_helper is not None:
            # Known from now on: no mutation is to be the same design once more.
            self._dedup_helper.dedup(sample)
        self._individual_counter += 1
        return self.model_space.freeze(sample)

    def new_individual(self) -> Any:
        """A founder for whom the first population had no place; else a mutated winner of a tournament.

        A random design if all candidates so far have failed.
        """
        if self._founders:
            return self.random()
        if not self._population:
            self.engine.wait_models()
        return super().new_individual() if self._population else self.random()
