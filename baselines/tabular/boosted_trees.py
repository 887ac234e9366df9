"""Gradient-boosted trees by LightGBM and CatBoost, which come with the extra ``trees``.

Ke et al., *LightGBM*, NeurIPS 2017; Prokhorenkova et al., *CatBoost*, NeurIPS 2018. Both get numbers as numbers, with
missing ones left missing, and categories as categories, and stop when the validation AUC no longer rises, or what
else validation chooses by (`TrainConfig.select`).
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from nas_fusion.baselines.tabular.tabular_columns import TabularColumns
from nas_fusion.errors import MissingPackageError
from nas_fusion.system.deadline import TimeIsUp, check_deadline, has_to_end, is_watched
from nas_fusion.training import Predictions, WholeModel, WholeState
from nas_fusion.training.quality import grouped_auc, rank_of

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from nas_fusion.architecture import Architecture
    from nas_fusion.data import EncodedSplit, Schema, SearchData
    from nas_fusion.training import TrainConfig

PATIENCE = 50
"""Rounds without a gain on the validation rows after which no tree is added."""

GAUC = "gauc"
LIGHTGBM_METRICS = {"auc": "auc", "logloss": "binary_logloss", GAUC: "None"}
CATBOOST_METRICS = {"auc": "AUC", "logloss": "Logloss"}
"""What the libraries call what validation chooses by; AUC within groups neither of them has for classification."""

LIGHTGBM: Mapping[str, float] = {
    "lambda_l2": 0.0,
    "feature_fraction": 1.0,
    "bagging_fraction": 1.0,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
}
CATBOOST: Mapping[str, float] = {
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "subsample": 0.8,
    "rsm": 1.0,
    "one_hot_max_size": 2,
    "max_ctr_complexity": 0,
}
"""Parameters by the libraries' own names. They are passed on where they differ from these values, which stand for what
a library does when nothing is said."""

LEAVES = "num_leaves="
"""Before the number of leaves of every tree, in LightGBM's file."""

EXACT = 1 << 24
"""Up to here every whole number is a float32."""


def is_installed(library: str) -> bool:
    """Whether a library can be imported; it is not."""
    return find_spec(library) is not None


class BoostedTrees(WholeModel):
    """Trees that a library keeps.

    Args:
        columns: of the log.
        content: the library's own file of the model, as bytes.
        passes, size: as of `WholeModel`.
    """

    content: Tensor

    def __init__(self, columns: TabularColumns, content: bytes, passes: int, size: int) -> None:
        super().__init__()
        self.columns, self.passes, self.size = columns, passes, size
        self.register_buffer("content", torch.frombuffer(bytearray(content), dtype=torch.uint8))

    def ended_of(self, most: int) -> Self:
        """Say why fitting ended that might have taken `most` rounds."""
        early = "time" if has_to_end() else "patience"
        self.stopped = early if self.passes < most else "rounds"
        return self

    @property
    def file(self) -> bytes:
        """The library's own file of the model."""
        return bytes(self.content.numpy().tobytes())


class LightGbmTrees(BoostedTrees):
    """Trees of LightGBM."""

    carried_by = (
        "trees are carried by LightGBM itself: `nas_fusion.load(MODEL).module.file` is its model.txt, which "
        "lightgbm.Booster, Treelite and onnxmltools read"
    )

    def split_logits(self, split: EncodedSplit) -> npt.NDArray[np.float64]:
        """The logits of all rows of a split."""
        booster = _library("lightgbm").Booster(model_str=self.file.decode())
        return np.asarray(booster.predict(_matrix(split, self.columns), raw_score=True), np.float64)


class CatBoostTrees(BoostedTrees):
    """Trees of CatBoost."""

    carried_by = (
        "trees are carried by CatBoost itself: `nas_fusion.load(MODEL).module.file` is its model.cbm, which its "
        "appliers read in C, Java, Rust and more, and of which its save_model writes C++ and Python"
    )

    def split_logits(self, split: EncodedSplit) -> npt.NDArray[np.float64]:
        """The logits of all rows of a split."""
        model = _library("catboost").CatBoostClassifier()
        model.load_model(blob=self.file)
        return np.asarray(model.predict(_pool(split, self.columns), prediction_type="RawFormulaVal"), np.float64)


