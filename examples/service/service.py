"""Scores rows over HTTP with a model that nas-fusion has made: ``python examples/service/service.py MODEL``.

The model is opened once. ``POST /scores`` takes ``{"rows": [{"user": "ann", "price": 3.5}, …]}`` and answers
``{"scores": [0.0213, …], "warnings": []}``; ``GET /health`` says which model it is and which columns it needs.
README.md beside this file says what else there is to think of.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import nas_fusion
from nas_fusion.errors import DataError
from nas_fusion.serving import SavedModel

LOOPBACK = "127.0.0.1"
MOST_ROWS = 1_000
"""Of one request; a client with more sends several, or uses ``nasfusion predict``."""
MOST_BYTES = 1 << 20
"""Of one request."""
MOST_REQUESTS = 64
"""At the same time; others are answered with 503 at once."""
MOST_PROBLEMS = 20
"""That an answer names."""

LONGEST_INTEGER = 63
"""Bits, beside the sign."""
KINDS: Mapping[type, str] = {str: "a text", bool: "a flag", int: "a number", float: "a number", list: "a list"}
"""What a cell may be; null in any column."""


class Rows(BaseModel):
    """Rows that are to be scored, each with every column that the model needs; other columns do not count."""

    model_config = ConfigDict(extra="forbid")
    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_ROWS)]


class Scores(BaseModel):
    """The probability of a click of every row, in the order of the rows, and what looks wrong with the rows."""

    scores: list[float]
    warnings: list[str]


class Health(BaseModel):
    """What answers."""

    status: Literal["ok"]
    model: str
    columns: tuple[str, ...]


class Problem(NamedTuple):
    """What is wrong with a request: which row, from 1, and which column, where it is one cell."""

    row: int | None
    column: str | None
    problem: str


class BadCell(Exception):
    """A cell that no column can hold."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        super().__init__(problem)
        self.problem = Problem(row, column, problem)


def make_app(model: SavedModel, hosts: Sequence[str] = (LOOPBACK, "localhost")) -> FastAPI:
    """The service.

    Args:
        model: that scores.
        hosts: names under which it may be asked. A web page whose name leads to this machine is refused by them.
    """
    app = FastAPI(title="scores", version=nas_fusion.__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(SmallBodies, most=MOST_BYTES)
    heard = Heard()
    one_at_a_time = Lock()

    @app.get("/health")
    def health() -> Health:
        return Health(status="ok", model=model.manifest.title, columns=model.columns)

    @app.post("/scores")
    def scores(asked: Rows) -> Scores:
        columns = {column: cells_of(asked.rows, column) for column in model.columns}
        with one_at_a_time, heard:  # torch has all cores already
            return Scores(scores=model.scores(columns).tolist(), warnings=heard.words)

    @app.exception_handler(BadCell)
    def bad_cell(request: Request, error: BadCell) -> JSONResponse:
        return refused([error.problem])

    @app.exception_handler(DataError)
    def bad_data(request: Request, error: DataError) -> JSONResponse:
        return refused([Problem(error.row, error.column, str(error))])

    @app.exception_handler(RequestValidationError)
    def bad_body(request: Request, error: RequestValidationError) -> JSONResponse:
        # A page in a browser can send other types to any address without asking, so nothing else is read.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refused([Problem(None, None, "the body must be application/json")])
        return refused([problem_of(one) for one in error.errors()])

    return app


def cells_of(rows: Sequence[Mapping[str, Any]], column: str) -> list[Any]:
    """The cells of a column, all of one kind or null.

    Raises:
        BadCell: a row lacks the column (null is how it says that it has no value), or has something else in it.
    """
    first = None
    for number, row in enumerate(rows, start=1):
        if column not in row:
            raise BadCell(number, column, "the model needs this column; null stands for no value")
        cell = row[column]
        kind = KINDS.get(type(cell))
        if cell is not None and kind is None:
            raise BadCell(
                number, column, f"expected {', '.join(dict.fromkeys(KINDS.values()))} or null, found an object"
            )
        if isinstance(cell, int) and cell.bit_length() > LONGEST_INTEGER:
            raise BadCell(number, column, f"expected an integer of at most {LONGEST_INTEGER} bits")
        first = first or kind
        if kind not in (first, None):
            raise BadCell(number, column, f"expected {first}, as in the rows before, found {kind}")
    return [row[column] for row in rows]


def problem_of(error: Mapping[str, Any]) -> Problem:
    """What is wrong with a body, from what pydantic says."""
    place = [part for part in error["loc"] if part != "body"]
    row = place[1] + 1 if len(place) > 1 and isinstance(place[1], int) else None
    why = error.get("ctx", {}).get("error", "")
    where = f"{place[0]}: " if place and isinstance(place[0], str) else ""
    return Problem(row, None, f"{where}{error['msg']}" + (f": {why}" if why else ""))


def refused(problems: Sequence[Problem]) -> JSONResponse:
    """An answer that says what is wrong."""
    return JSONResponse({"detail": [one._asdict() for one in problems[:MOST_PROBLEMS]]}, status_code=422)


class Heard(logging.Handler):
    """Hears what nas-fusion warns of in a block: a text in a column of numbers, read as no value, for instance."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def __enter__(self) -> Heard:
        self.words = []
        logging.getLogger("nas_fusion").addHandler(self)
        return self

    def __exit__(self, *failure: object) -> None:
        logging.getLogger("nas_fusion").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


class SmallBodies:
    """Refuses a body of more than so many bytes before it is in memory.

    Args:
        app: what is asked.
        most: bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most:
                raise HTTPException(413, f"a request has at most {self.most:,} bytes")
            return message

        await self.app(scope, counted, send)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Scores rows over HTTP with a model of nas-fusion.")
    parser.add_argument("model", help="its folder, a zip of it, or a study's folder for the study's best")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen at; anybody who reaches it may ask")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--name", action="append", default=[], help="a further name under which it may be asked")
    given = parser.parse_args()
    app = make_app(nas_fusion.load(given.model), (LOOPBACK, "localhost", given.host, *given.name))
    uvicorn.run(app, host=given.host, port=given.port, limit_concurrency=MOST_REQUESTS, server_header=False)


if __name__ == "__main__":
    main()
