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

    def take_up(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Let these be the first members of the population, by their samples; what follows is drawn as ever."""
        # NNI's decorator keeps the constructor for serialising: what comes later is kept beside it.
        self._founders = [dict(sample) for sample in samples]

    def random(self) -> Any:
        """The next founder; a random design where there is none left."""
        founders: list[dict[str, Any]] = getattr(self, "_founders", [])
        if not founders:
            return super().random()
        sample = founders.pop(0)
        if self._dedup_helper is not None:
            self._dedup_helper.dedup(sample)
        self._individual_counter += 1
        return self.model_space.freeze(sample)

    def new_individual(self) -> Any:
        """A founder that the population had no place for; a mutated winner of a tournament; or a random design.

        Random if all candidates so far have failed.
        """
        if getattr(self, "_founders", []):
            return self.random()
        if not self._population:
            self.engine.wait_models()
        return super().new_individual() if self._population else self.random()
