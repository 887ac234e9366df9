"""How a user names a log and its format: the formats that there are, and the paths in a text.

Light: a reader is imported when a log is opened, not before, so that options can be checked without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nas_fusion.registry import Registry

AUTO = "auto"
"""Not a format: the file's extension and its beginning tell."""


@dataclass(frozen=True)
class LogFormat:
    """A format of log files.

    Args:
        reader: "module:class" of its `nas_fusion.data.sources.FileSource`.
    """

    reader: str


# One that stands lower is asked earlier whether a file is of its format: csv takes any text.
BUILT_IN = {
    "csv": "nas_fusion.data.sources.formats.delimited:DelimitedSource",
    "libsvm": "nas_fusion.data.sources.formats.libsvm:LibsvmSource",
    "libffm": "nas_fusion.data.sources.formats.libffm:LibffmSource",
    "kdd12": "nas_fusion.data.sources.formats.kdd12:Kdd12Source",
    "criteo": "nas_fusion.data.sources.formats.criteo:CriteoSource",
    "avazu": "nas_fusion.data.sources.formats.avazu:AvazuSource",
    "parquet": "nas_fusion.data.sources.formats.parquet:ParquetSource",
}

FORMATS = (AUTO, *BUILT_IN)
"""What the formats that need no plugin are called."""

LOG_FORMATS: Registry[LogFormat] = Registry("format", "nas_fusion.log_formats", LogFormat)
"""The known formats; a third party adds one by an entry point of this group."""

for _name, _reader in BUILT_IN.items():
    LOG_FORMATS.register(_name, LogFormat(_reader))


class FormatNames(Collection[str]):
    """What a user may call a format, "auto" first; looked up when asked, since a program or a plugin may add some."""

    def __iter__(self) -> Iterator[str]:
        yield AUTO  # plugins are not looked for where this is all that is asked
        yield from LOG_FORMATS.names()

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __len__(self) -> int:
        return 1 + len(LOG_FORMATS.names())


FORMAT_NAMES = FormatNames()


def paths_of_log(log: str | Path) -> list[str]:
    """The paths that a log is named by: one, or several with commas between them."""
    text = str(log)
    if "," not in text or isinstance(log, Path) or Path(text).expanduser().exists():
        return [text]
    return [path for path in (part.strip() for part in text.split(",")) if path]


def name_of_log(log: str) -> str:
    """What to call a log by its paths: its file without extension, or its folder, and how many paths follow."""
    first, *more = paths_of_log(log) or [log]
    steps = [step for step in first.partition("?")[0].split("/") if step and not re.search(r"[*?\[]", step)]
    plain = [step for step in steps if "=" not in step] or steps or ["log"]  # day=2024-03-01 is no name
    return (PurePosixPath(plain[-1]).stem or "log") + (f"+{len(more)}" if more else "")
