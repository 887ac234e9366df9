"""A saved model is trained anew on another log with everything as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas_fusion.cli import main
from nas_fusion.serving import load
from tests.serving.clicks_log import clicks, trained_cells

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("strategy", ["stacked", "optfusion-soft", "deepfm", "lightgbm"])
def test_the_same_model_on_another_log(
    strategy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    study, _ = trained_cells(tmp_path, [strategy])
    model = study.path / "cells" / f"{strategy}-0" / "model"
    later = clicks(700, seed=4)
    later.to_csv(tmp_path / "later.csv", sep=";", index=False)
    out = tmp_path / "again"
    with pytest.raises(SystemExit) as ended:
        main(["retrain", str(model), "--data", str(tmp_path / "later.csv"), "--out", str(out)])
    assert ended.value.code == 0, capsys.readouterr()
    before, after = load(model).manifest, load(out).manifest
    assert after.design == before.design
    assert after.space == before.space
    assert replace(after.recipe, device=before.recipe.device) == before.recipe
    assert after.log.name == "later"
    assert after.log.options.missing == before.log.options.missing
    assert sum(after.log.rows) == 700
    assert after.mode == "hard"
    scores = load(out).scores(later)
    assert np.isfinite(scores).all()
    assert not np.array_equal(scores, load(model).scores(later))


def test_what_is_remembered_is_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, _ = trained_cells(tmp_path, ["stacked"])
    model = str(study.path / "cells" / "stacked-0" / "model")
    for more, message in (
        (["--out", str(tmp_path / "m")], "data must be given where a saved model is trained anew"),
        (["--data", str(tmp_path / "clicks.csv")], "out must be given where a saved model is trained anew"),
        (["--data", "x.csv", "--out", str(tmp_path / "m"), "--emb-dim", "8"], "it is remembered"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["retrain", model, *more])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
