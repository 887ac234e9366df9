"""Which operations a space offers: the published ones, those of a strategy's entry, or those that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from nas_fusion.data import EncodedDataset, Field, FieldKind, Schema
from nas_fusion.design import KNOWN_OPERATIONS, OPERATIONS
from nas_fusion.errors import OptionError
from nas_fusion.nn import OPERATION_TYPES
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.setup.study_space import make_space, settings_for

OWN = ("add", "residual-product", "concat", "attention")
PLAIN = STRATEGIES.get("random")
WITH_OWN = replace(PLAIN, operations=OWN)


def settings(**model: Any) -> ComparisonSettings:
    small = ModelSettings(**{"levels": 1, "emb_dim": 2, "block_width": "0", **model})
    return ComparisonSettings("log.csv", DataOptions(), ("random",), model=small)


def log() -> EncodedDataset:
    schema = Schema(tuple(Field(f"c{i}", FieldKind.CATEGORICAL, 5) for i in range(3)), "click")
    return cast(EncodedDataset, SimpleNamespace(schema=schema, train=range(100)))


def offered(entry: Any, **model: Any) -> Sequence[str]:
    return make_space(settings_for(settings(**model), entry), log()).designs.operations


@pytest.mark.parametrize("space", ["dcn", "dcnv2", "dcnv2-low-rank"])
def test_the_published_ones_unless_the_entry_or_the_user_says_otherwise(space: str) -> None:
    assert offered(PLAIN, space=space) == OPERATIONS
    assert offered(WITH_OWN, space=space) == OWN
    assert offered(WITH_OWN, space=space, operations="add, concat") == ("add", "concat")
    assert offered(PLAIN, space=space, operations=",".join(KNOWN_OPERATIONS)) == KNOWN_OPERATIONS


def test_every_known_operation_has_a_module() -> None:
    assert tuple(OPERATION_TYPES) == KNOWN_OPERATIONS


@pytest.mark.parametrize("text", ["", "add,", "add,add", ",", " "])
def test_a_text_that_is_no_list_is_refused(text: str) -> None:
    wanted = "auto, or names of different operations" if text else "a text that is not empty"
    with pytest.raises(OptionError, match=f"operations must be {wanted}"):
        settings(operations=text)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"out of add, product, .*residual-product, bilinear, got 'sum'"):
        offered(PLAIN, operations="add,sum")


class WithoutOperations(FusionSpace):
    """A third party's, whose designs always merge as published."""

    def __init__(self, field_sizes: Any, levels: int, emb_dim: int, product: Any, batch_norm: bool, dropout: float):
        super().__init__(field_sizes, levels, emb_dim, product=product, batch_norm=batch_norm, dropout=dropout)


class WithItsOwn(FusionSpace):
    """A third party's with a choice of its own."""

    def __init__(self, field_sizes: Any, operations: Sequence[str] = ("add", "attention"), **more: Any) -> None:
        super().__init__(field_sizes, operations=operations, **more)


class PassedOn(FusionSpace):
    """A third party's that leaves its options to the space."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)


@pytest.mark.parametrize(
    ("kind", "expected"), [(WithoutOperations, OPERATIONS), (WithItsOwn, ("add", "attention")), (PassedOn, OWN)]
)
def test_a_space_that_chooses_itself_is_left_alone(
    kind: type[FusionSpace], expected: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SPACES, "get", lambda name: kind)
    assert offered(WITH_OWN, space="mine") == expected
