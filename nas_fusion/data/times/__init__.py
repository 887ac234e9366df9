"""Columns of times: which form they are written in (`TimeEvidence`), and what moments they mean (`read_times`).

A time is never compared as text: "9/1/2023" comes before "10/1/2023", and "2024-03-01T01:00+02:00" is still February.
"""

from nas_fusion.data.times.time_column import TimeEvidence, TimeForm, order_keys, read_times
from nas_fusion.data.times.time_texts import CLOCK_PATTERN, DATE_PATTERNS, NO_TIME

__all__ = ["CLOCK_PATTERN", "DATE_PATTERNS", "NO_TIME", "TimeEvidence", "TimeForm", "order_keys", "read_times"]
