"""What each command of ``nasfusion`` does, behind the parsing; imported when a command runs."""

from nas_fusion.commands._compare import one_for_each, run_compare, run_report
from nas_fusion.commands._design import run_retrain_command, run_search_command
from nas_fusion.commands._lists import run_data, run_presets, run_strategies
from nas_fusion.commands._pages import run_dashboard, run_ui
from nas_fusion.commands._shared import PIPED_WIDTH, default_study, parse_seeds
from nas_fusion.commands._tune import run_tune, run_worker, tuning_words

__all__ = [
    "PIPED_WIDTH",
    "default_study",
    "one_for_each",
    "parse_seeds",
    "run_compare",
    "run_dashboard",
    "run_data",
    "run_presets",
    "run_report",
    "run_retrain_command",
    "run_search_command",
    "run_strategies",
    "run_tune",
    "run_ui",
    "run_worker",
    "tuning_words",
]
