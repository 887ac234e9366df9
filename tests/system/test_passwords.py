"""URLs as they may be shown."""

from __future__ import annotations

import pytest

from nas_fusion.system.passwords import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://me:secret@host/db", "mysql://me:***@host/db"),
        ("mysql+pymysql://me:se:cr=et@host:1/db?x=1", "mysql+pymysql://me:***@host:1/db?x=1"),
        ("postgresql://me:s@cr/et@host/db", "postgresql://me:***@host/db"),  # not quoted as it should be
        ("mysql://me:secr?et@host/db", "mysql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("mysql://me@host/db?passwd=secret", "mysql://me@host/db?passwd=***"),
        ("tune --storage mysql://me:secret@host/db --out a:b@c", "tune --storage mysql://me:***@host/db --out a:b@c"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url", ["postgresql://h/db", "postgresql://h:5432/db", "sqlite:////a:b@c/d", "journal:///a/b", "grpc://host:13000"]
)
def test_what_has_none_stays_as_it_is(url: str) -> None:
    assert without_password(url) == url
