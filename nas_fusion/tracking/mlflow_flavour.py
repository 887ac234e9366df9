"""What MLflow loads an artefact with: ``mlflow.pyfunc.load_model(uri).predict(rows)`` gives the rows' scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nas_fusion.serving import load

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nas_fusion.serving import SavedModel


class ScoringModel:
    """A model of MLflow's Python flavour.

    Args:
        model: what was loaded.
    """

    def __init__(self, model: SavedModel) -> None:
        self._model = model

    def predict(self, data: pd.DataFrame, params: Mapping[str, object] | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of a click, ``[rows]``; see `nas_fusion.serving.SavedModel.scores`.

        Args:
            data: the rows; columns in any order, no label needed.
            params: of MLflow; there are none.

        Raises:
            DataError: a column is missing, or a cell cannot be read; names it.
        """
        return self._model.scores(data)


def _load_pyfunc(path: str) -> ScoringModel:
    """Load an artefact; MLflow calls it by this name."""
    return ScoringModel(load(path))
