"""Every setting of a comparison: enough to run it again."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.data import DataOptions
from nas_fusion.errors import DamagedFileError, OptionError, StudyError, UnknownNameError
from nas_fusion.measures import DEFAULT_COST_PENALTY
from nas_fusion.search import Budget
from nas_fusion.search_spaces import DEFAULT_EMB_DIM, SPACES
from nas_fusion.system.files import read_text, write_text
from nas_fusion.system.seals import SEAL, SealError, digest, unsealed
from nas_fusion.training import TrainConfig

FORMAT_VERSION = 1
MADE_ANEW = "the command that made the study makes it anew"
SYNTHETIC = "synthetic"

STEPS_PER_EPOCH = 40
"""``batch_size = 0`` aims at this many steps an epoch: enough for Adam to move the gates, few enough to be quick."""

SMALLEST_BATCH, LARGEST_BATCH = 128, 4096
"""Bounds of the automatic batch size; 4096 is the published one."""

BUILT_IN_EMB_DIM = 4
"""Embedding width for the built-in log."""


def is_built_in(source: str) -> bool:
    """Whether a log is the built-in one, ``synthetic[:ROWS[:SEED]]``."""
    return source.split(":", maxsplit=1)[0] == SYNTHETIC


def automatic_batch_size(train_rows: int) -> int:
    """The power of two that gives about `STEPS_PER_EPOCH` steps an epoch, within bounds."""
    size = LARGEST_BATCH
    while size > SMALLEST_BATCH and size * STEPS_PER_EPOCH > train_rows:
        size //= 2
    return size


def _or_zero(name: str, bound: Bound, value: object) -> None:
    """Refuse what is neither 0, which lets nas-fusion choose, nor within a bound."""
    if not Bound(0, 0, bound.integer).allows(value) and not bound.allows(value):
        raise OptionError(name, f"0 or {bound}", value)


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that no comparison can have.

    Raises:
        OptionError: there is none, or there are too many, or two are the same, or one is out of its range.
    """
    if not isinstance(seeds, tuple | list) or not bounds.MANY_SEEDS.allows(len(seeds)) or len(set(seeds)) < len(seeds):
        raise OptionError("seeds", f"different integers, {bounds.MANY_SEEDS.range} of them", seeds)
    for seed in seeds:
        bounds.SEED.check("seeds", seed)


@dataclass(frozen=True)
class ModelSettings:
    """The search space.

    Args:
        space: registered name.
        levels: number of levels.
        emb_dim: width of a field's embedding; 0 chooses `BUILT_IN_EMB_DIM` for the built-in log, which is to be quick
            on a laptop, and `DEFAULT_EMB_DIM` for others.
        product: what a product does with a closed input while searching.
        batch_norm: batch norm in the deep blocks.
        dropout: in the deep blocks.

    Raises:
        OptionError: a value is out of its range (`nas_fusion.bounds`).
        UnknownNameError: there is no such space.
    """

    space: str = "dcn"
    levels: int = 3
    emb_dim: int = 0
    product: str = "zero"
    batch_norm: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        bounds.check_text("space", self.space)
        SPACES.get(self.space)
        bounds.LEVELS.check("levels", self.levels)
        _or_zero("emb_dim", bounds.EMB_DIM, self.emb_dim)
        bounds.one_of("product", self.product, bounds.PRODUCT_RULES)
        bounds.check_flag("batch_norm", self.batch_norm)
        bounds.DROPOUT.check("dropout", self.dropout)


_RECIPE = {
    "learning_rate": bounds.LEARNING_RATE,
    "embedding_l2": bounds.L2,
    "network_l2": bounds.L2,
    "retrain_epochs": bounds.EPOCHS,
    "patience": bounds.PATIENCE,
    "lr_drop": bounds.LR_DROP,
    "gradient_clip": bounds.GRADIENT_CLIP,
}
_RECIPE_OR_ZERO = {
    "retrain_learning_rate": bounds.LEARNING_RATE,
    "soft_learning_rate": bounds.LEARNING_RATE,
    "batch_size": bounds.BATCH_SIZE,
}