def fit_lightgbm(architecture: Architecture, data: SearchData, config: TrainConfig) -> LightGbmTrees:
    """Fit trees of LightGBM; the settings of the architecture are its parameters of these names.

    Raises:
        MissingPackageError: it is not installed.
    """
    library, settings = _library("lightgbm"), architecture.settings
    columns = TabularColumns.of(data.schema)
    categories = list(range(len(columns.categories)))

    def dataset(split: EncodedSplit, reference: Any = None) -> Any:
        return library.Dataset(
            _matrix(split, columns), np.asarray(split.labels), weight=columns.weights_of(split), reference=reference,
            categorical_feature=categories, free_raw_data=False,
        )  # fmt: skip

    train = dataset(data.train)
    parameters = {
        "objective": "binary",
        "metric": LIGHTGBM_METRICS[config.select],
        "learning_rate": settings["learning_rate"],
        "num_leaves": settings["num_leaves"],
        "min_data_in_leaf": settings["min_data_in_leaf"],
        **_said(settings, LIGHTGBM),
        **({"bagging_freq": 1} if "bagging_fraction" in _said(settings, LIGHTGBM) else {}),
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": torch.get_num_threads(),
        "verbosity": -1,
    }
    rounds: dict[str, dict[str, list[float]]] = {}
    booster = library.train(
        parameters,
        train,
        num_boost_round=settings["rounds"],
        valid_sets=[dataset(data.valid, train)],
        feval=_lightgbm_gauc(data.valid) if config.select == GAUC else None,
        callbacks=[
            library.early_stopping(PATIENCE, verbose=False),
            library.record_evaluation(rounds),
            _EndInTime(),
        ],
    )
    text = booster.model_to_string(num_iteration=_kept(booster.best_iteration, rounds, config.select))
    leaves = sum(int(line.removeprefix(LEAVES)) for line in text.splitlines() if line.startswith(LEAVES))
    return LightGbmTrees(columns, text.encode(), _rounds(rounds), leaves).ended_of(settings["rounds"])


