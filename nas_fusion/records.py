"""What a comparison remembers: one `CellRecord` per strategy and seed, and `ComparisonInfo` about the whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePath
from typing import Any

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.errors import NasFusionError, OptionError, StudyError
from nas_fusion.system.seals import SealError, sealed, unsealed

KINDS = ("one-shot", "multi-trial", "reference")
MODES = ("hard", "soft")
CELL_FORMAT, UNSEALED_FORMAT = 2, 1
"""Cells are written with a checksum; those of format 1, which have none, are read, too."""

COMPARISON_FORMAT = 1

NORMALISED_ENTROPY = "normalised_entropy"
TEST_METRICS = (NORMALISED_ENTROPY, "calibration_ratio", "calibration_error", "pr_auc", "gauc")
"""What a record may hold of its model's test predictions beside AUC and logloss (`CellRecord.test_metrics`)."""

GENERAL = "general_model"
"""Of a record's details: true where the model is no network, but what one would pick instead of one."""


CONNECTIONS = "connections"
"""Of a record's details: some of `CONNECTION_SHARES`, by name."""

CONNECTION_SHARES = ("closed", "closed_rightly", "kept_rightly")
"""Of all connections those that a search closed; of those that a planted log's teacher has not, those that it closed;
of the teacher's own, those that it left open."""


