"""NNI's own strategies, untouched, in a plain `NasExperiment` on the fusion space; and OptFusion under NNI's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nni.nas.experiment import NasExperiment, NasExperimentConfig

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.nni_bridge import FunctionalEvaluator, nni
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import TrainConfig, fit, oneshot_evaluator

CONFIG = TrainConfig(batch_size=512, max_epochs=1, device="cpu")

# NNI leaves the log file of an experiment that it has stopped to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("nas-fusion"))


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Experiments in it are stopped at the end; NNI keeps its files in a temporary home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    experiments: list[Any] = []
    yield experiments
    for experiment in experiments:
        experiment.stop()


def run(experiment: Any, stopped: list[Any]) -> Any:
    stopped.append(experiment)
    experiment.run()
    return experiment


def designs_of(experiment: Any, how_many: int = 1) -> list[FusionDesign]:
    return [FusionDesign.from_sample(s) for s in experiment.export_top_models(how_many, formatter="dict")]


@pytest.mark.parametrize("name", ["DARTS", "GumbelDARTS", "RandomOneShot", "OptFusion"])
@pytest.mark.parametrize("space", SPACES.names())
@pytest.mark.filterwarnings("ignore:Direct export from RandomOneShot:UserWarning")
def test_one_shot(name: str, space: str, data: SearchData, stopped: list[Any]) -> None:
    model_space = SPACES.get(space).for_schema(data.schema, levels=2, emb_dim=2)  # type: ignore[attr-defined]
    strategy = getattr(nni.nas.strategy, name)()
    experiment = run(NasExperiment(model_space, oneshot_evaluator(data, CONFIG).evaluator, strategy), stopped)
    (found,) = designs_of(experiment)
    assert model_space.designs.problem(found) is None
    (model,) = experiment.export_top_models(formatter="instance")
    batch = data.train.ids[:5]
    assert model(nni_tensor(batch)).shape == (5,)


def nni_tensor(ids: Any) -> Any:
    import torch

    return torch.from_numpy(ids.copy())


class Candidates:
    """Trains every candidate that NNI proposes."""

    def __init__(self, data: SearchData) -> None:
        self.data, self.aucs = data, list[float]()

    def __call__(self, model: Any) -> None:
        self.aucs.append(fit(model, self.data, CONFIG).best_valid_auc)
        nni.report_final_result(self.aucs[-1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RegularizedEvolution", {"population_size": 3, "sample_size": 2, "mutation_prob": 0.3, "seed": 1}),
        ("Random", {"seed": 1}),
    ],
)
def test_multi_trial(name: str, options: dict[str, Any], data: SearchData, stopped: list[Any]) -> None:
    trials = 6
    strategy = getattr(nni.nas.strategy, name)(**options)
    candidates = Candidates(data)
    config = NasExperimentConfig("sequential", "simplified", "local", max_trial_number=trials)
    space: FusionSpace = tiny_space(data)
    experiment = run(NasExperiment(space, FunctionalEvaluator(candidates), strategy, config), stopped)
    found = designs_of(experiment, trials)
    assert len(candidates.aucs) == len(set(found)) == trials
    assert all(space.designs.problem(design) is None for design in found)
    ranked = [model.metric for model in experiment.export_top_models(trials)]
    assert ranked == sorted(candidates.aucs, reverse=True)


def test_optfusion_stands_among_nnis_strategies() -> None:
    assert nni.nas.strategy.OptFusion is OptFusion
    assert nni.nas.strategy.oneshot.OptFusion is OptFusion