def fit_catboost(architecture: Architecture, data: SearchData, config: TrainConfig) -> CatBoostTrees:
    """Fit trees of CatBoost; the settings of the architecture are its parameters (learning rate 0: its own choice).

    Raises:
        MissingPackageError: it is not installed.
    """
    library, settings = _library("catboost"), architecture.settings
    columns = TabularColumns.of(data.schema)
    rate = {"learning_rate": settings["learning_rate"]} if settings["learning_rate"] else {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # It writes files wherever it is told to, and would like to compile a metric of ours.
        warnings.filterwarnings("ignore", "Failed to import numba", UserWarning)
        model = library.CatBoostClassifier(
            iterations=settings["rounds"],
            depth=settings["depth"],
            **rate,
            **_said(settings, CATBOOST),
            eval_metric=CATBOOST_METRICS.get(config.select) or CatBoostGauc(data.valid),
            random_seed=config.seed,
            od_type="Iter",
            od_wait=PATIENCE,
            thread_count=torch.get_num_threads(),
            allow_writing_files=False,
            logging_level="Silent",
        )
        model.fit(
            _pool(data.train, columns), eval_set=_pool(data.valid, columns), use_best_model=True,
            callbacks=[_StopInTime()] if is_watched() else None,
        )  # fmt: skip
        check_deadline()
        best = model.get_best_iteration()
        if best is not None and model.tree_count_ > best + 1:  # as it does by itself where nothing has ended it
            model.shrink(ntree_end=best + 1)
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        content = path.read_bytes()
    rounds = _rounds({"validation": model.get_evals_result()["validation"]})
    leaves = int(np.sum(model.get_tree_leaf_counts()))
    return CatBoostTrees(columns, content, rounds, leaves).ended_of(settings["rounds"])


def _said(settings: Mapping[str, Any], unsaid: Mapping[str, float]) -> dict[str, Any]:
    """The settings that say something else than nothing."""
    return {name: settings[name] for name, value in unsaid.items() if settings.get(name, value) != value}


def _kept(found: int, told: Mapping[str, Mapping[str, Sequence[float]]], select: str) -> int:
    """How many of LightGBM's rounds are kept: up to the best one, also where the time has ended it before it knew."""
    if not has_to_end():
        return found
    ((values,),) = (metrics.values() for metrics in told.values())
    return min(found, 1 + int(np.argmin(values) if select == "logloss" else np.argmax(values)))


def _rounds(told: Mapping[str, Mapping[str, Sequence[float]]]) -> int:
    """How many trees were made, by what was told of the validation rows after each of them."""
    return max(len(values) for metrics in told.values() for values in metrics.values())


def _gauc(scores: npt.ArrayLike, valid: EncodedSplit) -> float:
    """The AUC within groups of scores of validation rows, whose order alone counts.

    Raises:
        TrainingError: no group has both classes.
    """
    found = grouped_auc(Predictions.of(scores, valid.labels, valid.weights, valid.groups))
    return rank_of(GAUC, math.nan, math.nan, found).score


def _lightgbm_gauc(valid: EncodedSplit) -> Callable[[npt.ArrayLike, object], tuple[str, float, bool]]:
    """What LightGBM asks after every round: name, value, and that the higher is the better."""
    return lambda scores, dataset: (GAUC, _gauc(scores, valid), True)


class CatBoostGauc:
    """What CatBoost asks after every round; it calls the methods by these names.

    Args:
        valid: the validation rows. CatBoost asks about training rows, too, whose groups nobody looks at.
    """

    def __init__(self, valid: EncodedSplit) -> None:
        self._valid = valid

    def is_max_optimal(self) -> bool:
        """The higher, the better."""
        return True

    def evaluate(
        self, approxes: Sequence[Sequence[float]], target: Sequence[float], weight: object
    ) -> tuple[float, float]:
        """The value, and a weight of 1."""
        scores = np.asarray(approxes[0])
        is_asked = len(scores) == len(self._valid)
        return (_gauc(scores, self._valid) if is_asked else 0.0), 1.0

    def get_final_error(self, error: float, weight: float) -> float:
        """The value."""
        return error / weight


class _EndInTime:
    """Called by LightGBM after every round, behind what notes the round's value."""

    def __init__(self) -> None:
        self.order = 40  # of the object's own: LightGBM does not look at the class

    def __call__(self, round_: Any) -> None:
        """Look at the clock.

        Raises:
            TimeIsUp: the deadline has come.
            EarlyStopException: LightGBM's own: the trees that are there are the model.
        """
        check_deadline()
        if has_to_end():
            raise _library("lightgbm").callback.EarlyStopException(round_.iteration, round_.evaluation_result_list)


class _StopInTime:
    """Ends CatBoost's training at the deadline; an exception could not pass through its own code."""

    def after_iteration(self, info: object) -> bool:
        """Whether it goes on."""
        try:
            check_deadline()
        except TimeIsUp:
            return False
        return not has_to_end()


def open_lightgbm(architecture: Architecture, schema: Schema, state: WholeState) -> LightGbmTrees:
    """The trees that were kept.

    Raises:
        TrainingError: LightGBM is not installed.
    """
    _library("lightgbm")
    return LightGbmTrees(TabularColumns.of(schema), _content(state), state.passes, state.size)


def open_catboost(architecture: Architecture, schema: Schema, state: WholeState) -> CatBoostTrees:
    """The trees that were kept.

    Raises:
        TrainingError: CatBoost is not installed.
    """
    _library("catboost")
    return CatBoostTrees(TabularColumns.of(schema), _content(state), state.passes, state.size)


def _content(state: WholeState) -> bytes:
    return bytes(state.tensors["content"].numpy().tobytes())


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(f"strategy {name}", name, "trees", error) from error


def _matrix(split: EncodedSplit, columns: TabularColumns) -> npt.NDArray[np.floating]:
    """Categories first, then numbers and listed values, ``[rows, columns]``; float32 if that tells all codes apart."""
    largest = max((c.size for c in columns.categories), default=0)
    categories = columns.categories_of(split).astype(np.float32 if largest <= EXACT else np.float64)
    return np.concatenate([categories, columns.numbers_of(split), columns.listed_of(split)], axis=1)


def _pool(split: EncodedSplit, columns: TabularColumns) -> Any:
    frame = _frame(split, columns)
    categories = list(range(len(columns.categories)))
    return _library("catboost").Pool(
        frame, np.asarray(split.labels), cat_features=categories, weight=columns.weights_of(split)
    )


def _frame(split: EncodedSplit, columns: TabularColumns) -> pd.DataFrame:
    """As `_matrix`, the categories as integers."""
    import pandas as pd

    ids = columns.categories_of(split)
    rest = np.concatenate([columns.numbers_of(split), columns.listed_of(split)], axis=1)
    arrays = [*ids.T, *rest.T]
    return pd.DataFrame(dict(enumerate(arrays)), copy=False)
