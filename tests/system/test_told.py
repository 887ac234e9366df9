"""The log of a study: what was warned of, told and printed, with the time."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from nas_fusion.system.told import keep, kept_in, tell


def test_the_log_has_warnings_stages_and_printed_lines_with_the_time(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with kept_in(log):
        tell("deepfm, seed 0 begins")
        keep("[1/2] deepfm")
        logging.getLogger("nas_fusion").warning("field %r is odd", "ad")
    tell("nobody listens")
    with kept_in(log):
        keep("again")
    lines = log.read_text().splitlines()
    assert [line.split(maxsplit=3)[2:] for line in lines] == [
        ["INFO", "deepfm, seed 0 begins"],
        ["INFO", "[1/2] deepfm"],
        ["WARNING", "field 'ad' is odd"],
        ["INFO", "again"],
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line) for line in lines)


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with kept_in(tmp_path / "missing" / "log.txt"):
        tell("deepfm, seed 0 begins")
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "log.txt").symlink_to(tmp_path / "elsewhere")
    with kept_in(tmp_path / "log.txt"):
        tell("deepfm, seed 0 begins")
    assert (tmp_path / "elsewhere").read_text() == ""
