"""The example of a plain NNI experiment runs as it stands, and is short."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.design import FusionDesign
from tests.command_process import CommandProcess

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plain_nni.py"
# In a process that has imported torch and Lightning. The example's own imports run anew, in its own order: NNI first.
RUN = """
import runpy, sys
for name in [name for name in sys.modules if name.partition(".")[0] in ("nni", "nas_fusion")]:
    del sys.modules[name]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_it_prints_a_legal_design(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "NASFUSION_CACHE": str(tmp_path / "cache")}
    done = CommandProcess([str(EXAMPLE), "2000"], tmp_path, environment, code=RUN)
    assert done.wait() == 0, done.stderr
    assert FusionDesign.from_json(done.stdout).is_legal


def test_it_has_at_most_thirty_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
