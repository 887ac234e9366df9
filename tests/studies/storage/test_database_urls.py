"""Drivers and passwords of databases: found, missing, wrong, and never shown."""

from __future__ import annotations

import sys

import pytest

from nas_fusion.errors import OptionError, StorageError
from nas_fusion.studies import check_storage, open_storage
from nas_fusion.studies.storage import database_urls
from nas_fusion.studies.storage.database_urls import (
    PASSWORD_VARIABLE,
    apart,
    as_connected,
    warn_of_shown_password,
)
from nas_fusion.studies.storage.patience import PATIENCE_VARIABLE

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0")
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_mysql_without_a_driver_is_that_of_the_extra(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_urls, "find_spec", lambda name: None)
    assert as_connected(f"{kind}://me@host/db").drivername == f"{kind}+pymysql"
    assert as_connected(f"{kind}+mysqldb://me@host/db").drivername == f"{kind}+mysqldb"
    monkeypatch.setattr(database_urls, "find_spec", lambda name: object())
    assert as_connected(f"{kind}://me@host/db").drivername == kind, "it has the driver that SQLAlchemy takes"


def test_the_password_comes_from_the_environment_where_the_url_has_none() -> None:
    environment = {PASSWORD_VARIABLE: SECRET}
    for url, password in (
        ("postgresql://me@host/db", SECRET),
        ("postgresql://me:other@host/db", "other"),
        ("postgresql://host/db", None),
        ("sqlite:///file.db", None),
    ):
        assert as_connected(url, environment).password == password
    assert as_connected("postgresql://me@host/db", {}).password is None


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("mysql://me:s3%2Fcr%40t@host:1/db?a=b", "mysql://me@host:1/db?a=b"),
        ("postgresql://me:s3%2Fcr%40t@host/db", "postgresql://me@host/db"),
    ],
)
def test_a_worker_gets_the_password_by_its_environment(url: str, bare: str) -> None:
    assert apart(url) == (bare, {PASSWORD_VARIABLE: "s3/cr@t"})
    assert as_connected(*apart(url)) == as_connected(url, {})


@pytest.mark.parametrize("url", ["postgresql://me@host/db", "sqlite:////a:b@c/d", "journal:///a", "grpc://host:1"])
def test_a_url_without_a_password_goes_as_it_is(url: str) -> None:
    assert apart(url) == (url, {})


def test_a_password_on_the_command_line_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    url = f"postgresql://me:{SECRET}@host/db"
    warn_of_shown_password(url, ["nasfusion", "worker", "--study", "x"])
    warn_of_shown_password("postgresql://me@host/db", ["--storage", "postgresql://me@host/db"])
    assert caplog.text == ""
    warn_of_shown_password(url, ["nasfusion", "worker", f"--storage={url}"])
    assert "list of processes" in caplog.text
    assert PASSWORD_VARIABLE in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "words", "absent"),
    [
        (f"mysql://me:{SECRET}@host/db", r"pymysql.*'\.\[mysql\]'", "pymysql"),
        (f"postgresql://me:{SECRET}@host/db", r"driver.*'\.\[postgresql\]'", "psycopg"),
        (f"mysql+pymysql://me:{SECRET}@host:99999/db", "sqlite:///FILE", ""),
        (f"mysql://me:{SECRET}/{SECRET}@host/db", "sqlite:///FILE", ""),
        (f"postgresql://me:{SECRET}@{SECRET}/{SECRET}@host/db", "a URL with one @.*%40", ""),
        (f"http://me:{SECRET}@host/db", "sqlite:///FILE", ""),
        (f"me:{SECRET}@host/db", "sqlite:///FILE", ""),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(
    url: str, words: str, absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if absent:
        monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(OptionError, match=f"(?s)storage must be .*{words}") as caught:
        check_storage(url)
    assert SECRET not in str(caught.value)


def test_a_mysql_out_of_reach_is_named_without_its_password() -> None:
    pytest.importorskip("pymysql")
    with pytest.raises(StorageError, match=r"me:\*\*\*@127\.0\.0\.1:1/db: the storage cannot be reached") as caught:
        open_storage(f"mysql://me:{SECRET}@127.0.0.1:1/db")
    assert SECRET not in str(caught.value)
