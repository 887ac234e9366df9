"""`WholeModel`: a model that is no network: fitted on all training rows at once, and asked about a split at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from nas_fusion.data import EncodedSplit
from nas_fusion.errors import TrainingError


class WholeState(NamedTuple):
    """What is kept of a model that is no network: its buffers by name, and its `WholeModel.size` and `passes`."""

    tensors: Mapping[str, Tensor]
    size: int
    passes: int


class WholeModel(nn.Module, ABC):
    """A model that somebody else's library has fitted; a module, so that its state is kept as every model's is.

    What it has learnt lies in buffers (the text of a boosted tree as bytes): nothing has to be unpickled.

    Attributes:
        size: how many numbers it has learnt: coefficients, or leaves.
        passes: how often fitting it read the training rows.
        stopped: why fitting ended: ``"patience"`` (the validation rows no longer gained), ``"rounds"`` (as many as were
            allowed) or ``"converged"``; ``"fitted"`` where nothing is known.
        carried_by: how it gets into other services, in a few words for messages.
    """

    carried_by: ClassVar[str] = "its own library writes it for other services"
    size: int
    passes: int
    stopped: str = "fitted"

    @property
    def state(self) -> WholeState:
        """What the entry's `open_model` makes it from again."""
        return WholeState(self.state_dict(), self.size, self.passes)

    @abstractmethod
    def split_logits(self, split: EncodedSplit) -> npt.NDArray[np.float64]:
        """The logits of all rows of a split, float64 ``[rows]``."""

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        """Refused: a boosted tree is asked for the numbers of the log, which a batch of ids does not have.

        Raises:
            TrainingError: always.
        """
        raise TrainingError(f"{type(self).__name__} predicts whole splits: call predict_logits")
