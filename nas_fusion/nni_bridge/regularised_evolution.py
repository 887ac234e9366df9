"""NNI's regularised evolution, with more candidates at once than its population has members.

NNI draws a population and breeds from it at once, whether anything of it has been trained or not, and then fails on the
empty population.
"""

from __future__ import annotations

from typing import Any

from nas_fusion.nni_bridge.nni_import import RegularizedEvolution


class MendedEvolution(RegularizedEvolution):
    """NNI's `RegularizedEvolution`, which waits until there is somebody to breed from."""

    def new_individual(self) -> Any:
        """A mutated winner of a tournament; a random design if all candidates so far have failed."""
        if not self._population:
            self.engine.wait_models()
        return super().new_individual() if self._population else self.random()
