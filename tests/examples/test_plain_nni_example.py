"""The example of a plain NNI experiment runs as it stands, and is short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas_fusion.design import FusionDesign

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plain_nni.py"


@pytest.mark.slow
def test_it_prints_a_legal_design(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "NASFUSION_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(EXAMPLE), "2000"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert FusionDesign.from_json(done.stdout).is_legal


def test_it_has_at_most_thirty_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
