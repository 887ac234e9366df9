"""Every function of `nas_fusion.nn` that takes tensors refuses tensors of another shape, or of other numbers.

That is so while tests run (`tests/checked_shapes.py`). Without these checks many a wrong shape broadcasts to a wrong
result.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import isclass
from types import FunctionType
from typing import Any, NamedTuple

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

import nas_fusion.nn
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.nn import (
    Add,
    Attention,
    Bilinear,
    Concat,
    CrossBlock,
    DeepBlock,
    Ensemble,
    FieldEmbedding,
    FusionNetwork,
    FusionOperation,
    HardFusion,
    LowRankCrossBlock,
    MatrixCrossBlock,
    NoInput,
    PassThrough,
    Product,
    ResidualProduct,
    SoftFusion,
)
from nas_fusion.nn.blocks import ConstantBlock, ConstantDeepBlock
from nas_fusion.nn.field_terms import FieldTerms
from nas_fusion.nn.fused_mixture import fused_mixture, weights_by_kind
from nas_fusion.nn.kernels import EmbeddingTable
from nas_fusion.nn.mixture import gated, mixture_of
from nas_fusion.nn.operations import Bias
from nas_fusion.nn.plain_vectors import PlainVectors
from nas_fusion.nn.stacked_mixture import stacked_mixture

BATCH, WIDTH, FIELDS = 3, 4, 2


class Case(NamedTuple):
    """A call that is right: arguments are tensors, or lists of them."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def features() -> Tensor:
    return torch.ones(BATCH, WIDTH)


def ids() -> Tensor:
    return torch.zeros(BATCH, FIELDS, dtype=torch.int32)


