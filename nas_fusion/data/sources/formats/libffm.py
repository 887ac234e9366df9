"""`LibffmSource`: ``label field:index:value field:index:value …``."""

from __future__ import annotations

import re

from nas_fusion.data.sources.formats.libsvm import VALUE, LibsvmSource


class LibffmSource(LibsvmSource):
    """A libffm file of a click log: as libsvm, with the number of its field before every feature.

    Feature k of every line is field k; the fields' numbers have to be there, but tell nothing more.

    Raises:
        DataError: a first line of another form.
    """

    kind = "libffm"
    suffixes = (".libffm", ".ffm")
    token = re.compile(rf"^(?P<field>\d+):(?P<index>\d+):(?P<value>{VALUE})$")
    form = "field:index:value"
