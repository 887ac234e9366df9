"""Counting what a model computes, without computing it.

What counts, per row of the input:

- One *multiply-add* is one multiplication with the addition that follows it: a matrix product ``[n, k] × [k, m]`` has
  ``n · k · m``. Convolutions and attention kernels count alike.
- A multiplication of two numbers that no sum follows counts too: the crosses, Hadamard products, attention weights,
  the gates of a mixture, the squares of a factorisation machine. So does a division.
- Where a log has fields that are more than one id, a field's vector is a weighted sum of vectors, each of which counts
  as many multiply-adds as it is wide: one of a field of ids or a scaled one, two of an interpolated one, and one for
  each item of a list, which counts as full.
- Embedding look-ups, sums alone (biases included), ReLU, the exponentials of softmax and sigmoid, and normalisations,
  which fold into the matrix before them once a model is trained, do not count.
- Work that a batch needs once, however many rows it has (a softmax over learnt logits, say), does not count.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas_fusion.field_shapes import value_fields_of
from nas_fusion.nn import Fields
from nas_fusion.training import evaluating

_FEW, _MORE = 2, 3
"""Rows of the two runs whose difference is one row's work."""

MakeInputs = Callable[[int, torch.device], tuple[Any, ...]]
"""Makes the arguments of a module for a number of rows."""


def parameters(model: nn.Module) -> int:
    """Number of weights, the embedding table's among them; buffers are none."""
    return sum(p.numel() for p in model.parameters())


def multiply_adds(model: nn.Module, fields: Fields) -> int:
    """Multiply-adds of one row when predicting; see this module for what counts.

    Exact, and the same for every batch size and device: the operations that torch runs are counted, on its ``meta``
    device, where tensors have shapes and no values, so that nothing is computed and a model's fast paths for certain
    devices do not matter. A model that cannot run there, because it looks at values, runs on its own device.

    Args:
        model: called with ids and values; it is left as it was.
        fields: of the data.
    """
    return count_module(model, lambda rows, device: inputs_for(fields, rows, device))


def inputs_for(fields: Fields, rows: int, device: torch.device, seed: int = 0) -> tuple[Tensor, Tensor | None]:
    """Random ids ``[rows, id column]`` and values ``[rows, value column]`` from 0 to 1 (None where no field has one).

    Always the same. Lists are full.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [shape.size for shape in fields.shapes for _ in range(shape.columns)]
    ids = torch.stack([torch.randint(0, size, (rows,), generator=generator) for size in sizes], dim=1)
    values = len(value_fields_of(fields.shapes))
    if not values:
        return ids.to(device), None
    return ids.to(device), torch.rand(rows, values, generator=generator).to(device)


def count_module(module: nn.Module, make_inputs: MakeInputs) -> int:
    """Multiply-adds of one row of any module.

    Args:
        module: it is left as it was.
        make_inputs: its arguments for a number of rows.
    """
    tensors = dict(itertools.chain(module.named_parameters(), module.named_buffers()))
    home = next((t.device for t in tensors.values()), torch.device("cpu"))
    with evaluating(module, home), torch.no_grad():
        try:
            shapes = {name: torch.empty_like(t, device="meta") for name, t in tensors.items()}
            return _difference(lambda args: functional_call(module, shapes, args), make_inputs, torch.device("meta"))
        except (RuntimeError, TypeError):  # it looks at values; an error of its own comes again below
            return _difference(lambda args: module(*args), make_inputs, home)


def _difference(call: Callable[[tuple[Any, ...]], Any], make_inputs: MakeInputs, device: torch.device) -> int:
    counts = []
    for rows in (_FEW, _MORE):
        arguments = make_inputs(rows, device)
        with _Counter() as counter:
            call(arguments)
        counts.append(counter.total)
    # What a batch costs once is in both runs, and goes away.
    return (counts[1] - counts[0]) // (_MORE - _FEW)


class _Counter(TorchDispatchMode):
    """Adds up the multiply-adds of every operation that torch runs inside the block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        # An operation made of others (a linear layer, attention) is counted by its parts.
        if packet not in _PRODUCTS and packet not in _ELEMENTWISE and packet not in _SUMS_OF_ROWS:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if packet in _PRODUCTS:
            self.total += _PRODUCTS[packet](*args, **kwargs, out_val=result) // 2  # torch counts a multiply-add as two
        elif packet in _ELEMENTWISE:
            self.total += _ELEMENTWISE[packet](args) * result.numel()
        elif packet in _SUMS_OF_ROWS:
            self.total += args[1].numel() * args[0].shape[1]
        return result


def _vector_product(*args: Tensor, out_val: Any = None) -> int:
    return 2 * args[-2].numel()


def _power(args: Sequence[Any]) -> int:
    # x³ is two multiplications; a root is counted as one.
    exponent = args[1] if len(args) > 1 else 2
    return max(1, math.ceil(abs(exponent)) - 1) if isinstance(exponent, int | float) else 1


def _elementwise() -> dict[Any, Callable[[Sequence[Any]], int]]:
    """Multiplications per number of the result, by operation, in place or not."""
    counts: dict[str, Callable[[Sequence[Any]], int]] = {
        "mul": lambda args: 1, "div": lambda args: 1, "addcmul": lambda args: 1, "addcdiv": lambda args: 2,
        "pow": _power,
    }  # fmt: skip
    return {getattr(torch.ops.aten, n + end): count for n, count in counts.items() for end in ("", "_")}


_aten = torch.ops.aten
_PRODUCTS: dict[Any, Callable[..., int]] = {
    **cast("dict[Any, Callable[..., int]]", flop_registry),
    **dict.fromkeys((_aten.mv, _aten.dot, _aten.addmv), _vector_product),
}
_ELEMENTWISE = _elementwise()
_SUMS_OF_ROWS = (_aten._embedding_bag, _aten._embedding_bag_forward_only)
