"""Several processes train as one does: same weights, same decisions; a lost one ends all of them and is named."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.data import EncodedSplit, SearchData, prepare
from nas_fusion.errors import LostRankError, OptionError, TrainingError
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import EpochRecord, FitResult, TrainConfig, fit
from nas_fusion.training.ranks import ALONE, RankedTeam, being_in, several_devices
from tests.serving.clicks_log import OPTIONS, clicks

pytestmark = pytest.mark.slow

CLOSE = 1e-9
CONFIG = TrainConfig(
    learning_rate=0.01, batch_size=64, max_epochs=3, patience=1, lr_drop=0.3, device="cpu", precision="64"
)
TOUCHED = replace(CONFIG, embedding_optimizer="touched-rows-adam", embedding_l2=1e-3, gradient_clip=0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    """Categories, scaled and interpolated numbers, times, lists, hashed texts; rows that weigh differently."""
    made = prepare(clicks(), OPTIONS, cache=tmp_path_factory.mktemp("cache")).search_view()
    return replace(made, train=_weighted(made.train), valid=_weighted(made.valid))


def _weighted(split: EncodedSplit) -> EncodedSplit:
    weights: Any = np.random.default_rng(3).exponential(5.0, len(split)).astype(np.float32)
    return replace(split, weights=weights)


def tower(data: SearchData, *, batch_norm: bool = False, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    shape = {"hidden_width": 8, "hidden_layers": 2, "dropout": dropout, "batch_norm": batch_norm}
    return MODELS["fnn"].for_schema(data.schema, 4, **shape)


def design(data: SearchData) -> nn.Module:
    torch.manual_seed(1)
    space = FusionSpace.for_schema(data.schema, levels=2, emb_dim=4)
    return space.derive(space.designs.sample(np.random.default_rng(5)), weights=False)


class Trained(NamedTuple):
    result: FitResult
    state: Mapping[str, Tensor]


def trained(model: nn.Module, data: SearchData, config: TrainConfig) -> Trained:
    result = fit(model, data, config)
    return Trained(result, {name: part.clone() for name, part in model.state_dict().items()})


def alone(model: nn.Module, data: SearchData, config: TrainConfig) -> Trained:
    """By one process, whatever team there is."""
    with being_in(ALONE):
        return trained(model, data, config)


def assert_same(found: Trained, wanted: Trained, idle: tuple[str, ...] = ()) -> None:
    """Same weights and same decisions; `idle` ones move by rounding errors alone, which Adam makes large."""
    assert found.result.best_epoch == wanted.result.best_epoch
    assert (found.result.stopped, found.result.samples) == (wanted.result.stopped, wanted.result.samples)
    for one, other in zip(found.result.history, wanted.result.history, strict=True):
        assert figures(one) == pytest.approx(figures(other), abs=CLOSE)
    for name, part in wanted.state.items():
        if not name.endswith(idle or ("-",)):
            assert torch.allclose(found.state[name], part, rtol=CLOSE, atol=CLOSE), name


def figures(record: EpochRecord) -> tuple[float, ...]:
    return record.valid_auc, record.valid_logloss, record.train_loss, record.samples


def listening_at() -> set[str]:
    """Where this process and those that it started wait for connections."""
    me = psutil.Process()
    found = [one for process in (me, *me.children()) for one in process.net_connections("tcp")]
    return {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}


def test_four_processes_and_one_that_is_killed(data: SearchData) -> None:
    odd = replace(TOUCHED, batch_size=13, max_epochs=1)  # shares of three and four rows
    wanted = trained(design(data), data, odd)

    def kill(record: EpochRecord) -> None:
        assert isinstance(four, RankedTeam)
        os.kill(int(four.signs.who(2).split()[1]), signal.SIGKILL)

    lost = r"^rank 2 of 4 \(process \d+ on .*\) has ended: signal SIGKILL"
    with pytest.raises(LostRankError, match=lost), several_devices(4) as four:  # noqa: PT012 - the last line raises
        assert isinstance(four, RankedTeam)
        assert_same(trained(design(data), data, odd), wanted)
        assert listening_at() == {"127.0.0.1"}, "nobody else can reach what executes what it is sent"
        with pytest.raises(OptionError, match=r"devices must be left out, or 4"), several_devices(2):
            pass
        fit(tower(data), data, CONFIG, on_validation=kill)
    assert_same(trained(design(data), data, odd), wanted)


@pytest.fixture(scope="module")
def team() -> Iterator[RankedTeam]:
    """This process and another one."""
    with several_devices(2) as team:
        assert isinstance(team, RankedTeam)
        yield team


def test_dense_training_is_that_of_one_process(team: RankedTeam, data: SearchData) -> None:
    config = replace(CONFIG, averaging=1.0)
    assert_same(trained(design(data), data, config), alone(design(data), data, config))


def test_batch_norm_and_touched_rows_are_those_of_one_process(team: RankedTeam, data: SearchData) -> None:
    found = trained(tower(data, batch_norm=True), data, TOUCHED)
    # Norms take away what a bias before them adds, so no gradient reaches it.
    idle = ("0.bias", "3.bias", "running_mean")
    assert_same(found, alone(tower(data, batch_norm=True), data, TOUCHED), idle)
    assert all(type(part) is not nn.BatchNorm1d or not part.training for part in tower(data).modules())


def test_dropout_draws_the_same_again(team: RankedTeam, data: SearchData) -> None:
    first, second = (trained(tower(data, dropout=0.3), data, CONFIG) for _ in range(2))
    assert all(torch.equal(first.state[name], part) for name, part in second.state.items())
    assert first.result.history[-1].valid_auc == second.result.history[-1].valid_auc


def test_what_somebody_raises_is_raised_and_the_team_goes_on(team: RankedTeam, data: SearchData) -> None:
    def refuse(record: EpochRecord) -> None:
        raise TrainingError("no more")

    with pytest.raises(TrainingError, match="no more"):
        fit(tower(data), data, CONFIG, on_validation=refuse)
    ticks = iter(range(10_000))
    config = replace(CONFIG, max_seconds=30.0)
    assert fit(tower(data), data, config, clock=lambda: float(next(ticks))).stopped == "budget"


def test_touched_rows_alone_are_exchanged(team: RankedTeam, data: SearchData, monkeypatch: pytest.MonkeyPatch) -> None:
    one_step = replace(TOUCHED, batch_size=len(data.train), max_epochs=1, gradient_clip=None)
    through: list[int] = []
    gather = dist.all_gather

    def counted(every: list[Tensor], mine: Tensor) -> None:
        through.append(mine.nbytes)
        gather(every, mine)

    monkeypatch.setattr(dist, "all_gather", counted)
    small = replace(data, train=data.train.part(slice(0, 8)))
    model = tower(data)
    (table,) = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    dense = sum(p.nbytes for p in model.double().parameters()) - table.weight.nbytes
    before = team.sent
    fit(model, small, replace(one_step, batch_size=8))
    count, rows, gradients = through
    assert count == 8  # one number
    touched = rows // 4
    assert gradients == touched * table.embedding_dim * 8
    assert team.sent - before == dense + rows + gradients
    columns = small.train.ids.shape[1] + (0 if small.train.values is None else 2 * small.train.values.shape[1])
    assert touched <= 4 * columns < len(table.weight)
