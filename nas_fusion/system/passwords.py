"""URLs as they may be shown."""

from __future__ import annotations

import re

_HIDDEN = "***"
_OF_USER = re.compile(r"(?P<before>[\w+.-]*://[^\s:@/?]*):(?P<password>[^\s?]*)@")
_OF_BROKEN_USER = re.compile(r"(?P<before>[\w+.-]*://[^\s:@/?]*):(?P<password>[^\s]*)@")  # not quoted as it should be
_OF_QUERY = re.compile(r"(?P<before>[?&](?:password|passwd|sslpassword|ssl_key_password)=)(?P<password>[^\s&]*)", re.I)


def without_password(text: str) -> str:
    """A URL, or a text with one, as it may be shown."""
    shown = _OF_USER.sub(rf"\g<before>:{_HIDDEN}@", text)
    if shown == text:
        shown = _OF_BROKEN_USER.sub(rf"\g<before>:{_HIDDEN}@", text)
    return _OF_QUERY.sub(rf"\g<before>{_HIDDEN}", shown)
