"""Every setting of a comparison: enough to run it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from nas_fusion import bounds
from nas_fusion.budget import Budget
from nas_fusion.errors import OptionError
from nas_fusion.settings.data_options import DataOptions
from nas_fusion.settings.limit_settings import LimitSettings
from nas_fusion.settings.model_settings import BUILT_IN_EMB_DIM, DEFAULT_EMB_DIM, ModelSettings
from nas_fusion.settings.option import Panel, check_fields, flag, number, text, word
from nas_fusion.settings.recipe_settings import RecipeSettings, automatic_batch_size, automatic_members
from nas_fusion.settings.train_config import TrainConfig

SYNTHETIC = "synthetic"
PLANTED = f"{SYNTHETIC}:planted"

NO_PART_OF_A_STUDY = ("track",)
"""Settings that change no result: a study goes on with others than it was made with."""


def is_built_in(source: str) -> bool:
    """Whether a log is the built-in one, ``synthetic[:ROWS[:SEED]]``, or one drawn like it."""
    return source.split(":", maxsplit=1)[0] == SYNTHETIC


def is_planted(source: str) -> bool:
    """Whether a log is a planted one, ``synthetic:planted[:TEACHER][:NAME=VALUE …]``."""
    return source == PLANTED or source.startswith(f"{PLANTED}:")


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that no comparison can have.

    Raises:
        OptionError: there is none, or there are too many, or two are the same, or one is out of its range.
    """
    if not isinstance(seeds, tuple | list) or not bounds.MANY_SEEDS.allows(len(seeds)) or len(set(seeds)) < len(seeds):
        raise OptionError("seeds", f"different integers, {bounds.MANY_SEEDS.range} of them", seeds)
    for seed in seeds:
        bounds.SEED.check("seeds", seed)


StartFrom = Literal["auto", "handmade", "nothing"]
"""What a multi-trial search begins with."""


@dataclass(frozen=True)
class ComparisonSettings:
    """What is compared on what.

    Args:
        source: the log, as the user named it.
        data: how it is read, split and encoded.
        strategies: names of the entries, in the order of the table.
        seeds: one cell per strategy and seed.
        budget: per strategy and seed; see `nas_fusion.budget.Budget.parse`.
        candidates: into how many candidates a multi-trial strategy divides its budget.
        start_from: the first candidates of a multi-trial strategy; ``"auto"``: as the search space says.
        concurrency: how many candidates a multi-trial strategy proposes before it hears of the first one's result.
        tune: tuning trials per strategy, before its cells.
        anytime_test: measure the test AUC of every incumbent of a search when it is over, for the anytime curves.
        importance: measure what every connection of a re-trained model is worth on validation rows.
        predictions: keep the test predictions of every cell.
        track: who is told of every finished cell (`nas_fusion.bounds.TRACKERS`); no part of what a study is.
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
    budget: str = text(
        "5x",
        "Per search: samples seen (5x: passes over the training rows, 400k, 3M), candidate trainings of one pass "
        "(12c, or 12c:0.5x of another size) or seconds (600s, 10m; not exactly repeatable).",
        panel=Panel.BUDGET,
        metavar="BUDGET",
        first=True,
    )
    # On tables of designs, with up to thirty passes: more candidates are trained too shortly to be ranked, fewer are
    # too few (docs/guide/design-table.md).
    candidates: int = number(
        5,
        bounds.CANDIDATES,
        "Candidates among which a multi-trial strategy divides the budget; one like 12c decides it itself.",
        panel=Panel.BUDGET,
    )
    start_from: StartFrom = word(
        "auto",
        bounds.STARTS,
        "First candidates of a multi-trial strategy: handmade, the hand-made models that are designs of the space, "
        "which count like any others; nothing; auto: handmade in the space wide, else nothing.",
        panel=Panel.BUDGET,
    )
    concurrency: int = number(
        1,
        bounds.CONCURRENCY,
        "Candidates that a multi-trial strategy proposes before it hears of a result.",
        panel=Panel.RUN,
    )
    tune: int = number(
        0,
        bounds.TUNE,
        "Tuning trials for every strategy, before its cells run.",
        panel=Panel.BUDGET,
        first=True,
    )
    anytime_test: bool = flag(
        True,
        "Measure the test AUC of a search's best models so far when it is over, for the curves.",
        panel=Panel.WRITTEN,
    )
    importance: bool = flag(True, "Measure what each connection of a found design is worth.", panel=Panel.WRITTEN)
    predictions: bool = flag(True, "Keep each cell's test predictions (Parquet).", panel=Panel.WRITTEN)
    track: tuple[str, ...] = word(
        (),
        bounds.TRACKERS,
        "Also tell a tracker of what was trained: mlflow, tensorboard or wandb; may be repeated.",
        panel=Panel.WRITTEN,
        repeated=True,
    )
    model: ModelSettings = field(default_factory=ModelSettings)
    recipe: RecipeSettings = field(default_factory=RecipeSettings)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: LimitSettings = field(default_factory=LimitSettings)
    device: str = text(
        TrainConfig.device, "auto, cpu, cuda or cuda:N.", panel=Panel.RUN, metavar="DEVICE",
        form=bounds.DEVICE_FORM, allows=bounds.is_device,
    )  # fmt: skip
    precision: str = word(TrainConfig.precision, bounds.PRECISIONS, "32, bf16 or 64.", panel=Panel.RUN)

    def __post_init__(self) -> None:
        bounds.check_text("source", self.source)
        check_seeds(self.seeds)
        if not isinstance(self.strategies, tuple | list) or len(set(self.strategies)) < len(self.strategies):
            raise OptionError("strategies", "different names", self.strategies)
        check_fields(self)
        if self.limits.any and self.recipe.members > 1:
            raise OptionError(
                "members", "1 with a limit on what designs cost, which is one network's", self.recipe.members
            )
        object.__setattr__(self, "track", tuple(dict.fromkeys(self.track)))  # a file has it as a list
        Budget.parse(self.budget, 1)  # its form; how many samples that are is known with the log

    @property
    def emb_dim(self) -> int:
        """The embedding width in use."""
        return self.model.emb_dim or (BUILT_IN_EMB_DIM if is_built_in(self.source) else DEFAULT_EMB_DIM)

    def batch_size(self, rows: int) -> int:
        """The batch size for a number of training rows."""
        return self.recipe.batch_size or automatic_batch_size(rows)

    def members(self, rows: int) -> int:
        """How many networks a re-training averages, for a number of training rows."""
        one = self.limits.any or is_built_in(self.source)  # which is to be quick on a laptop
        return self.recipe.members or (1 if one else automatic_members(rows))

    def of_one_network(self) -> ComparisonSettings:
        """These settings, every re-training one of a single network: where a choice is to be made cheaply."""
        return replace(self, recipe=replace(self.recipe, members=1))

    def train_config(self, rows: int, seed: int = TrainConfig.seed) -> TrainConfig:
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
            select=r.select,
            lr_drop=r.lr_drop,
            averaging=r.averaging,
            members=self.members(rows),
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
                # What was written before there was a choice had none.
                "model": ModelSettings(**{"block_width": "0", **content["model"]}),
                "recipe": RecipeSettings(**{"choice": "defaults", "averaging": 0.0, "members": 1, **content["recipe"]}),
                "limits": LimitSettings(**{"prefer": "best", **content.get("limits", {})}),
            }
        )


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, tuple | list) else value