@dataclass(frozen=True)
class RecipeSettings:
    """How models are trained: supernets and candidates while searching, and the found designs for good.

    Args:
        learning_rate: Adam's.
        retrain_learning_rate: Adam's when re-training a hard model or training a hand-made one; 0: `learning_rate`.
        embedding_optimizer: ``adam`` or ``touched-rows-adam``.
        embedding_l2, network_l2: L2 in the gradient, per group.
        batch_size: 0 chooses one from the number of training rows.
        retrain_epochs: at most, when re-training.
        patience: re-training stops after this many epochs without a better validation AUC.
        lr_drop: the learning rate is multiplied by this after an epoch without a better validation AUC.
        gradient_clip: largest norm of the gradient; 0 for no clipping.
        soft_learning_rate: for re-training a soft model from the supernet's weights; 0: a tenth of `learning_rate`.

    Raises:
        OptionError: a value is out of its range (`nas_fusion.bounds`).
    """

    learning_rate: float = 1e-3
    retrain_learning_rate: float = 0.0
    embedding_optimizer: str = "adam"
    embedding_l2: float = 0.0
    network_l2: float = 0.0
    batch_size: int = 0
    retrain_epochs: int = 20
    patience: int = 2
    lr_drop: float = 0.1
    gradient_clip: float = 0.0
    soft_learning_rate: float = 0.0

    def __post_init__(self) -> None:
        for name, bound in _RECIPE.items():
            bound.check(name, getattr(self, name))
        for name, bound in _RECIPE_OR_ZERO.items():
            _or_zero(name, bound, getattr(self, name))
        bounds.one_of("embedding_optimizer", self.embedding_optimizer, bounds.EMBEDDING_OPTIMIZERS)


@dataclass(frozen=True)
class LimitSettings:
    """What a searched design may cost at most; 0 is no limit.

    Args:
        parameters: weights of the re-trained model, the embedding table included.
        multiply_adds: per row, when predicting.
        latency_ms: milliseconds per batch of `latency_batch` rows, measured on the machine that searches.
        latency_batch: one of `nas_fusion.bounds.LATENCY_BATCHES`.
        cost_penalty: weight of OptFusion's penalty while searching above a limit.

    Raises:
        OptionError: a value is out of its range.
    """

    parameters: int = 0
    multiply_adds: int = 0
    latency_ms: float = 0.0
    latency_batch: int = 4096
    cost_penalty: float = DEFAULT_COST_PENALTY

    def __post_init__(self) -> None:
        bounds.MOST_COST.check("parameters", self.parameters)
        bounds.MOST_COST.check("multiply_adds", self.multiply_adds)
        bounds.MOST_MILLISECONDS.check("latency_ms", self.latency_ms)
        bounds.COST_PENALTY.check("cost_penalty", self.cost_penalty)
        bounds.one_of("latency_batch", self.latency_batch, bounds.LATENCY_BATCHES)

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return bool(self.parameters or self.multiply_adds or self.latency_ms)


