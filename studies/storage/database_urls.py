"""URLs of databases: their drivers, and where their passwords are.

A command line is seen by every user of a machine. So a password may come from the
environment, which is this user's alone.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from nas_fusion.system.passwords import without_password

PASSWORD_VARIABLE = "NASFUSION_STORAGE_PASSWORD"
"""Environment variable: the password of the user whom a database's URL names without one."""

EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
"""Kind of database → the extra of nas-fusion that has a driver for it."""

logger = logging.getLogger("nas_fusion")


def as_connected(url: str, environment: Mapping[str, str] = os.environ) -> URL:
    """A database's URL with what is left to this installation: the driver of MySQL, and the user's password.

    Raises:
        sqlalchemy.exc.ArgumentError: it is no URL.
    """
    found = make_url(url)
    if found.drivername in ("mysql", "mariadb") and find_spec("MySQLdb") is None:
        found = found.set(drivername=f"{found.drivername}+pymysql")  # which the extra has
    password = environment.get(PASSWORD_VARIABLE)
    if password and found.username and found.password is None:
        found = found.set(password=password)
    return found


def apart(url: str) -> tuple[str, dict[str, str]]:
    """A URL for another process's command line, and what has to be in its environment then."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # of another storage
        return url, {}
    if not found.username or not isinstance(found.password, str):
        return url, {}
    bare = URL.create(found.drivername, found.username, None, found.host, found.port, found.database, found.query)
    return bare.render_as_string(hide_password=False), {PASSWORD_VARIABLE: found.password}


def warn_of_shown_password(url: str, arguments: list[str] | None = None) -> None:
    """Warn if the password of a URL stands on this process's command line."""
    shown = without_password(url)
    if shown != url and any(url in argument for argument in (sys.argv if arguments is None else arguments)):
        logger.warning(
            "%s: its password can be seen in the list of processes; leave it out, and put it into the environment "
            "variable %s", shown, PASSWORD_VARIABLE,
        )  # fmt: skip


def missing_driver(url: str, error: ImportError) -> str:
    """What kind of storage would be allowed when a driver is missing: says which, and how to get it."""
    extra = EXTRAS.get(url.partition(":")[0].partition("+")[0])
    how = "" if extra is None else f"; pip install '.[{extra}]' in nas-fusion's folder has one"
    return f"a storage whose driver is installed ({error}{how})"
