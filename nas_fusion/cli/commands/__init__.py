"""What each command of ``nasfusion`` does, a file each; what is slow is imported when a command runs."""

from nas_fusion.cli.commands.compare_command import COMPARE
from nas_fusion.cli.commands.dashboard_command import DASHBOARD
from nas_fusion.cli.commands.data_command import DATA
from nas_fusion.cli.commands.lab.replay_command import REPLAY
from nas_fusion.cli.commands.lab.table_command import TABLE
from nas_fusion.cli.commands.models.evaluate_command import EVALUATE
from nas_fusion.cli.commands.models.export_command import EXPORT
from nas_fusion.cli.commands.models.fit_command import FIT
from nas_fusion.cli.commands.models.predict_command import PREDICT
from nas_fusion.cli.commands.models.update_command import UPDATE
from nas_fusion.cli.commands.presets_command import PRESET_LIST
from nas_fusion.cli.commands.report_command import REPORT
from nas_fusion.cli.commands.retrain_command import RETRAIN
from nas_fusion.cli.commands.search_command import SEARCH
from nas_fusion.cli.commands.strategies_command import STRATEGY_LIST
from nas_fusion.cli.commands.tune_command import TUNE
from nas_fusion.cli.commands.ui_command import UI
from nas_fusion.cli.commands.version_command import VERSION
from nas_fusion.cli.commands.worker_command import WORKER

COMMANDS = (
    FIT, PREDICT, EVALUATE, EXPORT, UPDATE, COMPARE, SEARCH, RETRAIN, TUNE, WORKER, UI, DASHBOARD, REPORT,
    STRATEGY_LIST, PRESET_LIST, DATA, TABLE, REPLAY, VERSION,
)  # fmt: skip
"""In the order of help."""

__all__ = ["COMMANDS"]
