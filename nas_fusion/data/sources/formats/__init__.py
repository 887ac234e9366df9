"""One reader per format of log files; each has its line in `nas_fusion.log_formats`."""

from nas_fusion.data.sources.formats.delimited import DelimitedSource

__all__ = ["DelimitedSource"]
