"""How wide blocks are: as published, as said, or as many features as the training rows can tell apart."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.data import EncodedDataset, Field, FieldKind, Schema
from nas_fusion.errors import OptionError
from nas_fusion.measures import parameters
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.setup import memory
from nas_fusion.studies.setup.memory import check_memory
from nas_fusion.studies.setup.study_space import (
    FREE_WIDTH,
    NARROWEST,
    WEIGHTS_PER_ROW,
    WIDEST,
    block_width,
    fields_of,
    make_space,
    network_weights,
    say_block_width,
)


def settings(**model: Any) -> ComparisonSettings:
    return ComparisonSettings("log.csv", DataOptions(), ("optfusion-hard",), model=ModelSettings(**model))


def log_of(fields: int, rows: int, size: int = 5) -> EncodedDataset:
    """As much of an encoded log as is looked at before anything is built."""
    schema = Schema(tuple(Field(f"c{i}", FieldKind.CATEGORICAL, size) for i in range(fields)), "click")
    return cast(EncodedDataset, SimpleNamespace(schema=schema, train=range(rows)))


def test_weights_without_the_table() -> None:
    model = ModelSettings(levels=2)
    space = FusionSpace(field_sizes=[3] * 4, levels=2, emb_dim=5)
    assert network_weights(model, 20) == parameters(space) - 4 * 3 * 5


def test_a_narrow_log_is_as_published_however_few_rows_it_has() -> None:
    assert block_width(settings(), FREE_WIDTH // 10, rows=10) == 0
    assert fields_of(settings(), log_of(51, 10)).width == 510


def test_a_long_and_wide_log_has_blocks_of_which_a_step_takes_a_second() -> None:
    """However many rows there are: at the full width of 300 fields a step takes more than twenty."""
    assert block_width(settings(), 100, 10**9) == block_width(settings(), 1000, 10**9) == 510
    assert block_width(settings(emb_dim=16), 33, 10**9) == 512
    assert block_width(settings(emb_dim=700), 2, 10**9) == 700, "at least one whole vector"
    assert block_width(settings(block_width="0"), 1000, 10**9) == 0


@pytest.mark.parametrize(("fields", "rows"), [(300, 10_000), (300, 20_000), (2000, 60_000)])
def test_a_wide_log_has_as_many_weights_as_its_rows_can_tell(fields: int, rows: int) -> None:
    asked = settings()
    width = block_width(asked, fields, rows)

    def weights(width: int) -> int:
        return network_weights(asked.model, width) + fields * 10 * width

    assert NARROWEST < width < WIDEST - 10
    assert width % 10 == 0
    assert weights(width) <= WEIGHTS_PER_ROW * rows < weights(width + 10)


def test_a_wide_and_short_log_has_the_narrowest_blocks() -> None:
    assert block_width(settings(), 2000, 480) == 70, "the first whole vectors of 10"
    assert block_width(settings(emb_dim=64), 300, 480) == 64
    assert block_width(settings(emb_dim=1000), 2, 5) == 1000, "not wider than it was"


def test_a_width_that_is_said_holds() -> None:
    assert block_width(settings(block_width="0"), 2000, 10) == 0
    assert block_width(settings(block_width="120"), 3, 10**9) == 120
    assert make_space(settings(block_width="24", emb_dim=4, levels=1), log_of(20, 100)).fields.width == 24


@pytest.mark.parametrize("wrong", ["wide", "-1", "65537", "1.5", ""])
def test_other_widths_are_refused(wrong: str) -> None:
    with pytest.raises(OptionError, match="block_width must be"):
        ModelSettings(block_width=wrong)


def test_settings_that_are_older_are_as_published() -> None:
    content = settings().to_dict()
    assert ComparisonSettings.from_dict(content).model.block_width == "auto"
    del content["model"]["block_width"]
    assert ComparisonSettings.from_dict(content).model.block_width == "0"


def test_a_chosen_width_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("nas_fusion"), "propagate", True)
    for _ in range(2):
        say_block_width(settings(), log_of(700, 481))
        say_block_width(settings(), log_of(7, 481))
        say_block_width(settings(block_width="30"), log_of(700, 481))
    (said,) = caplog.messages
    assert said.startswith("blocks are 70 features wide instead of 7,000 (700 fields of 10): a supernet of that width")
    assert "481 training rows can tell about 48,100 apart; --block-width says another width (0: 7,000)" in said


def test_a_width_that_saves_time_is_said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("nas_fusion"), "propagate", True)
    say_block_width(settings(), log_of(300, 10_000_000))
    (said,) = caplog.messages
    assert said.startswith("blocks are 510 features wide instead of 3,000 (300 fields of 10)")
    assert "a step of it takes about 35 times as long; --block-width says another width (0: 3,000)" in said


def test_what_does_not_fit_is_refused_with_a_width_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not built: the supernet would have 40 billion weights."""
    monkeypatch.setattr(memory, "memory", lambda settings: 2 * 2**30)
    asked, log = settings(block_width="0"), log_of(2000, 480)
    entries = [STRATEGIES.get("optfusion-hard")]
    with pytest.raises(OptionError) as refused:
        check_memory(asked, log, entries)
    words = str(refused.value)
    assert "2,000 fields, 10,000 features, 3 levels and blocks 20,000 wide (39,601,120,001 weights need" in words
    most = int(words.partition("block_width must be at most ")[2].partition(" here")[0].replace(",", ""))
    check_memory(replace(asked, model=ModelSettings(block_width=str(most))), log, entries)
    with pytest.raises(OptionError):
        check_memory(replace(asked, model=ModelSettings(block_width=str(most + 10))), log, entries)
    check_memory(settings(), log, entries)


class NarrowSpace(FusionSpace):
    """A third party's, from before there was a width of blocks."""

    def __init__(self, field_sizes: Any, levels: int, emb_dim: int, product: Any, batch_norm: bool, dropout: float):
        super().__init__(field_sizes, levels, emb_dim, product=product, batch_norm=batch_norm, dropout=dropout)


class LookingBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        assert torch.rand(()).item() >= 0

    def forward(self, fused: Tensor, embedding: Tensor) -> Tensor:
        return fused


class LookingSpace(FusionSpace):
    def make_deep(self, width: int) -> nn.Module:
        return LookingBlock()


@pytest.mark.parametrize("kind", [NarrowSpace, LookingSpace])
def test_spaces_of_others(kind: type[FusionSpace], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SPACES, "get", lambda name: kind)
    asked = settings(space=f"test-{kind.__name__}", emb_dim=4, levels=1)
    assert make_space(asked, log_of(3, 100)).fields == Fields.of([5] * 3, 4)
    if kind is LookingSpace:
        assert network_weights(asked.model, 16) == 0
        assert block_width(asked, 300, 100) == 0, "what cannot be counted stays as published"
