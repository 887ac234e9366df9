"""The formats that a network is exported to: how each is written, and how its file is run for the check."""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas_fusion import bounds
from nas_fusion.errors import MissingPackageError, WriteError
from nas_fusion.serving.export.scored_module import INPUTS, OUTPUTS, ScoredModule

ROWS = "rows"
"""What the dimension is called whose size is free."""

LARGEST_MESSAGE = 1 << 30
"""Weights of more bytes lie in a file beside the model: protobuf holds 2 GiB at most."""

Arrays = Sequence[npt.NDArray[np.int64 | np.float32]]
Run = Callable[[Arrays], npt.NDArray[np.float64]]
"""Ids, and values if the model has any, to probabilities."""


class ExportFormat(ABC):
    """One format. Lifecycle: `check_packages`, then `write`, then `open` what was written."""

    name: ClassVar[str]
    file: ClassVar[str]
    """Of the model, in the folder."""

    packages: ClassVar[tuple[str, ...]] = ()
    """That it needs beside torch."""

    def check_packages(self) -> None:
        """See that everything is installed.

        Raises:
            MissingPackageError: something is not.
        """
        for package in self.packages:
            if find_spec(package) is None:
                raise MissingPackageError(f"the format {self.name}", package, "export")

    @abstractmethod
    def write(self, module: ScoredModule, inputs: tuple[Tensor, ...], folder: Path) -> None:
        """Write the model into a folder; the number of rows stays free.

        Args:
            module: on the CPU.
            inputs: an example.
            folder: where it is to lie.
        """

    @abstractmethod
    def open(self, folder: Path) -> Run:
        """What was written, ready to be called."""


class Onnx(ExportFormat):
    """ONNX, for ONNX Runtime and most other servers."""

    name = "onnx"
    file = "model.onnx"
    packages = ("onnx", "onnxscript", "onnxruntime")

    def write(self, module: ScoredModule, inputs: tuple[Tensor, ...], folder: Path) -> None:
        """Export by ``torch.export``, and translate."""
        program = torch.onnx.export(
            module,
            inputs,
            input_names=INPUTS[: len(inputs)],
            output_names=OUTPUTS,
            dynamic_shapes=tuple({0: ROWS} for _ in inputs),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        _forget_sources(program)
        size = sum(tensor.nbytes for tensor in module.state_dict().values())
        program.save(folder / self.file, external_data=size > LARGEST_MESSAGE)

    def open(self, folder: Path) -> Run:
        """A session on the CPU."""
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / self.file, providers=["CPUExecutionProvider"])

        def run(arrays: Arrays) -> npt.NDArray[np.float64]:
            (found,) = session.run(OUTPUTS[:1], dict(zip(INPUTS, arrays, strict=False)))
            return np.asarray(found, np.float64)

        return run


def _forget_sources(program: torch.onnx.ONNXProgram) -> None:
    """Drop what exporters note for their developers: most of a small file, with paths of this machine."""
    graph = program.model.graph
    for node in graph.all_nodes():
        node.doc_string = None
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()


class _TorchFormat(ExportFormat):
    """What torch reads back: called with tensors, gives tensors."""

    def open(self, folder: Path) -> Run:
        """The model on the CPU."""
        model = self._loaded(folder / self.file)

        def run(arrays: Arrays) -> npt.NDArray[np.float64]:
            with torch.no_grad():
                probability, _ = model(*map(torch.from_numpy, arrays))
            return probability.double().numpy()

        return run

    @abstractmethod
    def _loaded(self, file: Path) -> Callable[..., tuple[Tensor, Tensor]]:
        """What is called with ids and values."""


class TorchExport(_TorchFormat):
    """An `ExportedProgram`: for torch without nas-fusion, AOTInductor and ExecuTorch."""

    name = "torch-export"
    file = "model.pt2"

    def write(self, module: ScoredModule, inputs: tuple[Tensor, ...], folder: Path) -> None:
        """Export and save."""
        rows = torch.export.Dim(ROWS, min=1)
        shapes = tuple({0: rows} for _ in inputs)
        program = torch.export.export(module, inputs, dynamic_shapes=shapes)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        torch.export.save(program, folder / self.file)

    def _loaded(self, file: Path) -> Callable[..., tuple[Tensor, Tensor]]:
        return torch.export.load(file).module()


class TorchScript(_TorchFormat):
    """TorchScript, for libtorch and TorchServe."""

    name = "torchscript"
    file = "model.ts.pt"

    def write(self, module: ScoredModule, inputs: tuple[Tensor, ...], folder: Path) -> None:
        """Trace, freeze and save."""
        traced = torch.jit.trace(module, inputs, check_trace=False)
        torch.jit.save(torch.jit.freeze(traced), folder / self.file)

    def _loaded(self, file: Path) -> Callable[..., tuple[Tensor, Tensor]]:
        return torch.jit.load(file)


EXPORT_FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    dict(zip(bounds.EXPORT_FORMATS, (Onnx(), TorchExport(), TorchScript()), strict=True))
)
"""By name."""


@contextmanager
def quiet_exporters(place: Path) -> Iterator[None]:
    """No gradients, no warnings and no log lines of exporters, which speak to developers.

    Args:
        place: where they write.

    Raises:
        WriteError: it cannot be written.
    """
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise WriteError(place, error.strerror or error) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
