"""`RecipeSettings`: how models are trained."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.errors import OptionError
from nas_fusion.settings.option import Panel, check_fields, number, text, word

STEPS_PER_EPOCH = 40
"""``batch_size = 0`` aims at this many steps an epoch: enough for Adam to move the gates, few enough to be quick."""

SMALLEST_BATCH, LARGEST_BATCH = 128, 4096
"""Bounds of the automatic batch size; 4096 is the published one."""


CHOICES = ("auto", "defaults")
"""How a recipe comes about: by a sweep on validation rows, or as it is given."""

SWEPT = (
    "recipe.embedding_l2",
    "recipe.learning_rate",
    "recipe.batch_size",
    "model.batch_norm",
    "model.dropout",
    "model.emb_dim",
)
"""The settings that a sweep chooses, by dotted name."""

SMALL_LOG, MIDDLE_LOG = 50_000, 250_000
"""Training rows up to which ``members = 0`` means four networks, and two; a larger log has one."""


OF_THE_CHOICE = ("choice", "sweep_passes", "kept")
"""Fields of `RecipeSettings` that say how the others come about."""


def automatic_batch_size(train_rows: int) -> int:
    """The power of two that gives about `STEPS_PER_EPOCH` steps an epoch, within bounds."""
    size = LARGEST_BATCH
    while size > SMALLEST_BATCH and size * STEPS_PER_EPOCH > train_rows:
        size //= 2
    return size


def automatic_members(train_rows: int) -> int:
    """How many networks are trained and averaged: on small logs, where it is worth most, it costs least."""
    if train_rows <= SMALL_LOG:
        return 4
    return 2 if train_rows <= MIDDLE_LOG else 1


@dataclass(frozen=True)
class RecipeSettings:
    """How models are trained: supernets and candidates while searching, and the found designs for good.

    Args:
        choice: ``auto``: before a comparison, a short sweep on validation rows chooses what is in `SWEPT`, as far as
            nothing fixes it, for all strategies alike; ``defaults``: everything is as it is here.
        sweep_passes: so many passes over the training rows may the sweep take; 0: a tenth of the comparison's.
        kept: names from `SWEPT` that are kept as they are; values other than the defaults are kept anyway.
        learning_rate: Adam's.
        retrain_learning_rate: Adam's when re-training a hard model or training a hand-made one; 0: `learning_rate`.
        embedding_optimizer: ``adam`` or ``touched-rows-adam``.
        embedding_l2, network_l2: L2 in the gradient, per group.
        batch_size: 0 chooses one from the number of training rows.
        retrain_epochs: at most, when re-training.
        patience: re-training stops after this many epochs without a better validation AUC.
        select: by what validation chooses epochs, candidates and strategies: ``auc`` (of equals the one with the better
            logloss), ``logloss``, or ``gauc``, the AUC within the log's groups.
        lr_drop: the learning rate is multiplied by this after an epoch without a better validation AUC.
        averaging: candidates, re-trainings and hand-made models are validated, and kept, with the average of their
            weights over about so many epochs; 0: with the last ones.
        members: so many networks of a found design, or of a hand-made model, are trained with seeds of their own, and
            their logits averaged (`nas_fusion.nn.Ensemble`); 0 chooses a number from that of the training rows, and one
            for the built-in log, and where there is a limit on what a design may cost.
        gradient_clip: largest norm of the gradient; 0 for no clipping.
        soft_learning_rate: for re-training a soft model from the supernet's weights; 0: a tenth of `learning_rate`.

    Raises:
        OptionError: a value is out of its range (`nas_fusion.bounds`).
    """

    choice: str = word(
        "auto",
        CHOICES,
        "auto: a short sweep on validation rows chooses embedding L2, dropout, batch norm, embedding width, learning "
        "rate and batch size, unless they are given; defaults: as they are here.",
        panel=Panel.RECIPE,
        name="recipe",
    )
    sweep_passes: float = number(
        0.0,
        bounds.SWEEP_PASSES,
        "Passes over the training rows that --recipe auto may take.",
        panel=Panel.RECIPE,
        name="recipe-passes",
        zero="a tenth of the comparison's",
    )
    kept: tuple[str, ...] = text(
        (),
        "Settings that --recipe auto keeps as they are.",
        panel=Panel.RECIPE,
        hidden="it is known from what the user gives",
        read=lambda given: given,
        repeated=True,
    )
    learning_rate: float = number(1e-3, bounds.LEARNING_RATE, "Adam's learning rate.", panel=Panel.RECIPE, name="lr")
    retrain_learning_rate: float = number(
        0.0,
        bounds.LEARNING_RATE,
        "Of hard re-training and hand-made models.",
        panel=Panel.RECIPE,
        name="retrain-lr",
        zero="--lr",
    )
    embedding_optimizer: str = word(
        "adam",
        bounds.EMBEDDING_OPTIMIZERS,
        "adam, or touched-rows-adam: for millions of features, another algorithm.",
        panel=Panel.RECIPE,
    )
    embedding_l2: float = number(
        0.0, bounds.L2, "L2 of the embeddings, in the gradient (BARS: 0.05 on frappe).", panel=Panel.RECIPE
    )
    network_l2: float = number(0.0, bounds.L2, "L2 of the other weights, in the gradient.", panel=Panel.RECIPE)
    batch_size: int = number(
        0,
        bounds.BATCH_SIZE,
        "Rows of a batch.",
        panel=Panel.RECIPE,
        zero=f"from the number of rows, at most {LARGEST_BATCH}",
    )
    retrain_epochs: int = number(20, bounds.EPOCHS, "Most epochs of a re-training.", panel=Panel.RECIPE, name="epochs")
    patience: int = number(
        2, bounds.PATIENCE, "Re-training stops after so many epochs without a better AUC.", panel=Panel.RECIPE
    )
    select: str = word(
        "auc",
        bounds.SELECTIONS,
        "What validation chooses by: auc, logloss, or gauc (AUC within the groups of --group).",
        panel=Panel.RECIPE,
    )
    lr_drop: float = number(
        0.1, bounds.LR_DROP, "Learning rate's factor after an epoch without a better AUC.", panel=Panel.RECIPE
    )
    averaging: float = number(
        1.0,
        bounds.AVERAGING,
        "Weights are averaged over about so many epochs, and so validated and kept; 0: no averaging.",
        panel=Panel.RECIPE,
    )
    members: int = number(
        0,
        bounds.MEMBERS,
        "Networks that are trained of a found design or a hand-made model; their logits are averaged.",
        panel=Panel.RECIPE,
        zero=f"4 up to {SMALL_LOG:,} training rows, 2 up to {MIDDLE_LOG:,}, then 1",
    )
    gradient_clip: float = number(
        0.0, bounds.GRADIENT_CLIP, "Largest norm of the gradient; 0: no clipping.", panel=Panel.RECIPE
    )
    soft_learning_rate: float = number(
        0.0,
        bounds.LEARNING_RATE,
        "Of soft re-training.",
        panel=Panel.RECIPE,
        name="soft-lr",
        zero="a tenth of --lr",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "kept", tuple(self.kept))  # TOML and JSON bring lists
        for name in self.kept:
            if name not in SWEPT:
                raise OptionError("recipe.kept", f"names out of {', '.join(SWEPT)}", name)


@dataclass(frozen=True)
class UpdateSettings:
    """How a saved model goes on from its weights; what is not named here is as the model's recipe has it.

    Args:
        epochs: at most; 0: as many as the recipe.
        learning_rate: Adam's; 0: the recipe's.
        seed: of the order of the rows, and of dropout.

    Raises:
        OptionError: a value is out of its range.
    """

    epochs: int = number(
        0, bounds.EPOCHS, "At most so many epochs on the new rows.", panel=Panel.RECIPE, zero="those of the recipe"
    )
    learning_rate: float = number(
        0.0, bounds.LEARNING_RATE, "Adam's learning rate.", panel=Panel.RECIPE, name="lr", zero="that of the recipe"
    )
    seed: int = number(0, bounds.SEED, "Of the order of the rows.", panel=Panel.RECIPE)

    def __post_init__(self) -> None:
        check_fields(self)
