"""What happens after an epoch: metrics, best weights, learning-rate drop, early stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nas_fusion.data import EncodedSplit
from nas_fusion.errors import TrainingError
from nas_fusion.nni_bridge import nni
from nas_fusion.settings import TrainConfig
from nas_fusion.training.quality import FloatArray, Predictions, Rank, auc, grouped_auc, logloss, rank_of
from nas_fusion.training.ranks import Team
from nas_fusion.training.watching.epoch_choice import EpochChoice, SizeRule
from nas_fusion.training.watching.sample_meter import SampleMeter
from nas_fusion.training.watching.watcher import RunningTraining, Watcher


@dataclass(frozen=True)
class EpochRecord:
    """One validation.

    Args:
        epoch: number of the epoch, from 1.
        samples: training rows seen so far.
        seconds: since training began.
        valid_auc, valid_logloss: on the validation rows.
        train_loss: mean loss of the epoch's batches.
        valid_gauc: AUC within the groups of the validation rows; None without groups.
        validation_seconds: how long the validation took.
    """

    epoch: int
    samples: int
    seconds: float
    valid_auc: float
    valid_logloss: float
    train_loss: float
    valid_gauc: float | None = None
    validation_seconds: float = 0.0

    def rank(self, select: str) -> Rank:
        """How good it is by one of `nas_fusion.bounds.SELECTIONS`.

        Raises:
            TrainingError: by ``gauc``, where there is none.
        """
        return rank_of(select, self.valid_auc, self.valid_logloss, self.valid_gauc)


class ValidationMonitor(Watcher):
    """Measure after every epoch, remember the best weights, decide when to stop.

    Args:
        config: what is better, patience and learning-rate drop.
        meter: counts the samples.
        valid: the validation rows, for their weights and groups.
        keep_best: end with the weights of the best epoch (else with the last).
        report: tell NNI of every validation and of the final result.
        on_validation: called with every validation.
        on_model: called with the model as it was validated, and the validation.
        clock: seconds since some moment or other.
        size_rule: when a smaller model than the best is kept; None: never.

    Attributes:
        validation_seconds: how long the last validation took; None before the first.
        ended: when the training had ended, by the clock; None before.
        best_logits: of the validation rows after the best epoch ``[rows]``; None before the first.
    """

    def __init__(
        self,
        config: TrainConfig,
        meter: SampleMeter,
        valid: EncodedSplit,
        *,
        keep_best: bool = True,
        report: bool = True,
        on_validation: Callable[[EpochRecord], None] | None = None,
        on_model: Callable[[torch.nn.Module, EpochRecord], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        size_rule: SizeRule[EpochRecord] | None = None,
    ) -> None:
        self.config, self.meter, self.keep_best, self.report = config, meter, keep_best, report
        self._valid = valid
        self.on_validation, self.on_model, self._clock = on_validation, on_model, clock
        self.validation_seconds: float | None = None
        self.ended: float | None = None
        self.history: list[EpochRecord] = []
        self.best: EpochRecord | None = None
        self.stopped = "epochs"
        self._choice: EpochChoice[EpochRecord, dict[str, Tensor]] = EpochChoice(config.select, size_rule)
        self.best_logits: FloatArray | None = None
        self._since_best = 0
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._losses: list[Tensor] = []
        self._start = self._validation_start = clock()

    def begin(self, training: RunningTraining) -> None:
        """Start the clock."""
        self._start = self._clock()

    def before_validation(self, training: RunningTraining) -> None:
        """Look at the clock."""
        self._validation_start = self._clock()

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        """Keep the loss, where it is: reading it here would wait for the device."""
        if loss is not None:
            self._losses.append(loss)

    def after_validation_batch(self, training: RunningTraining, logits: Tensor, labels: Tensor) -> None:
        """Keep logits and labels."""
        self._outputs.append((logits, labels))

    def after_validation(self, training: RunningTraining) -> None:
        """Measure, remember, decide.

        Raises:
            TrainingError: the loss or a prediction is not finite.
        """
        losses, logits, labels = self._collected(training.team)
        record, spent = training.team.first_says(lambda: self._told(training, losses, logits, labels))
        rank = record.rank(self.config.select)
        best = None if self.best is None else self.best.rank(self.config.select)
        clearly_better = best is None or rank.score > best.score + self.config.min_improvement
        if best is None or rank > best:
            self.best, self.best_logits = record, logits
        if self.keep_best:
            self._choice.offer(record, lambda: _state_of(training.model))
        if clearly_better:
            self._since_best = 0
        else:
            self._since_best += 1
            self._drop_learning_rates(training)
        if spent:
            self.stopped = "budget"
            training.stop()
        elif self.config.patience and self._since_best >= self.config.patience:
            self.stopped = "patience"
            training.stop()

    def end(self, training: RunningTraining) -> None:
        """Restore the best weights and report the AUC of the weights that the model has now."""
        final = self.final
        if (kept := self._choice.kept) is not None:
            training.model.load_state_dict(kept)
            self._choice.drop_states()
        self.ended = self._clock()
        if self.report and final is not None and nni.get_current_parameter() is not None:
            nni.report_final_result(final.valid_auc)

    @property
    def final(self) -> EpochRecord | None:
        """The validation of the weights that the model ends with; None before the first."""
        if not self.keep_best:
            return self.history[-1] if self.history else None
        return self._choice.record

    def _told(
        self, training: RunningTraining, losses: Tensor, logits: FloatArray, labels: FloatArray
    ) -> tuple[EpochRecord, bool]:
        """The validation, of which everybody has heard, and whether the budget is spent."""
        record = self._measured(training.epoch, losses, logits, labels)
        self.validation_seconds = self._clock() - self._validation_start
        record = replace(record, validation_seconds=self.validation_seconds)
        self.history.append(record)
        if self.on_model is not None:
            self.on_model(training.model, record)
        if self.on_validation is not None:
            self.on_validation(record)
        if self.report and nni.get_current_parameter() is not None:
            nni.report_intermediate_result(record.valid_auc)
        return record, self.meter.spent

    def state(self) -> dict[str, Any]:
        """The best validation so far, and the epochs that may be kept, with their weights."""
        best = None if self.best is None else asdict(self.best)
        offered = [(asdict(record), size, weights) for record, size, weights in self._choice.offered]
        return {"best": best, "since_best": self._since_best, "offered": offered}

    def go_on(self, training: RunningTraining, state: Mapping[str, Any]) -> None:
        """Remember what was best; the history begins anew."""
        self.best = None if state["best"] is None else EpochRecord(**state["best"])
        self._since_best = state["since_best"]
        self._choice.take_up((EpochRecord(**record), size, weights) for record, size, weights in state["offered"])

    def _collected(self, team: Team) -> tuple[Tensor, FloatArray, FloatArray]:
        """Losses of the epoch's batches, ``[step]``; logits and labels of the validation rows, ``[rows]``."""
        losses = team.summed(torch.stack(self._losses).double()) if self._losses else torch.empty(0)
        none = torch.empty(0)  # a process without validation rows
        outputs = self._outputs or [(none, none)]
        logits, labels = (torch.cat(part) for part in zip(*outputs, strict=True))
        self._outputs, self._losses = [], []
        return losses, team.joined(logits.cpu().numpy()), team.joined(labels.cpu().numpy())

    def _measured(self, epoch: int, losses: Tensor, logits: FloatArray, labels: FloatArray) -> EpochRecord:
        loss = float(losses.mean())  # NaN without any
        if len(losses) and not math.isfinite(loss):
            raise TrainingError(f"the training loss of epoch {epoch} is {loss}; try a lower learning rate")
        found = Predictions.of(logits, labels, self._valid.weights, self._valid.groups)
        seconds = self._clock() - self._start
        return EpochRecord(epoch, self.meter.samples, seconds, auc(found), logloss(found), loss, grouped_auc(found))

    def _drop_learning_rates(self, training: RunningTraining) -> None:
        for optimizer in training.weight_optimizers:
            for group in optimizer.param_groups:
                group["lr"] *= self.config.lr_drop


def _state_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
