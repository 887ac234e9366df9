"""A trial's side of NNI's channel.

`nni.report_intermediate_result` follows whichever engine runs at the moment: while a strategy runs inside a trial, what
it reports goes to the strategy's own engine, and NNI's manager hears nothing. A `TrialChannel` keeps to the manager.
"""

from __future__ import annotations

from typing import Any

from nni.runtime.trial_command_channel import get_default_trial_command_channel

from nas_fusion.nni_bridge._nni import nni


class TrialChannel:
    """What NNI tells this process as a trial, and what the trial tells NNI.

    Args:
        parameters: of the trial.
    """

    def __init__(self) -> None:
        self._channel: Any = get_default_trial_command_channel()
        record = self._channel.receive_parameter()
        self.parameters: dict[str, Any] = record["parameters"]
        self._id, self._sequence = record["parameter_id"], 0

    def intermediate(self, value: Any) -> None:
        """Report a point of the curve."""
        self._channel.send_metric("PERIODICAL", self._id, nni.get_trial_id(), self._sequence, value)
        self._sequence += 1

    def final(self, value: Any) -> None:
        """Report the result."""
        self._channel.send_metric("FINAL", self._id, nni.get_trial_id(), 0, value)
