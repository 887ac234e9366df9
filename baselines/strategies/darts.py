"""NNI's DARTS and Gumbel-DARTS on the fusion space, mended."""

from __future__ import annotations

from typing import Any

from optuna.distributions import FloatDistribution, IntDistribution

from nas_fusion.bounds import LEARNING_RATE, MEASURED, Bound
from nas_fusion.nni_bridge import (
    DARTS,
    DartsLightningModule,
    GumbelDARTS,
    GumbelDartsLightningModule,
    LightningModule,
    MendedModule,
    MendedStrategy,
    nni,
)
from nas_fusion.strategy import BuildContext, StrategyEntry
from nas_fusion.training import LightningWatching, SampleMeter
from nas_fusion.training.fit import UNBOUNDED

_NEVER = 2**62


class DartsModule(MendedModule, DartsLightningModule):
    """NNI's DARTS search with ordered architecture parameters and a validation step."""


class GumbelDartsModule(MendedModule, GumbelDartsLightningModule):
    """NNI's Gumbel-DARTS search with ordered architecture parameters and a validation step.

    Where seconds end the training, the temperature falls with the part of them that is spent.
    """

    temperature_scheduler: Any

    def on_train_start(self) -> None:
        """Find out what says how much is spent."""
        super().on_train_start()
        # A second training with this module wraps it no further.
        if not isinstance(self.temperature_scheduler, Cooling):
            watching = next(c for c in self.trainer.callbacks if isinstance(c, LightningWatching))
            self.temperature_scheduler = Cooling(self.temperature_scheduler, watching.the(SampleMeter))


class Cooling:
    """NNI's temperature schedule, for trainings without a number of epochs, too."""

    def __init__(self, scheduler: Any, meter: SampleMeter) -> None:
        self._scheduler, self._meter = scheduler, meter

    def step(self, current: int, total: int) -> float:
        """The temperature of epoch `current` of `total`; -1: of an unknown number."""
        if total == UNBOUNDED:
            return float(self._scheduler.step(min(self._meter.share, 1.0), 1))
        return float(self._scheduler.step(current, total))


@nni.trace
class FusionDARTS(MendedStrategy, DARTS):
    """DARTS, first order (Liu et al., ICLR 2019): connections and operations relaxed by softmax.

    The architecture is trained on validation batches, the weights on training batches.

    Args:
        arc_learning_rate: of the Adam that trains the architecture.
        gradient_clip_val: clip the norm of the weights' gradient.
        measured_designs: as of `nas_fusion.strategy.abilities.MeasuresChoices`.
    """

    def __init__(
        self, arc_learning_rate: float, gradient_clip_val: float | None = None, measured_designs: int = 0
    ) -> None:
        super().__init__(
            arc_learning_rate=arc_learning_rate, gradient_clip_val=gradient_clip_val, log_prob_every_n_step=_NEVER
        )
        self.measured_designs = measured_designs

    def configure_oneshot_module(self, training_module: LightningModule) -> DartsModule:
        """Wrap the evaluator's Lightning module."""
        return DartsModule(
            training_module=training_module,
            arc_learning_rate=self.arc_learning_rate,
            gradient_clip_val=self.gradient_clip_val,
            log_prob_every_n_step=self.log_prob_every_n_step,
        )


@nni.trace
class FusionGumbelDARTS(MendedStrategy, GumbelDARTS):
    """DARTS with Gumbel softmax whose temperature falls over the epochs (Xie et al., ICLR 2019; Wu et al., CVPR 2019).

    Args:
        arc_learning_rate: of the Adam that trains the architecture.
        temperature_start, temperature_end: the Gumbel softmax's, first and last.
        gradient_clip_val: clip the norm of the weights' gradient.
        measured_designs: as of `nas_fusion.strategy.abilities.MeasuresChoices`.
    """

    def __init__(
        self,
        arc_learning_rate: float,
        temperature_start: float = 1.0,
        temperature_end: float = 0.33,
        gradient_clip_val: float | None = None,
        measured_designs: int = 0,
    ) -> None:
        super().__init__(
            temperature=(temperature_start, temperature_end),
            arc_learning_rate=arc_learning_rate,
            gradient_clip_val=gradient_clip_val,
            log_prob_every_n_step=_NEVER,
        )
        self.measured_designs = measured_designs

    def configure_oneshot_module(self, training_module: LightningModule) -> GumbelDartsModule:
        """Wrap the evaluator's Lightning module."""
        plain = super().configure_oneshot_module(training_module)
        return GumbelDartsModule(
            training_module=training_module,
            temperature_scheduler=plain.temperature_scheduler,
            arc_learning_rate=self.arc_learning_rate,
            gradient_clip_val=self.gradient_clip_val,
            log_prob_every_n_step=self.log_prob_every_n_step,
        )


DEFAULT_DARTS_LEARNING_RATE = 0.02
"""NNI's default, 3e-4, moves a logit by at most .03 in a hundred steps: too little to tell choices apart."""


NOT_MEASURED = IntDistribution(0, 0)
"""DARTS takes the design of its largest logits, and no tuning changes that."""


def _darts(context: BuildContext, arch_learning_rate: float, measured_designs: int) -> FusionDARTS:
    return FusionDARTS(arch_learning_rate, context.config.gradient_clip, measured_designs)


def _gumbel(
    context: BuildContext,
    arch_learning_rate: float,
    temperature_start: float,
    temperature_end: float,
    measured_designs: int,
) -> FusionGumbelDARTS:
    # Tuned apart, the two may come in the wrong order; a temperature never rises.
    end = min(temperature_start, temperature_end)
    return FusionGumbelDARTS(arch_learning_rate, temperature_start, end, context.config.gradient_clip, measured_designs)


DARTS_ENTRY = StrategyEntry(
    "darts",
    "one-shot",
    "DARTS, first order (NNI's DARTS): architecture on validation batches",
    _darts,
    parameters={"arch_learning_rate": DEFAULT_DARTS_LEARNING_RATE, "measured_designs": 0},
    bounds={"arch_learning_rate": LEARNING_RATE, "measured_designs": MEASURED},
    distributions=lambda: {
        "arch_learning_rate": FloatDistribution(3e-4, 0.3, log=True),
        "measured_designs": NOT_MEASURED,
    },
)

_TEMPERATURE = Bound(0, 1000, integer=False, above=True)

GUMBEL_DARTS_ENTRY = StrategyEntry(
    "gumbel-darts",
    "one-shot",
    "DARTS with Gumbel softmax (NNI's GumbelDARTS)",
    _gumbel,
    parameters={
        "arch_learning_rate": DEFAULT_DARTS_LEARNING_RATE,
        "temperature_start": 1.0,
        "temperature_end": 0.33,
        "measured_designs": 0,
    },
    bounds={
        "arch_learning_rate": LEARNING_RATE,
        "temperature_start": _TEMPERATURE,
        "temperature_end": _TEMPERATURE,
        "measured_designs": MEASURED,
    },
    distributions=lambda: {
        "arch_learning_rate": FloatDistribution(3e-4, 0.3, log=True),
        "temperature_start": FloatDistribution(0.5, 5.0, log=True),
        "temperature_end": FloatDistribution(0.1, 0.5, log=True),
        "measured_designs": NOT_MEASURED,
    },
)
