"""What NNI's one-shot wrapping leaves out, put back.

NNI wraps the evaluator's Lightning module in one that holds the search. That wrapper

- keeps the architecture parameters of DARTS in ``list(set(...))``, whose order differs from run to run, so that an
  optimiser's state cannot be loaded again;
- does not forward ``validation_step``, and DARTS drops the validation loader, so that nothing can be measured while
  it searches;
- logs every probability every few steps (44 ms for 47 values).

`MendedModule` and `MendedStrategy` are mixed into NNI's classes, before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.optim import Optimizer

from nas_fusion.errors import OptionError
from nas_fusion.nni_bridge.nni_import import BaseOneShotLightningModule, BaseSuperNetModule


@runtime_checkable
class LearnsArchitecture(Protocol):
    """A module of a supernet (a `BaseSuperNetModule`) that learns its choices by gradient.

    Its architecture parameters are taken out of the weights' optimiser, and what it thinks of every choice is recorded
    once an epoch. A module without it has fixed or random choices.
    """

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """The architecture's parameters, as far as they are learned; asked when an optimiser is made."""

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        """By label, the probability of every value of a choice; asked after every epoch, and after the training."""


def learners(module: nn.Module) -> Iterator[Any]:
    """The modules inside `module` that learn an architecture (`LearnsArchitecture`), in order.

    Raises:
        OptionError: one has `arch_parameters`, and no `export_probs` of its own.
    """
    for inner in module.modules():
        if isinstance(inner, BaseSuperNetModule) and isinstance(inner, LearnsArchitecture):
            if type(inner).export_probs is BaseSuperNetModule.export_probs:
                name = f"LearnsArchitecture of {type(inner).__name__}"
                raise OptionError(name, "whole (arch_parameters(), export_probs())", "no export_probs")
            yield inner


def inner_module(pl_module: Any) -> Any:
    """The evaluator's Lightning module: inside NNI's one-shot module around it, or the module itself."""
    return pl_module.training_module if isinstance(pl_module, BaseOneShotLightningModule) else pl_module


class MendedModule:
    """Mixin for a subclass of NNI's `BaseOneShotLightningModule`."""

    training_module: Any
    modules: Callable[[], Any]

    def arch_parameters(self) -> list[nn.Parameter]:
        """Every architecture parameter once, in the order of the modules."""
        by_identity: dict[int, nn.Parameter] = {}
        assert isinstance(self, nn.Module), "it is mixed into one"
        for module in learners(self):
            by_identity.update((id(p), p) for p in module.arch_parameters())
        return list(by_identity.values())

    def postprocess_weight_optimizers(self, optimizers: Optimizer) -> Optimizer:
        """Take the architecture parameters out of the weights' optimiser."""
        architecture = {id(p) for p in self.arch_parameters()}
        for group in optimizers.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in architecture]
        return optimizers

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """Validate as the wrapped module does."""
        return self.training_module.validation_step(*args, **kwargs)

    def on_validation_epoch_start(self) -> None:
        """Forward the hook."""
        self.training_module.on_validation_epoch_start()

    def on_validation_epoch_end(self) -> None:
        """Forward the hook."""
        self.training_module.on_validation_epoch_end()

    def log_probs(self, probs: Any) -> None:
        """Log nothing during an epoch; `nas_fusion.training` records the choices once an epoch."""


class MendedStrategy:
    """Mixin for a subclass of NNI's `OneShotStrategy`."""

    def val_dataloader(self, train_dataloader_fn: Callable[[], Any], val_dataloader_fn: Callable[[], Any]) -> Any:
        """Validate on the evaluator's validation loader, whatever the search does with it while training."""
        return val_dataloader_fn()
