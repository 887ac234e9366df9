"""`TrainConfig`: one recipe for candidates, supernets and final training."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError
from nas_fusion.settings.recipe_settings import LARGEST_BATCH, RecipeSettings

_ALWAYS = {
    "learning_rate": bounds.LEARNING_RATE,
    "embedding_l2": bounds.L2,
    "network_l2": bounds.L2,
    "batch_size": bounds.BATCH_SIZE,
    "max_epochs": bounds.EPOCHS,
    "patience": bounds.PATIENCE,
    "lr_drop": bounds.LR_DROP,
    "averaging": bounds.AVERAGING,
    "members": bounds.MEMBERS,
    "min_improvement": Bound(0, 1, integer=False),
    "seed": bounds.SEED,
}
_OR_NONE = {
    "embedding_learning_rate": bounds.LEARNING_RATE,
    "gradient_clip": Bound(0, bounds.GRADIENT_CLIP.high, integer=False, above=True),
    "max_samples": Bound(1, bounds.MOST_SAMPLES),
    "max_seconds": Bound(0, bounds.MOST_SECONDS, integer=False, above=True),
}


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained.

    The published frappe recipe of the BARS benchmark is ``embedding_l2=0.05, lr_drop=0.1, patience=2``: its L2 loss
    term ``(0.05 / 2) · ||E||²`` over the whole table has the gradient ``0.05 · E``, which is what `embedding_l2` adds.

    Args:
        learning_rate: Adam's, of both groups.
        embedding_learning_rate: of the embeddings, if different.
        embedding_optimizer: ``adam``, or ``touched-rows-adam`` for tables with millions of rows: only the rows in a
            batch are stepped (`TouchedRowsAdam`: not the same algorithm).
        embedding_l2, network_l2: added to the gradient times the weight (Adam's coupled ``weight_decay``), per group.
        batch_size: rows of a batch.
        max_epochs: at most.
        patience: stop after this many epochs in a row without a better validation AUC; 0: never.
        lr_drop: after an epoch without a better validation AUC, learning rates are multiplied by this; 1: never.
        min_improvement: for `patience` and `lr_drop` an epoch is better only if its validation AUC is above the best
            so far by more than this. The model still ends with the weights of the epoch with the very best AUC.
            One-shot searches take zero instead: any gain counts there.
        averaging: over about so many epochs weights are averaged (`AveragedWeights`); what is validated and kept is the
            average; 0: none. Trainings of a supernet have none.
        members: networks that a re-training trains and averages (`nas_fusion.nn.Ensemble`). One training is that of one
            network: candidates and supernets have one.
        gradient_clip: largest norm of the gradient; None: no clipping.
        seed: of the batches' order and of dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``32``, ``bf16`` (autocast) or ``64``.
        select: what "better" is on validation rows: ``auc``, ``logloss`` or ``gauc``; where the above speak of the
            validation AUC, they mean this.
        max_samples: stop, with a last validation, at the first batch that reaches this many training rows; None: no
            such bound.
        max_seconds: the same for wall-clock seconds, validations included; None: no such bound.

    Raises:
        OptionError: a value is out of its range.
    """

    learning_rate: float = RecipeSettings.learning_rate
    embedding_learning_rate: float | None = None
    embedding_optimizer: str = RecipeSettings.embedding_optimizer
    embedding_l2: float = RecipeSettings.embedding_l2
    network_l2: float = RecipeSettings.network_l2
    batch_size: int = LARGEST_BATCH
    max_epochs: int = RecipeSettings.retrain_epochs
    patience: int = RecipeSettings.patience
    lr_drop: float = 1.0
    min_improvement: float = 1e-4
    averaging: float = 0.0
    members: int = 1
    gradient_clip: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "32"
    select: str = RecipeSettings.select
    max_samples: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for name, bound in _ALWAYS.items():
            bound.check(name, getattr(self, name))
        for name, bound in _OR_NONE.items():
            if getattr(self, name) is not None:
                bound.check(name, getattr(self, name))
        bounds.one_of("precision", self.precision, bounds.PRECISIONS)
        bounds.one_of("select", self.select, bounds.SELECTIONS)
        bounds.one_of("embedding_optimizer", self.embedding_optimizer, bounds.EMBEDDING_OPTIMIZERS)
        if not bounds.is_device(self.device):
            raise OptionError("device", bounds.DEVICE_FORM, self.device)
