"""`FusionClassifier`: a fusion model that is fitted and asked like any estimator of scikit-learn."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from nas_fusion.bounds import SEED
from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.serving import ModelManifest, SavedModel, load, save_model
from nas_fusion.serving.model_writing import write_manifest
from nas_fusion.serving.training_profile import profiles
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.strategy import STRATEGIES, select_strategies
from nas_fusion.studies.cells.cell import search_and_retrain
from nas_fusion.studies.cells.cell_model import model_parts
from nas_fusion.studies.estimators.classifier_rows import Rows, as_log, counting, divided, named, numbers_of
from nas_fusion.studies.picking.fit_model import fit as fit_study
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.jobs import make_job
from nas_fusion.studies.threads.study_threads import measured_threads

AUTO = "auto"
"""Everything that ``nasfusion fit`` would try."""


class FusionClassifier(ClassifierMixin, BaseEstimator):
    """A click-through-rate model for scikit-learn: two classes, columns of any kind.

    A frame (pandas, polars, pyarrow) has its columns read as `nasfusion fit` reads a log's: categories, numbers, times,
    lists. The columns of an array of numbers are numbers. NaN is a missing value.

    Args:
        strategy: one strategy or hand-made model by name (`nasfusion strategies`), or "auto": what `nasfusion fit`
            tries, which takes long without a `time_limit`.
        budget: of a search; see `nas_fusion.budget.Budget.parse`; the default of a comparison if not given.
        time_limit: seconds for everything that is tried with "auto"; None: no limit.
        validation_fraction: of the rows, those that choose epoch and model, where `fit` gets no `eval_set`.
        settings: further settings by dotted name, as presets have them: ``{"recipe.learning_rate": 3e-3}``.
        data_options: how columns are read, if not as guessed: ``{"kinds": {"page": "hash"}}`` (`DataOptions`).
        random_state: seed of everything random.

    Attributes:
        classes_: the two classes; the second one is the click.
        n_features_in_, feature_names_in_: as scikit-learn has them.
        manifest_: what was trained (`nas_fusion.serving.ModelManifest`); `metrics` are those of the validation rows.
    """

    _opened: SavedModel | None = None

    def __init__(
        self,
        strategy: str = AUTO,
        *,
        budget: str | None = None,
        time_limit: float | None = None,
        validation_fraction: float = 0.1,
        settings: Mapping[str, Any] | None = None,
        data_options: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ) -> None:
        self.strategy = strategy
        self.budget = budget
        self.time_limit = time_limit
        self.validation_fraction = validation_fraction
        self.settings = settings
        self.data_options = data_options
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        """Two classes; missing values, texts and categories are fine."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        eval_set: tuple[Any, Any] | None = None,
        groups: Any = None,
    ) -> FusionClassifier:
        """Search and train.

        Args:
            X: ``[rows, columns]``.
            y: two classes, ``[rows]``.
            sample_weight: how much every row counts, ``[rows]``.
            eval_set: rows that choose epoch and model, as ``(X, y)``; a part of the rows if not given.
            groups: ``[rows]``; no group lies on both sides of the choice.

        Raises:
            ValueError: not two classes, or cells that cannot be used.
            OptionError: a parameter is not allowed.
            DataError: a column cannot be read; says which.
        """
        SEED.check("random_state", self.random_state)
        frame, labels = self._rows(X, y)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        own = counting(Rows(frame, labels, weights, None if groups is None else np.asarray(groups)))
        if eval_set is None:
            train, valid = divided(own, self.validation_fraction, self.random_state)
        else:
            train, valid = own, self._judges(eval_set, own)
        options = DataOptions(**(self.data_options or {}))
        log, options = as_log(train, valid, options, numbers_of(X))
        with tempfile.TemporaryDirectory(prefix="nas-fusion-") as folder:
            dataset = prepare(log, options, cache=Path(folder) / "cache")
            place = Path(folder) / "model"
            self._train(dataset, self._settings(options), place)
            self.manifest_ = _without_test(place)
            self.model_ = _zipped(place)
        self._opened = None
        self._model()
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """The probability of each class, float64 ``[rows, 2]``, in the order of `classes_`."""
        check_is_fitted(self)
        clicks = self._model().scores(self._columns(X, reset=False))
        return np.stack([1.0 - clicks, clicks], axis=1)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """The logit of the second class, float64 ``[rows]``."""
        check_is_fitted(self)
        return self._model().predict_logits(self._columns(X, reset=False))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The more probable class, ``[rows]``."""
        check_is_fitted(self)
        found: npt.NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return found

    def save_model(self, folder: str | Path) -> None:
        """Write the model as a folder that `nas_fusion.load` and ``nasfusion predict`` open; it knows no classes: its
        click is the second one.

        Raises:
            WriteError: it cannot be written.
        """
        from nas_fusion.system.files import new_folder

        check_is_fitted(self)
        with new_folder(folder) as place, zipfile.ZipFile(io.BytesIO(self.model_)) as packed:
            packed.extractall(place)

    def __getstate__(self) -> dict[str, Any]:
        """All but the opened model, which is opened again from what was learnt."""
        return {**super().__getstate__(), "_opened": None}

    def _rows(self, X: Any, y: Any) -> tuple[Any, npt.NDArray[np.int64]]:
        """Columns and labels, checked; the classes are learnt."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        frame = self._columns(X, reset=True)
        classes = column_or_1d(y, warn=True)
        assert_all_finite(classes, input_name="y")
        check_classification_targets(classes)
        self.classes_ = np.unique(classes)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(classes)}."
            )
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes, and y has one class only: {self.classes_[0]!r}")
        if len(classes) != len(frame):
            raise ValueError(f"X has {len(frame)} rows, and y has {len(classes)}: inconsistent numbers of samples")
        return frame, np.searchsorted(self.classes_, classes)

    def _columns(self, X: Any, *, reset: bool) -> Any:
        """The columns as a frame, checked as scikit-learn does; cells of frames are left as they are."""
        is_frame = hasattr(X, "columns") or hasattr(X, "schema")
        checked = validate_data(
            self, X, reset=reset, skip_check_array=is_frame, dtype=None, ensure_all_finite="allow-nan",
        )  # fmt: skip
        return named(X if is_frame else checked)

    def _judges(self, eval_set: tuple[Any, Any], own: Rows) -> Rows:
        X, y = eval_set
        frame, classes = self._columns(X, reset=False), column_or_1d(y)
        if not np.isin(classes, self.classes_).all():
            raise ValueError(f"eval_set holds other classes than {self.classes_.tolist()}")
        labels = np.searchsorted(self.classes_, classes)
        weights = None if own.weights is None else np.ones(len(labels))
        # No group of theirs is one of the training rows.
        groups = None if own.groups is None else np.array([f"eval {row}" for row in range(len(labels))])
        return Rows(frame, labels, weights, groups)

    def _settings(self, options: DataOptions) -> ComparisonSettings:
        given = dict(self.settings or {})
        if self.budget is not None:
            given["budget"] = self.budget
        entries = select_strategies("all") if self.strategy == AUTO else [STRATEGIES.get(str(self.strategy))]
        if self.strategy != AUTO:
            given.setdefault("recipe.choice", "defaults")
            given.setdefault("recipe.members", 1)
        names = tuple(entry.name for entry in entries)
        values = {**given, **{f"data.{name}": value for name, value in options.to_dict().items()}}
        return settings_from(values, source="frame", strategies=names, seeds=(self.random_state,))

    def _train(self, dataset: EncodedDataset, settings: ComparisonSettings, place: Path) -> None:
        if self.strategy == AUTO or self.time_limit is not None:
            fit_study(settings, dataset, place, study=place.with_name("study"), time_limit=self.time_limit)
            return
        assembly = assemble(settings, dataset)
        job = make_job(assembly, self.strategy, self.random_state)
        with measured_threads():
            trained = search_and_retrain(assembly, job)
        parts = model_parts(assembly, job, trained.kept.outcome, trained.retrained, None, dataset.encoding())
        save_model(place, replace(parts, profiles=profiles(dataset.schema, dataset.train)))

    def _model(self) -> SavedModel:
        if self._opened is None:  # it was unpickled
            with tempfile.TemporaryDirectory(prefix="nas-fusion-") as folder:
                packed = Path(folder) / "model.zip"
                packed.write_bytes(self.model_)
                self._opened = load(packed)
        return self._opened


def _without_test(place: Path) -> ModelManifest:
    """The manifest without what was measured on rows that chose the model."""
    manifest = load(place).manifest
    kept = {split: found for split, found in manifest.metrics.items() if split != "test"}
    changed = replace(manifest, metrics=kept)
    write_manifest(place, changed)
    return changed


def _zipped(place: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(place.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(place).as_posix())
    return packed.getvalue()
