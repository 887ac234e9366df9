"""The rest of the time of `fit`: the families that may still win are tuned, one trial after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import optuna
from optuna.trial import TrialState

from nas_fusion.records import CellRecord, TunedFamily
from nas_fusion.search import Retrained
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.split_rule import SplitKind
from nas_fusion.statistics import auc_standard_error, difference_error, paired_error
from nas_fusion.studies.cells.failures import Failure, clear_up, stops_the_run
from nas_fusion.studies.picking.contest import (
    CONTENDERS,
    LOGLOSS,
    Contest,
    Family,
    Standing,
    Trial,
    bonus_of,
    folds_for,
    is_exchangeable,
    mean,
)
from nas_fusion.studies.picking.final_model import FinalModel, Kept, job_of, outcome_of
from nas_fusion.studies.picking.folds import Folds
from nas_fusion.studies.picking.tuned_ranges import tuned_ranges
from nas_fusion.studies.queue.tuning_trials import AUC, EndedTrial, Tuning, TuningClaim
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.studies.recipe.recipe_sweep import is_behind
from nas_fusion.studies.recipe.sweeping import fitting
from nas_fusion.studies.setup.announcements import tuning_name
from nas_fusion.studies.setup.jobs import Job
from nas_fusion.studies.storage.holds import at_work
from nas_fusion.studies.timing.forecast import seconds_of
from nas_fusion.system.deadline import Deadline, check_deadline
from nas_fusion.system.told import tell
from nas_fusion.training import EpochRecord, predictions_of
from nas_fusion.training.quality import Rank, logloss_error
from nas_fusion.training_log import StoppedEarly

MANY = 1_000_000
"""Trials of a tuning that the clock ends."""

SHARE = 0.6
"""Of the time that is left, so much may the defaults of the contenders take on further folds: to choose well between
what is there is worth more than more to choose from."""

SCORES, SECONDS = "scores", "seconds"
"""What is kept of a trial."""

ENDED = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "behind", TrialState.FAIL: "failed"}


@dataclass
class TuningWave:
    """Tunes families until the time is up, or none promises anything.

    Args:
        place: where it works, by the chosen recipe.
        asked: the settings before there was a recipe.
        records: of the first seed, one of every strategy that was tried.
        rank: how good a model is on validation.
        deadline: when it has to be over.
        say: told of what is better.
        networks: that the final model averages, if it is one of networks; trials are single networks.
        before_trial: called before each trial.
        blend: whether the best network is wanted in any case, since it may be blended with what is better.

    Attributes:
        kept: the model of the best trial of a family on the log's own fold, where this process has trained it.
        trusts_folds: whether other folds than the log's own may choose.
    """

    place: Workplace
    asked: ComparisonSettings
    records: Sequence[CellRecord]
    rank: Callable[[CellRecord], Rank]
    deadline: Deadline
    say: Callable[[str], None]
    networks: int = 1
    before_trial: Callable[[], None] = lambda: None
    blend: bool = False
    kept: dict[str, Kept] = field(default_factory=dict, init=False)
    trusts_folds: bool = field(default=True, init=False)
    _made: dict[str, Tuning] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        assembly = self.place.assembly
        self.entries = assembly.entries
        self.cells = {r.strategy: r for r in self.records if self.entries[r.strategy].mode == "hard"}
        self.folds = Folds(assembly.dataset.search_view(), assembly.settings.data.seed)
        families = {name: self._family(name, record) for name, record in self.cells.items()}
        self.contest = Contest(families, self._error())
        begun = optuna.study.get_all_study_names(self.place.storage)
        for name in families:
            if tuning_name(self.place.name, name) in begun:
                self._look(name)
        self.contest.count = self._count()

    @at_work()
    def run(self) -> None:
        """Spend the time.

        Raises:
            TimeIsUp: the deadline has come in the middle of a trial, which then counts as not done.
        """
        said = False
        while self.contest.families and (family := self.contest.next(self._left())) is not None:
            check_deadline()
            self.before_trial()
            if not said:
                said = True
                self.say(self._words_before())
            if not self._run_next(family):
                return

    def standings(self) -> list[Standing]:
        """Of all families that can be trained again, the best first."""
        return self.contest.standings()

    def told(self) -> tuple[TunedFamily, ...]:
        """What is told of the families that had a trial."""
        return tuple(_told(one, self.contest.noise(len(one.scores))) for one in self.standings() if one.family.trials)

    def final(self, standing: Standing) -> FinalModel:
        """The model of a family."""
        trial, name = standing.trial, standing.family.name
        kept = self.kept.get(name)
        same = kept if trial is not None and kept is not None and kept.slot == trial.slot else None
        return FinalModel(self.place, self.cells[name], self._networks(name), standing.family.pace, standing, same)

    def _family(self, name: str, record: CellRecord) -> Family:
        bonus = bonus_of(self._networks(name)) if self._by_auc else 0.0
        return Family(name, self.rank(record).score, seconds_of(record, with_search=False), bonus=bonus)

    def _networks(self, name: str) -> int:
        return self.networks if self.entries[name].fit_model is None else 1

    def _left(self) -> float:
        """Seconds for trials: what training the final models takes is kept."""
        standings = self.standings()
        networks = [one for one in standings if self.entries[one.family.name].fit_model is None]
        wanted = {one.family.name: one for one in (standings[0], *(networks[:1] if self.blend else ()))}
        return self.deadline.left - sum(self._needed(self.final(one)) for one in wanted.values())

    def _needed(self, final: FinalModel) -> float:
        """Seconds of training a final model."""
        is_there = final.is_the_cells or (final.networks == 1 and final.kept is not None)
        return 0.0 if is_there else final.networks * final.pace

    def _count(self) -> int:
        """How many folds a trial goes through."""
        settings = self.place.assembly.settings
        by_chance = settings.data.split_column is not None or settings.data.split_rule.kind == SplitKind.RANDOM
        if not by_chance or not self.trusts_folds or not self.contest.families:
            return 1
        best = sorted(self.contest.families.values(), key=lambda family: -family.first)[:CONTENDERS]
        error = difference_error(max(r.valid_auc for r in self.cells.values()), *self._classes())
        return folds_for(error, [one.pace for one in best], SHARE * self._left(), self.folds.most)

    def _words_before(self) -> str:
        names = [one.family.name for one in self.standings()]
        folds = self.contest.count
        how = f", each trial on {folds} divisions of the training and validation rows" if folds > 1 else ""
        return f"tuning of what may still win, {', '.join(names[:CONTENDERS])} first{how}"

    def _run_next(self, family: Family) -> bool:
        tuning = self._tunings(family.name)
        claim = tuning.claim()
        if claim is None:
            return False
        with tuning.holding(claim):
            self._try(family, tuning, claim)
        self._look(family.name)
        return True

    def _try(self, family: Family, tuning: Tuning, claim: TuningClaim) -> None:
        tell(f"tuning of {family.name}, trial {claim.slot + 1} begins")
        start = self.deadline.elapsed
        scores: list[float] = [family.first] if claim.slot == 0 else []
        aucs = [self.cells[family.name].valid_auc] if claim.slot == 0 else []
        kept: Kept | None = None
        try:
            for fold in range(len(scores), self.contest.count):
                trained = self._train(family, claim, fold)
                kept = kept or trained
                scores.append(trained.retrained.fit.best_rank.score)
                aucs.append(trained.retrained.fit.best_valid_auc)
                claim.trial.report(mean(scores), fold)
                if self.contest.is_behind(family, tuple(scores)):
                    raise StoppedEarly(f"behind by {self.contest.missing(family, tuple(scores)):.4f}")
        except StoppedEarly:
            tuning.prune(claim, {SCORES: scores, SECONDS: self.deadline.elapsed - start})
            return
        except BaseException as error:
            if stops_the_run(error):
                raise
            failure, name = Failure.of(error), f"{family.name}-tuning-{claim.slot}"
            clear_up(self.place.folder, name, name, failure, lambda: tuning.fail(claim, failure.reason))
            return
        best = family.best
        told = {SCORES: scores, SECONDS: self.deadline.elapsed - start}
        tuning.finish(claim, mean(aucs), told, None if tuning.select == AUC else mean(scores))
        if claim.slot and kept is not None and (best is None or mean(scores) > mean(best.scores)):
            self.kept[family.name] = kept
            self.say(
                f"{family.name}, trial {claim.slot + 1}: {mean(scores):.4f} (defaults {mean(family.defaults):.4f})"
            )

    def _train(self, family: Family, claim: TuningClaim, fold: int) -> Kept:
        values = claim.values if claim.slot else {}
        what = f"trial {claim.slot + 1}, fold {fold + 1}"
        cell = self.cells[family.name]
        job = job_of(self.place, cell, values, what, tuning_trial=claim.slot, fold=fold)
        job = replace(job, task=replace(job.task, data=self.folds.fold(fold)))
        outcome = outcome_of(job, cell)
        bar, epochs, scores = self.contest.to_beat(family, fold), job.recipe.max_epochs, list[float]()
        select = self.place.assembly.settings.recipe.select
        with job.task.training_log.training("re-train", outcome.design) as training:

            def validated(record: EpochRecord) -> None:
                training.validated(record.valid_auc)
                scores.append(record.rank(select).score)
                if job.entry.fit_model is None and is_behind(scores, bar, epochs):
                    raise StoppedEarly("it cannot reach the best")

            retrained = job.retrain(outcome, validated)
            training.result(retrained.fit.best_valid_auc)
        self._measure(job, retrained)
        return Kept(claim.slot, job, outcome, retrained)

    def _look(self, name: str) -> None:
        """Read the trials of a family from the storage, and whether the folds are like the log's own."""
        family = self.contest.families[name]
        ended = self._tunings(name).ended()
        cut = None if self.trusts_folds else 1
        family.trials = [_trial(one, cut) for one in ended]
        family.is_tunable = bool(self._tunings(name).distributions)
        family.pace = _pace(ended) or family.pace
        if self.trusts_folds and not is_exchangeable(family.defaults, self._error_of):
            self._distrust(family)

    def _distrust(self, family: Family) -> None:
        scores, self.trusts_folds, self.contest.count = family.defaults, False, 1
        self.say(
            f"the log's own validation rows are unlike other rows ({family.name}: {scores[0]:.4f}, others "
            f"{mean(scores[1:]):.4f}), as where a log is divided by time: they alone choose"
        )
        for name, other in self.contest.families.items():
            if other.trials:
                self._look(name)

    def _tunings(self, name: str) -> Tuning:
        if name not in self._made:
            place, settings = self.place, self.place.assembly.settings
            ranges = tuned_ranges(place.assembly, self.asked, name, fitting(place.assembly))
            self._made[name] = Tuning(
                place.storage, place.name, name, ranges.distributions, ranges.defaults, MANY, settings.seeds[0], 0,
                place.watch, settings.recipe.select, ranges.starts,
            )  # fmt: skip
        return self._made[name]

    def _error_of(self, score: float) -> float:
        return auc_standard_error(score, *self._classes()) if self._by_auc else float("inf")

    @property
    def _by_auc(self) -> bool:
        return self.place.assembly.settings.recipe.select != LOGLOSS

    def _classes(self) -> tuple[float, float]:
        valid = self.place.assembly.dataset.valid
        positives = valid.label_rate * len(valid)
        return positives, len(valid) - positives

    def _error(self) -> float:
        """Of a difference on one fold; of losses it is known from the first training on."""
        if not self._by_auc or not self.cells:
            return 0.0
        return difference_error(max(self.rank(r).score for r in self.cells.values()), *self._classes())

    def _measure(self, job: Job, retrained: Retrained) -> None:
        if not self._by_auc and not self.contest.error:
            predictions = predictions_of(retrained.model, job.task.data.valid, job.recipe)
            self.contest.error = paired_error(logloss_error(predictions))