@dataclass(frozen=True)
class ComparisonSettings:
    """What is compared on what.

    Args:
        source: the log, as the user named it.
        data: how it is read, split and encoded.
        strategies: names of the entries, in the order of the table.
        seeds: one cell per strategy and seed.
        budget: per strategy and seed; see `nas_fusion.search.Budget.parse`.
        candidates: into how many candidates a multi-trial strategy divides its budget.
        concurrency: how many candidates a multi-trial strategy proposes before it hears of the first one's result.
        tune: tuning trials per strategy, before its cells.
        anytime_test: measure the test AUC of every incumbent of a search when it is over, for the anytime curves.
        importance: measure what every connection of a re-trained model is worth on validation rows.
        model: the search space.
        recipe: how models are trained.
        parameters: strategy → those of its own parameters that differ from its defaults. A strategy that uses another's
            search has the other's, too.
        limits: on what designs may cost.
        device, precision: as in `nas_fusion.training.TrainConfig`.

    Raises:
        OptionError: a value is out of its range (`nas_fusion.bounds`).
    """

    source: str
    data: DataOptions
    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    budget: str = "5x"
    candidates: int = 10
    concurrency: int = 1
    tune: int = 0
    anytime_test: bool = True
    importance: bool = True
    model: ModelSettings = ModelSettings()
    recipe: RecipeSettings = RecipeSettings()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: LimitSettings = LimitSettings()
    device: str = "auto"
    precision: str = "32"

    def __post_init__(self) -> None:
        bounds.check_text("source", self.source)
        check_seeds(self.seeds)
        if not isinstance(self.strategies, tuple | list) or len(set(self.strategies)) < len(self.strategies):
            raise OptionError("strategies", "different names", self.strategies)
        bounds.check_text("budget", self.budget)
        Budget.parse(self.budget, 1)  # its form; how many samples that are is known with the log
        bounds.CANDIDATES.check("candidates", self.candidates)
        bounds.CONCURRENCY.check("concurrency", self.concurrency)
        bounds.TUNE.check("tune", self.tune)
        bounds.check_flag("anytime_test", self.anytime_test)
        bounds.check_flag("importance", self.importance)
        self.retrain_config(self.train_config(rows=1))  # validates the recipe early

    @property
    def emb_dim(self) -> int:
        """The embedding width in use."""
        return self.model.emb_dim or (BUILT_IN_EMB_DIM if is_built_in(self.source) else DEFAULT_EMB_DIM)

    def batch_size(self, rows: int) -> int:
        """The batch size for a number of training rows."""
        return self.recipe.batch_size or automatic_batch_size(rows)

    def train_config(self, rows: int, seed: int = 0) -> TrainConfig:
        """The recipe; searches adapt it to their budget, and re-training may have a rate of its own."""
        r = self.recipe
        return TrainConfig(
            learning_rate=r.learning_rate,
            embedding_optimizer=r.embedding_optimizer,
            embedding_l2=r.embedding_l2,
            network_l2=r.network_l2,
            batch_size=self.batch_size(rows),
            max_epochs=r.retrain_epochs,
            patience=r.patience,
            lr_drop=r.lr_drop,
            gradient_clip=r.gradient_clip or None,
            seed=seed,
            device=self.device,
            precision=self.precision,
        )

    def retrain_config(self, config: TrainConfig) -> TrainConfig:
        """The recipe of hard re-training."""
        return replace(config, learning_rate=self.recipe.retrain_learning_rate or config.learning_rate)

    def soft_config(self, config: TrainConfig) -> TrainConfig:
        """The recipe of soft re-training: it starts from trained weights, so it takes smaller steps."""
        return replace(config, learning_rate=self.recipe.soft_learning_rate or config.learning_rate / 10)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, nested as in ``study.toml``; options that are None are left out."""
        content = asdict(self)
        content["data"] = self.data.to_dict()
        plain: dict[str, Any] = _without_none(content)
        return plain

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ComparisonSettings:
        """The settings that `to_dict` gave, or that were read from a ``study.toml``.

        Raises:
            OptionError: a value that is not allowed.
        """
        data = dict(content["data"])
        if "fields" in data:
            data["fields"] = tuple(data["fields"])
        return cls(
            **{
                **content,
                "data": DataOptions(**data),
                "strategies": tuple(content["strategies"]),
                "seeds": tuple(content["seeds"]),
                "model": ModelSettings(**content["model"]),
                "recipe": RecipeSettings(**content["recipe"]),
                "limits": LimitSettings(**content.get("limits", {})),
            }
        )

    def write(self, path: Path, fingerprint: str) -> None:
        """Write ``study.toml``, with a checksum."""
        content = {"format": FORMAT_VERSION, "fingerprint": fingerprint, **self.to_dict()}
        write_text(path, tomli_w.dumps({**content, SEAL: digest(content)}))


def complete(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain values; those that did not exist when they were written have their defaults.

    Raises:
        StudyError: they were written by a version that had others.
    """
    try:
        return ComparisonSettings.from_dict(content).to_dict()
    except (OptionError, UnknownNameError) as error:
        raise StudyError(f"a setting that this version of nas-fusion does not allow: {error}") from error
    except (KeyError, TypeError) as error:
        raise StudyError(f"settings of another version of nas-fusion: {error}") from error


def read_settings(path: Path) -> tuple[dict[str, Any], str]:
    """The settings in a ``study.toml`` as plain values (see `complete`), and the fingerprint of the data.

    Raises:
        DamagedFileError: the file cannot be read, or was changed since it was written.
        StudyError: it is of another version.
    """
    text = read_text(path, MADE_ANEW)
    try:
        content = unsealed(tomllib.loads(text), required=False)
        version, fingerprint = content.pop("format"), content.pop("fingerprint")
    except SealError as error:
        raise DamagedFileError(path, error, MADE_ANEW) from error
    except (ValueError, KeyError, RecursionError) as error:
        raise DamagedFileError(path, f"damaged: not the settings of a study: {error}", MADE_ANEW) from error
    if version != FORMAT_VERSION:
        raise StudyError(f"{path}: format must be {FORMAT_VERSION}, got {version!r}")
    try:
        return complete(content), str(fingerprint)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from error


def differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """The settings that differ, as "name: theirs in the study, ours asked for"."""
    found: list[str] = []
    for name in sorted(set(ours) | set(theirs)):
        a, b = ours.get(name), theirs.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{name}.")
        elif _plain(a) != _plain(b):
            found.append(f"{prefix}{name}: {_plain(b)!r} in the study, {_plain(a)!r} asked for")
    return found


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, tuple | list) else value