@dataclass(frozen=True)
class TracePoint:
    """One validation, measured while searching or re-training; "best so far" is computed by the report.

    Args:
        seconds: wall-clock since the search (or the re-training) began.
        samples: rows seen since then, every pass over a row counted.
        valid_auc: AUC on the validation split.
        test_auc: of the same model on the test split, measured after the search for the report alone; None where it
            was not measured.
    """

    seconds: float
    samples: int
    valid_auc: float
    test_auc: float | None = None


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows with about the same prediction.

    Args:
        predicted: their mean probability of a click.
        observed: their share of clicks.
        weight: how much they count together: their number, or the sum of their sample weights.
    """

    predicted: float
    observed: float
    weight: float


@dataclass(frozen=True, order=True)
class FailedCell:
    """A strategy with a seed that could not be searched, re-trained or tested.

    Args:
        strategy, seed: which cell.
        reason: why, in the words of whatever failed.
    """

    strategy: str
    seed: int
    reason: str

    @property
    def words(self) -> str:
        """Which cell, and why, in a line."""
        return f"{self.strategy}, seed {self.seed}: {self.reason}"


@dataclass(frozen=True)
class CellRecord:
    """One strategy with one seed: what it found, how good that is after re-training, and what it cost.

    Args:
        strategy: registered name.
        seed: the seed of search and re-training.
        kind: ``one-shot``, ``multi-trial`` or ``reference`` (a hand-made design, nothing is searched).
        design: the searched design; a soft cell has one too (each block's operation of the largest weight). A
            hand-made model, or a strategy with a space of its own, has an `Architecture`.
        mode: ``hard`` or ``soft``.
        search_valid_auc: best validation AUC while searching; None where nothing was searched.
        valid_auc, valid_logloss, test_auc, test_logloss: after re-training.
        search_seconds, retrain_seconds: wall-clock; deriving and tuning have accounts of their own.
        search_samples, retrain_samples: rows seen, every pass counted.
        parameters: trainable weights of the re-trained model.
        candidates: number of candidate designs evaluated.
        trace: validations while searching.
        retrain_history: validations while re-training.
        shares_search_with: the strategy whose search this cell used instead of one of its own.
        cost: what the model costs, by name (`nas_fusion.measures`): ``multiply_adds`` per row, ``latency_ms_1`` and
            ``latency_ms_4096`` (milliseconds per batch of 1 and 4096 rows), ``training_rows_per_second``.
        details: anything else that JSON can hold: hyperparameters, ``gates`` and ``operations`` per epoch, …;
            ``supernet_valid_auc`` and ``derived_valid_auc``: the supernet in the state from which the design was
            derived, and the derived design with the supernet's weights, before re-training;
            ``far_below_supernet``, only where the second is far below the first: by more than this; ``importance``:
            validation AUC lost when one connection of the re-trained model is closed, by ``"source -> target"``;
            ``connections``: how many were closed, and of a planted log how many rightly (`connection_shares`);
            ``front``: the designs measured than which no other of the search is at least as good and as cheap;
            ``prefer``: by which preference one of these was handed on, where the search chose among them;
            ``context``: what the file of its design says besides the design (`nas_fusion.design_file`).
        derive_seconds, derive_samples: between the end of a supernet's training and a design, measuring the derived
            design for the report included.
        tuning_seconds, tuning_samples: of the strategy's tuning, which is done once for all its seeds.
        provenance: what computed it: ``versions`` (package to version), ``device``, ``threads``, ``precision``, and
            ``data``, which says on what; empty in records that are older than this.
        test_metrics: what else was measured on the test rows, by name: any of `TEST_METRICS`; ``gauc`` only where the
            log has groups. Empty in records that are older than this.
        valid_gauc: AUC within groups on the validation rows, after re-training; None without groups.
        reliability: mean prediction and share of clicks on the test rows, bin by bin; empty in older records.

    Raises:
        OptionError: `kind` or `mode` is unknown.
    """

    strategy: str
    seed: int
    kind: str
    design: Found
    mode: str
    search_valid_auc: float | None
    valid_auc: float
    valid_logloss: float
    test_auc: float
    test_logloss: float
    search_seconds: float
    retrain_seconds: float
    search_samples: int
    retrain_samples: int
    parameters: int
    candidates: int
    trace: tuple[TracePoint, ...] = ()
    retrain_history: tuple[TracePoint, ...] = ()
    shares_search_with: str | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    derive_seconds: float = 0.0
    derive_samples: int = 0
    tuning_seconds: float = 0.0
    tuning_samples: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    test_metrics: Mapping[str, float] = field(default_factory=dict)
    reliability: tuple[ReliabilityBin, ...] = ()
    valid_gauc: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError("kind", f"one of {', '.join(KINDS)}", self.kind)
        if self.mode not in MODES:
            raise OptionError("mode", f"one of {', '.join(MODES)}", self.mode)

    def to_json(self, files: Mapping[str, Any] | None = None) -> str:
        """JSON text with a checksum; floats keep every digit.

        Args:
            files: sizes and checksums of what lies next to it, by name (`nas_fusion.system.seals.seal_of_file`).
        """
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        content["design"] = json.loads(self.design.to_json())
        content["trace"] = [asdict(p) for p in self.trace]
        for name in ("retrain_history", "reliability"):
            content[name] = [asdict(p) for p in getattr(self, name)]
        for name in ("cost", "details", "provenance", "test_metrics"):
            content[name] = dict(content[name])
        return sealed({"format": CELL_FORMAT, **content, "files": dict(files or {})})

    @classmethod
    def from_json(cls, text: str) -> CellRecord:
        """Read what `to_json` wrote.

        Raises:
            StudyError: the text is not JSON, of another format version, not a cell, or was changed.
        """
        return cls.with_files(text)[0]

    @classmethod
    def with_files(cls, text: str) -> tuple[CellRecord, dict[str, Any] | None]:
        """Read what `to_json` wrote, and the `files` that it was given; None in the format without checksums.

        Raises:
            StudyError: as of `from_json`.
        """
        try:
            content = json.loads(text)
            version = content.pop("format")
            if version not in (CELL_FORMAT, UNSEALED_FORMAT):
                raise StudyError(f"cell format must be {CELL_FORMAT}, got {version!r}")
            content = unsealed({"format": version, **content}, required=version == CELL_FORMAT)
            del content["format"]
            files = content.pop("files") if version == CELL_FORMAT else None
            content["design"] = found_from_json(json.dumps(content["design"]))
            for name in ("trace", "retrain_history"):
                content[name] = tuple(TracePoint(**p) for p in content[name])
            content["reliability"] = tuple(ReliabilityBin(**b) for b in content.get("reliability", ()))
            return cls(**content), files
        except StudyError:
            raise
        except SealError as error:
            raise StudyError(str(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, NasFusionError) as error:
            raise StudyError(f"not a cell of a comparison in JSON: {error}") from error


@dataclass(frozen=True)
class TriedRecipe:
    """One training of the sweep that chooses a comparison's recipe.

    Args:
        values: what was swept, by name.
        valid_auc: the best validation AUC of its epochs; None if it could not be trained.
        epochs: how many it was trained for.
        samples: rows seen, every pass counted.
        seconds: wall-clock.
        ended: ``"end"`` (as every training ends), ``"behind"`` (stopped: it could not reach the best any more),
            ``"spent"`` (the sweep's passes were spent) or ``"failed"``.
        score: what validation chose by instead of the AUC, the larger the better: AUC within groups, or the logloss
            with a minus; None by the AUC.
        score_error: standard error of the mean logloss over the validation rows, where that was needed.
    """

    values: Mapping[str, Any]
    valid_auc: float | None
    epochs: int
    samples: int
    seconds: float
    ended: str
    score: float | None = None
    score_error: float | None = None


@dataclass(frozen=True)
class ChosenRecipe:
    """What a sweep has chosen for all strategies of a comparison, and what that has cost.

    Args:
        reference: the hand-made design or model on which recipes were tried.
        values: the chosen ones by name (``embedding_l2``, ``dropout``, …), of what was swept.
        tried: every training, the usual recipe first; empty where the passes were too few for a choice.
        allowed: passes over the training rows that the sweep might take.
        train_rows: of the log.
        margin: by more than this has another recipe to be better than the first, in validation AUC or what else
            validation chooses by.
        note: why nothing was tried; empty otherwise.
        select: by what it was chosen, one of `nas_fusion.bounds.SELECTIONS`.
    """

    reference: str
    values: Mapping[str, Any]
    tried: tuple[TriedRecipe, ...]
    allowed: float
    train_rows: int
    margin: float = 0.0
    note: str = ""
    select: str = "auc"

    @property
    def samples(self) -> int:
        """Rows seen by all trainings."""
        return sum(one.samples for one in self.tried)

    @property
    def seconds(self) -> float:
        """Wall-clock of all trainings."""
        return sum(one.seconds for one in self.tried)

    @property
    def passes(self) -> float:
        """Passes over the training rows of all trainings."""
        return self.samples / self.train_rows

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ChosenRecipe:
        """Read what `dataclasses.asdict` gave.

        Raises:
            TypeError, KeyError: it is something else.
        """
        return cls(**{**content, "tried": tuple(TriedRecipe(**one) for one in content["tried"])})


@dataclass(frozen=True)
class TunedFamily:
    """What a time limit's rest was spent on: the trials of one strategy with other hyperparameters.

    Args:
        strategy: registered name.
        trials: how many, the defaults, those that were given up and those that failed included.
        behind: how many were given up early, since they could not win.
        failed: how many could not be trained.
        seconds: of all of them.
        folds: on how many divisions of the training and validation rows the scores below were measured.
        defaults: mean score of the defaults: validation AUC, or what else validation chooses by (a logloss with a
            minus).
        best: of the best other values; None if no trial came to its end.
        values: those that are better than the defaults by more than the noise; empty if there are none.
        noise: standard error of a difference of two such scores.
        is_better: whether there are such values.
    """

    strategy: str
    trials: int
    behind: int
    failed: int
    seconds: float
    folds: int
    defaults: float
    best: float | None
    values: Mapping[str, Any]
    noise: float
    is_better: bool


@dataclass(frozen=True)
class ComparisonInfo:
    """What was compared on what, for the table and the report.

    Args:
        data: name of the data set, or the path as the user wrote it.
        rows: rows of the train, validation and test split (any tuple of three).
        fields: number of fields.
        features: number of ids over all fields.
        label_rate: share of positives over all rows, 0 … 1.
        attainable_auc: AUC of the true probabilities on the test split, where the data set knows them.
        budget: a strategy's budget in words.
        seeds: the seeds asked for.
        settings: every other setting, for the report's list.
        versions: package name → version.
        command: the command that repeats the comparison, if known.
        reference: the strategy with which the others are compared; None for the one that validation chooses.
        named_beforehand: whether the reference was named before there were results.
        failures: the cells that have no record because they failed.
        ended: whether the comparison has come to its end; a cell without a record then has failed, or its file is gone.
        recipe: how the recipe was chosen; None where it was given.
        left_out: the cells that a time limit left out, and why.
        time_limit: seconds that the comparison might take when it was last run; None without a limit.
        teacher: of a planted log, the design from which its clicks were drawn, in words.
        tuned: what a time limit's rest was spent on, the best first; of `fit` alone.
        spent: seconds of the last run by what they were spent on; of `fit` alone.
    """

    data: str
    rows: tuple[int, int, int]
    fields: int
    features: int
    label_rate: float
    attainable_auc: float | None
    budget: str
    seeds: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    reference: str | None = None
    named_beforehand: bool = True
    failures: tuple[FailedCell, ...] = ()
    ended: bool = False
    recipe: ChosenRecipe | None = None
    left_out: tuple[FailedCell, ...] = ()
    time_limit: float | None = None
    teacher: str | None = None
    tuned: tuple[TunedFamily, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)

    @property
    def fixed_reference(self) -> str | None:
        """The reference, if nobody can have chosen it by the results."""
        return self.reference if self.named_beforehand else None

    @property
    def data_name(self) -> str:
        """The data set in titles and tables: a file's name without its folders."""
        return PurePath(self.data).name or self.data

    def to_json(self) -> str:
        """JSON text with a checksum; floats keep every digit."""
        return sealed({"format": COMPARISON_FORMAT, **asdict(self)}, default=str)

    @classmethod
    def from_json(cls, text: str) -> ComparisonInfo:
        """Read what `to_json` wrote.

        Raises:
            StudyError: the text is not JSON, of another format version, not about a comparison, or was changed.
        """
        try:
            content = unsealed(json.loads(text), required=False)
            version = content.pop("format")
            if version != COMPARISON_FORMAT:
                raise StudyError(f"the comparison's format must be {COMPARISON_FORMAT}, got {version!r}")
            train, valid, test = content.pop("rows")
            failures, left_out = (
                tuple(FailedCell(**cell) for cell in content.pop(name, ())) for name in ("failures", "left_out")
            )
            recipe = content.pop("recipe", None)
            tuned = tuple(TunedFamily(**one) for one in content.pop("tuned", ()))
            return cls(
                rows=(train, valid, test), seeds=tuple(content.pop("seeds")), failures=failures, left_out=left_out,
                recipe=None if recipe is None else ChosenRecipe.from_dict(recipe), tuned=tuned,
                **content,
            )  # fmt: skip
        except StudyError:
            raise
        except SealError as error:
            raise StudyError(str(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StudyError(f"not about a comparison, in JSON: {error!r}") from error