def _trial(ended: EndedTrial, folds: int | None) -> Trial:
    scores = tuple(ended.attributes.get(SCORES, ()))[:folds]
    return Trial(ended.slot, ended.values, scores, ENDED[ended.state], _seconds(ended))


def _seconds(ended: EndedTrial) -> float:
    return float(ended.attributes.get(SECONDS, ended.seconds))


def _pace(ended: Sequence[EndedTrial]) -> float:
    """Seconds of a training, as far as trials tell: the defaults' own fold was trained before them."""
    done = [one for one in ended if one.state == TrialState.COMPLETE]
    trainings = sum(len(one.attributes[SCORES]) - (one.slot == 0) for one in done)
    return sum(_seconds(one) for one in done) / trainings if trainings else 0.0


def _told(standing: Standing, noise: float) -> TunedFamily:
    family, best = standing.family, standing.family.best
    return TunedFamily(
        strategy=family.name,
        trials=len(family.trials),
        behind=sum(trial.ended == "behind" for trial in family.trials),
        failed=sum(trial.ended == "failed" for trial in family.trials),
        seconds=family.seconds,
        folds=len(standing.scores),
        defaults=mean(family.defaults),
        best=None if best is None else mean(best.scores),
        values={} if standing.trial is None else dict(standing.trial.values),
        noise=noise,
        is_better=standing.trial is not None,
    )
