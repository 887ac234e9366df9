"""The formats of files that a log may come in, by name.

Light: a reader is imported when a log is opened, not before, so that options can be checked without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

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
