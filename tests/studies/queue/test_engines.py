"""``--engine nni`` finds what the engine in this process finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.data import prepare
from nas_fusion.errors import OptionError
from nas_fusion.search.engines import TRIAL_MODULE
from nas_fusion.studies import ComparisonSettings, compare
from tests.studies.setup.test_limited_studies import FEW
from tests.studies.test_compare import SETTINGS, without_times
from tests.trial_process import trial_commands

pytestmark = pytest.mark.slow

TWO_AT_ONCE = replace(SETTINGS, strategies=("evolution",), seeds=(0,), candidates=6, concurrency=2)

# One wave, and a search that is one trial, both under a limit. That the engines agree without a limit, that evolution
# makes the same next wave of the results of the last, and that a trial starts from nothing is what
# `tests/search/test_engines.py` shows.
LIMITED = replace(TWO_AT_ONCE, strategies=("random", "optfusion-hard"), candidates=2, limits=FEW)


@pytest.fixture
def trials_that_start_at_once(tmp_path: Path) -> Iterator[Path]:
    """NNI's configuration."""
    config = tmp_path / "nni.yml"
    with trial_commands() as trials:
        config.write_text(f"trialCommand: {json.dumps(trials.module(TRIAL_MODULE))}\n")
        yield config


@pytest.mark.timeout(600)
def test_both_engines_give_the_same_designs_and_figures(tmp_path: Path, trials_that_start_at_once: Path) -> None:
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")
    here = compare(LIMITED, dataset, tmp_path / "here")
    there = compare(LIMITED, dataset, tmp_path / "there", engine="nni", nni_config=trials_that_start_at_once)
    pd.testing.assert_frame_equal(
        without_times(there.folder.results), without_times(here.folder.results), check_exact=True
    )
    assert [r.design for r in there.records] == [r.design for r in here.records]
    assert [r.details.get("candidates") for r in there.records] == [r.details.get("candidates") for r in here.records]
    assert [r.details.get("limits") for r in there.records] == [r.details.get("limits") for r in here.records]


def test_concurrency_matters_to_strategies_that_learn_from_results(tmp_path: Path) -> None:
    """So it is a setting of the comparison, and not of the engine."""
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")
    two = compare(TWO_AT_ONCE, dataset, tmp_path / "two").records[0]
    one = compare(replace(TWO_AT_ONCE, concurrency=1), dataset, tmp_path / "one").records[0]
    designs = [[c["design"] for c in r.details["candidates"]] for r in (one, two)]
    assert designs[0][:3] == designs[1][:3], "the first population"
    assert designs[0] != designs[1]


def test_a_configuration_without_its_engine_is_refused(tmp_path: Path) -> None:
    dataset = prepare("synthetic:3000", cache=tmp_path / "cache")
    settings: ComparisonSettings = TWO_AT_ONCE
    with pytest.raises(OptionError, match=r"engine.*in-process"):
        compare(settings, dataset, tmp_path / "study", nni_config=tmp_path / "nni.yml")
    with pytest.raises(OptionError, match="engine"):
        compare(settings, dataset, tmp_path / "study", engine="cloud")  # type: ignore[arg-type]
    assert not (tmp_path / "study").exists()
