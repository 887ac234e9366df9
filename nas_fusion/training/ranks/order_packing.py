"""An order to other processes as bytes, its tensors apart, and its files by name.

A model's tables can be larger than what is left of the memory: they travel as they are, not inside a pickle. Arrays of
an encoded data set are maps of files, which every process opens for itself.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

ReadableArray = npt.NDArray[Any]


class TensorForm(NamedTuple):
    """What has to be known of a tensor before its numbers come."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    is_parameter: bool
    requires_grad: bool

    @classmethod
    def of(cls, tensor: Tensor) -> TensorForm:
        """That of a tensor."""
        is_parameter = isinstance(tensor, nn.Parameter)
        return cls(tuple(tensor.shape), tensor.dtype, is_parameter, tensor.requires_grad)

    def empty(self) -> Tensor:
        """A tensor like this with any numbers, on the CPU."""
        tensor = torch.empty(self.shape, dtype=self.dtype)
        if self.is_parameter:
            return nn.Parameter(tensor, requires_grad=self.requires_grad)
        return tensor.requires_grad_(self.requires_grad)


class _InFile(NamedTuple):
    """An array that is a part of a mapped file; bytes of position and strides."""

    path: str
    dtype: str
    position: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PackedOrder:
    """An order without its tensors.

    Args:
        content: the pickle.
        forms: of the tensors, in their order.
    """

    content: bytes
    forms: tuple[TensorForm, ...]

    def unpack(self) -> tuple[Any, list[Tensor]]:
        """The order, and its tensors, whose numbers are to be filled in."""
        tensors = [form.empty() for form in self.forms]
        return _Unpacker(io.BytesIO(self.content), tensors).load(), tensors


def pack(order: Callable[[], object]) -> tuple[PackedOrder, list[Tensor]]:
    """An order without its tensors, and those.

    Raises:
        pickle.PicklingError, TypeError: a part of it cannot be sent.
    """
    stream = io.BytesIO()
    packer = _Packer(stream)
    packer.dump(order)
    return PackedOrder(stream.getvalue(), tuple(map(TensorForm.of, packer.tensors))), packer.tensors


class _Packer(cloudpickle.CloudPickler):
    """What users define in a notebook goes by value."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.tensors: list[Tensor] = []
        self._places: dict[int, int] = {}

    def persistent_id(self, found: object) -> object:
        """What stands for a tensor or a mapped array; None for everything else."""
        if isinstance(found, Tensor) and type(found) in (Tensor, nn.Parameter) and found.layout == torch.strided:
            place = self._places.setdefault(id(found), len(self.tensors))
            if place == len(self.tensors):
                self.tensors.append(found)
            return place
        return _in_file(found) if isinstance(found, np.ndarray) else None


class _Unpacker(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(stream)
        self._tensors = tensors

    def persistent_load(self, found: Any) -> Any:
        """The tensor or the array that something stands for."""
        return self._tensors[found] if isinstance(found, int) else _opened(found)


def _in_file(array: ReadableArray) -> _InFile | None:
    """Where an array lies, if that is a file that is only read."""
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode != "r" or root.filename is None:
        return None
    position = int(root.offset) + array.ctypes.data - root.ctypes.data
    return _InFile(str(root.filename), array.dtype.str, position, array.shape, array.strides)


def _opened(place: _InFile) -> ReadableArray:
    whole = np.memmap(place.path, np.uint8, mode="r")
    return np.ndarray(place.shape, place.dtype, whole, place.position, place.strides)