def embedding() -> FieldEmbedding:
    return FieldEmbedding([3, FieldShape(5, FieldForm.SCALED)], WIDTH // FIELDS)


def network() -> FusionNetwork:
    nodes = {"cross0": PassThrough(), "output": HardFusion(Add(2, WIDTH))}
    sources = {"cross0": ["embedding"], "output": ["embedding", "cross0"]}
    return FusionNetwork(embedding(), nodes, sources, {"cross0": CrossBlock(WIDTH)}, torch.nn.Linear(WIDTH, 1))


def published() -> list[FusionOperation]:
    return [kind(2, WIDTH) for kind in (Add, Product, Concat, Attention)]


def cases() -> dict[str, Case]:
    terms = FieldTerms(embedding().fields.shapes)
    plain = PlainVectors(embedding().fields.shapes)
    two, gates, values = [features(), features()], torch.ones(2), torch.ones(BATCH, 1)
    block = (features(), features())
    node = (two, features())
    mixture = (two, gates, torch.ones(4))
    soft = SoftFusion({"add": Add(2, WIDTH)}, torch.ones(1))
    found = {
        "ConstantBlock.forward": Case(ConstantBlock(torch.ones(WIDTH)), block),
        "ConstantDeepBlock.forward": Case(ConstantDeepBlock(torch.ones(WIDTH), None), block),
        "ConstantBlock.__init__": Case(ConstantBlock, (torch.ones(WIDTH),)),
        "ConstantDeepBlock.__init__": Case(lambda b: ConstantDeepBlock(b, None), (torch.ones(WIDTH),)),
        "CrossBlock.forward": Case(CrossBlock(WIDTH), block),
        "MatrixCrossBlock.forward": Case(MatrixCrossBlock(WIDTH), block),
        "LowRankCrossBlock.forward": Case(LowRankCrossBlock(WIDTH, 2), block),
        "DeepBlock.forward": Case(DeepBlock(WIDTH), block),
        "DeepBlock.after": Case(DeepBlock(WIDTH).after, (features(),)),
        "Concat.mapped": Case(lambda x: Concat(2, WIDTH).mapped(x, torch.nn.Linear(WIDTH, 1)), (two,)),
        "HardFusion.can_map": Case(HardFusion(Concat(2, WIDTH)).can_map, (two,)),
        "HardFusion.mapped": Case(
            lambda x, e: HardFusion(Concat(2, WIDTH)).mapped(x, e, torch.nn.Linear(WIDTH, 1)), node
        ),
        "EmbeddingTable.forward": Case(EmbeddingTable(5, 2), (ids(),)),  # of any number of dimensions
        "FieldEmbedding.forward": Case(embedding(), (ids(), values)),
        "FieldTerms.forward": Case(lambda i, v: terms(i, v, torch.ones(1)), (ids(), values)),
        "PlainVectors.forward": Case(lambda i, v: plain(i, v, EmbeddingTable(8, 2)), (ids(), values)),
        "Ensemble.forward": Case(Ensemble([network(), network()]), (ids(), values)),
        "FusionNetwork.forward": Case(network(), (ids(), values)),
        "PassThrough.forward": Case(PassThrough(), ([features()], features())),
        "NoInput.forward": Case(NoInput(), node),
        "HardFusion.forward": Case(HardFusion(Add(2, WIDTH)), node),
        "SoftFusion.__init__": Case(lambda p: SoftFusion({"add": Add(2, WIDTH)}, p), (torch.ones(1),)),
        "SoftFusion.forward": Case(soft, node),
        "fused_mixture": Case(lambda x, m, w: fused_mixture(x, m, w, published()), mixture),
        "stacked_mixture": Case(lambda x, m, w: stacked_mixture(x, m, w, published()), mixture),
        "gated": Case(gated, (two, torch.ones(2))),
        "mixture_of": Case(lambda x, m, w: mixture_of(x, m, w, published(), (0, 1, 2, 3)), mixture),
        "weights_by_kind": Case(lambda w: weights_by_kind(w, published())[Add], (torch.ones(4),)),
        "Bias.__init__": Case(Bias, (torch.ones(WIDTH),)),
        "Bias.constant": Case(Bias(torch.ones(WIDTH)).constant, (features(),)),
        "Attention.together": Case(Attention(2, WIDTH).together, (torch.ones(BATCH, 2, WIDTH),)),
    }
    for kind in (Add, Product, Concat, Attention, ResidualProduct, Bilinear):
        operation = kind(2, WIDTH)
        found[f"{kind.__name__}.forward"] = Case(operation, (two, gates))
        found[f"{kind.__name__}.on"] = Case(lambda x, operation=operation: operation.on(x, [0, 1]), (two,))
        found[f"{kind.__name__}.constant"] = Case(operation.constant, (features(),))
    return found


CASES = cases()


def wrong(name: str, arguments: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The arguments with one tensor replaced: by one of more dimensions, of other numbers, of another batch."""
    for place, argument in enumerate(arguments):
        tensor = argument[-1] if isinstance(argument, list) else argument
        others = {"a dimension more": tensor.unsqueeze(0), "other numbers": tensor.bool()}
        if name == "EmbeddingTable.forward":
            del others["a dimension more"]
        alone = len(arguments) == 1 and not (isinstance(argument, list) and len(argument) > 1)
        if tensor.ndim > 1 and not alone:
            others["another batch"] = tensor[:1]
        for what, other in others.items():
            changed = [*argument[:-1], other] if isinstance(argument, list) else other
            yield f"{place}, {what}", (*arguments[:place], changed, *arguments[place + 1 :])


@pytest.mark.parametrize("name", CASES)
def test_right_shapes_pass(name: str) -> None:
    CASES[name].function(*CASES[name].arguments)


WRONG = [(name, what) for name, case in CASES.items() for what, _ in wrong(name, case.arguments)]


@pytest.mark.parametrize(("name", "what"), WRONG)
def test_a_wrong_shape_fails(name: str, what: str) -> None:
    case = CASES[name]
    with pytest.raises(TypeCheckError):
        case.function(*dict(wrong(name, case.arguments))[what])


def test_the_checks_are_on() -> None:
    """One row would broadcast over three."""
    with pytest.raises(TypeCheckError, match="inputs"):
        Add(2, WIDTH)([features(), torch.ones(1, WIDTH)])


def test_every_public_function_of_tensors_is_here() -> None:
    """All that says Tensor in its signature, whether it gives a shape or not."""
    found = set()
    for module in pkgutil.iter_modules(nas_fusion.nn.__path__, "nas_fusion.nn."):
        for name, value in vars(import_module(module.name)).items():
            if getattr(value, "__module__", None) == module.name and not name.startswith("_"):
                members = {f"{name}.{n}": m for n, m in vars(value).items()} if isclass(value) else {name: value}
                found |= {n for n, member in members.items() if takes_tensors(n, member)}
    abstract = {"FusionOperation.forward", "FusionOperation.on", "FusionOperation.constant", "BeginsWithMap.after"}
    assert found - abstract <= set(CASES)


def takes_tensors(name: str, member: object) -> bool:
    """Whether a public function has a parameter that is a tensor, or several."""
    if not isinstance(member, FunctionType) or (
        name.rpartition(".")[2].startswith("_") and not name.endswith("__init__")
    ):
        return False
    given = [str(text) for parameter, text in member.__annotations__.items() if parameter != "return"]
    return any(word in text for text in given for word in ("Tensor", "Features"))
