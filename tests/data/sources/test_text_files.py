"""Texts: quotes that never swallow rows, encodings, delimiters, line ends, compression, guessed formats."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas_fusion.data import DataOptions, prepare
from nas_fusion.data.sources import FileHead, Source, chunks_of, open_source
from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.formats.text_guesses import guess_delimiter
from nas_fusion.data.sources.readers import recognise
from nas_fusion.errors import DataError, OptionError

Write = Callable[[str, str], Path]

ROWS = [(str(k % 2), f"u{k % 7}", f"{k / 8:.3f}") for k in range(200)]
PLAIN = "click,user,price\n" + "".join(",".join(row) + "\n" for row in ROWS)


def rows_of(path: Path, **options: str) -> list[tuple[str | None, ...]]:
    source = open_source(path, DataOptions(**options))  # type: ignore[arg-type]
    tables = [chunk.rows.to_pydict() for chunk in chunks_of(source, source.columns)]
    return [row for table in tables for row in zip(*table.values(), strict=True)]


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Quotes


def queries(first: str, second: str, between: int) -> str:
    """A log whose cells are quoted nowhere else, with two odd cells and rows between them."""
    lines = ["click\tuser\tquery\titem", *[f"{k % 2}\tu{k}\tshoes\t{k % 3}" for k in range(1500)]]
    lines[100] = f"1\tu\t{first}\t7"
    lines[101 + between] = f"0\tu\t{second}\t7"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("block", [200, 1 << 24])
@pytest.mark.parametrize(
    ("first", "second", "between", "problem"),
    [
        ('"red shoes', '"blue shoes', 800, "goes on after its closing quote"),
        ('"red shoes', 'blue shoes"', 800, "lines that look like rows"),
        ('"red shoes', 'blue shoes"', 0, "lines that look like rows"),
        ('"red shoes', '27" screen', 2, "goes on after its closing quote"),
        ('"red shoes', "blue shoes", 800, "(nothing ends it|look like rows)"),
        ('"', "blue shoes", 800, "(nothing ends it|look like rows)"),
    ],
)
def test_lone_quotes_are_refused_by_line(
    first: str, second: str, between: int, problem: str, block: int, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    path = write("log.tsv", queries(first, second, between))
    with pytest.raises(DataError, match=rf"log\.tsv, line 101: a quote.*{problem}.*--quote none") as caught:
        rows_of(path)
    assert "\n" not in str(caught.value)
    found = rows_of(path, quote="none")
    assert len(found) == 1500
    assert found[99] == ("1", "u", first, "7")


def test_quotes_within_a_cell_mean_nothing(write: Write) -> None:
    path = write("log.tsv", queries('27" screen', 'the "best" shoes', 3))
    assert [row[2] for row in rows_of(path)[99:104]] == ['27" screen', *["shoes"] * 3, 'the "best" shoes']


@pytest.mark.parametrize("block", [300, 1 << 24])
def test_quoted_line_ends_are_read_and_warned_of(
    block: int, write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    note = "x" * 100 + "\n" + "y, " * 300 + "\n\n"
    path = write("log.csv", "click,note,user\n" + "".join(f'{k % 2},"{note}{k}",u\n' for k in range(50)))
    assert rows_of(path) == [(str(k % 2), f"{note}{k}", "u") for k in range(50)]
    (record,) = caplog.records
    assert "log.csv, line 2: a cell in quotes holds line ends (so do 50 in all); --quote none" in record.getMessage()


@pytest.mark.parametrize("block", [40, 1 << 24])
def test_lines_after_quoted_line_ends_are_counted(block: int, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    text = 'click,note,user\n0,"a\n\nb",u1\n1,"""c""\nd",u2\n\n0,e,u3\n1,"f,\n g",x\n0,h,u4\n'
    path = write("log.csv", text)
    source = open_source(path)
    list(chunks_of(source, ["click"]))
    assert [source.position(row) for row in range(5)] == [2, 5, 8, 9, 11]
    with pytest.raises(DataError, match=r"ragged\.csv, line 9: expected 3 columns, found 2"):
        rows_of(write("ragged.csv", text.replace('g",x', 'g"')))


def test_a_ragged_row_with_a_quote_names_the_option(write: Write) -> None:
    path = write("log.csv", PLAIN + '1,"u1,u2",3,"4"\n')
    with pytest.raises(DataError, match=r"line 202: expected 3 columns, found 4; .*--quote none"):
        rows_of(path)


CELL = st.text(st.sampled_from('ab", \n\r\u00e9'), max_size=6)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30), st.integers(4, 400))
@example([("", "\n", '"\n'), ('"', ",", "")], 5)
@example([("", "", ', ",')], 4)
def test_quoted_texts_are_read_as_python_reads_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], block: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b", "c"), *rows])
    path = put(tmp_path_factory.getbasetemp() / "quoted.csv", out.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "chunk_bytes", block)
        source = open_source(path, DataOptions(quote="double"))
        found = [chunk.rows.to_pylist() for chunk in chunks_of(source, source.columns)]
        lines = [source.position(row) for row in range(len(rows))]
    assert [tuple(row.values()) for part in found for row in part] == [tuple(c or None for c in row) for row in rows]
    ends = [sum(cell.count("\n") for cell in row) + 1 for row in rows]
    assert lines == [2 + sum(ends[:k]) for k in range(len(rows))]


PIECES = [
    "a",
    "",
    "b c",
    '"b"',
    '"b\nc"',
    '"b,c"',
    '5" t',
    '"x""y"',
    '"x""\n"',
    'x"y"',
    '"',
    '"b"c',
    '"\n\n"',
    '","',
    '",\n,"',
]
ENDS = st.sampled_from(["\n", "\n\n", "\r\n"])
WILD_ROW = st.builds(
    lambda cells, end: ",".join(cells) + end, st.lists(st.sampled_from(PIECES), min_size=3, max_size=3), ENDS
)


@settings(max_examples=120, deadline=None)
@given(st.lists(WILD_ROW, min_size=1, max_size=12), st.integers(4, 120))
@example(['5" t,a,"\n\n', '"x""y",a,a\n'], 10)
@example(['a,5" t,"\n\n"\n\n', ",a,a\n", '5" t,b,\n', '5" t,"x""\n","\n\n"\r\n', '5" t,a,b\n'], 20)
def test_any_quotes_are_read_as_python_reads_them_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block: int
) -> None:
    text = "a,b,c\n" + "".join(lines)
    path = put(tmp_path_factory.getbasetemp() / "wild.csv", text.encode())
    expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "chunk_bytes", block)
        found, refused = None, ""
        try:
            found = rows_of(path, quote="double", delimiter=",")
        except DataError as error:
            refused = str(error)
    if found is None:
        assert "nothing ends it" in refused or any(len(row) != 3 for row in expected)
    else:
        assert [tuple(cell or "" for cell in row) for row in found] == expected


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_encodings_told_by_their_bytes(encoding: str, tmp_path: Path) -> None:
    path = put(tmp_path / "log.csv", PLAIN.replace("u3", "häuser").encode(encoding))
    assert rows_of(path) == [(a, b.replace("u3", "häuser"), c) for a, b, c in ROWS]
    source = open_source(path)
    assert source.columns == ("click", "user", "price")
    assert [g.option for g in source.guesses] == ([] if encoding == "utf-8-sig" else ["--encoding"])


@pytest.mark.parametrize(
    ("encoding", "word"), [("latin-1", "häuser"), ("cp1251", "дом"), ("shift_jis", "家"), ("gb18030", "房子")]
)
def test_encodings_that_are_named(encoding: str, word: str, tmp_path: Path) -> None:
    path = put(tmp_path / "log.csv", PLAIN.replace("u3", word).encode(encoding))
    assert rows_of(path, encoding=encoding) == [(a, b.replace("u3", word), c) for a, b, c in ROWS]
    with pytest.raises(
        DataError, match=r"log\.csv, line 5: not UTF-8 text \(byte 0x..\): name its encoding, --encoding"
    ):
        rows_of(path)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_bytes_of_another_encoding_far_into_a_file(encoding: str, tmp_path: Path) -> None:
    path = put(tmp_path / "log.csv", (PLAIN + PLAIN[17:] * 150).encode() + b"1,h\xe4user,2\n")
    with pytest.raises(
        DataError, match=rf"log\.csv, line \d+: not {encoding.upper()} text \(byte 0xe4\): .*--encoding"
    ):
        rows_of(path, encoding=encoding)
    if encoding == "utf-8":
        with pytest.raises(DataError, match="line 30202: "):
            rows_of(path)


@pytest.mark.parametrize("name", ["", "utf-99", "rot13", "undefined", "base64"])
def test_encodings_must_be_known(name: str) -> None:
    with pytest.raises(OptionError, match="encoding must be"):
        DataOptions(encoding=name)


# Delimiters


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "\x01", " "])
def test_delimiters_are_found(delimiter: str, write: Write) -> None:
    path = write("log.txt", PLAIN.replace(",", delimiter))
    assert rows_of(path) == ROWS
    guesses = [guess.option for guess in open_source(path).guesses]
    assert guesses == ([] if delimiter == "," else ["--delimiter"])


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["click;price, EUR;tags", "1;3,5;a,b,c", "0;4,5;a"], ";"),
        (["a,b", "1,2", "1,2,3"], ","),
        (["first name,label", "Ann Lee,1", "Bo,0"], ","),
        (["query label", "a 1", "b 0"], " "),
        (["a|b,c|d", "1|2|3", "1|2|3"], "|"),
        (['"a,b";c', '"1;2";3', '"1,2";3'], ";"),
        (["label", "1", "0"], ","),
    ],
)
def test_the_delimiter_cuts_most_lines_alike(lines: list[str], delimiter: str) -> None:
    assert guess_delimiter(lines, quotes=True) == delimiter


@pytest.mark.parametrize(
    ("given", "delimiter"),
    [
        ("tab", "\t"),
        ("\\t", "\t"),
        ("\\x01", "\x01"),
        ("ctrl-a", "\x01"),
        ("^A", "\x01"),
        ("space", " "),
        ("~", "~"),
        ("^", "^"),
    ],
)
def test_delimiters_may_be_named(given: str, delimiter: str, write: Write) -> None:
    assert DataOptions(delimiter=given) == DataOptions(delimiter=delimiter)
    path = write("log.txt", PLAIN.replace(",", delimiter).replace("u3", "u,;|3"))
    assert rows_of(path, delimiter=given)[3] == ("1", "u,;|3", "0.375")


@pytest.mark.parametrize("given", ["", "::", '"', "\n", "§", "\\x", "\\xff"])
def test_delimiters_must_be_one_character(given: str) -> None:
    with pytest.raises(OptionError, match="delimiter must be one ASCII character") as caught:
        DataOptions(delimiter=given)
    assert caught.value.found == given


# Numbers


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("a;b\n1;3,5\n0;4\n", ","),
        ("a;b\n1;1.234,5\n0;-4,25\n", ","),
        ("a\tb\n1\t3,5\n0\t\n", ","),
        ("a;b\n1;3,5,7\n0;4,5\n", "."),
        ("a;b\n1;3,5\n0;x\n", "."),
        ("a;b;c\n1;3,5;1.5\n0;4,25;2.25\n", "."),
        ("a,b\n1,3\n0,4\n", "."),
        ('a,b\n1,"3,5"\n0,"4,5"\n', "."),
    ],
)
def test_decimal_commas_are_guessed(text: str, decimal: str, write: Write) -> None:
    source = open_source(write("log.csv", text))
    assert source.rules.decimal == decimal
    assert ("--decimal" in [guess.option for guess in source.guesses]) == (decimal == ",")
    assert open_source(write("log.csv", text), DataOptions(decimal=".")).rules.decimal == "."
    assert open_source(write("log.csv", text), DataOptions(decimal=",")).rules.decimal == ","


def test_semicolons_and_decimal_commas_give_what_points_give(write: Write, cache: Path) -> None:
    plain = prepare(write("plain.csv", PLAIN), cache=cache)
    other = prepare(write("other.csv", PLAIN.replace(",", ";").replace(".", ",")), cache=cache)
    assert other.schema == plain.schema
    assert other.train.ids.tolist() == plain.train.ids.tolist()


# Line ends, compression


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str, tmp_path: Path) -> None:
    assert rows_of(put(tmp_path / "log.csv", PLAIN.replace("\n", end).encode())) == ROWS


def test_no_line_end_at_the_end(write: Write) -> None:
    assert rows_of(write("log.csv", PLAIN.rstrip("\n"))) == ROWS
    assert rows_of(write("log.csv", PLAIN.rstrip("\n") + "\n\n\n")) == ROWS


def test_a_carriage_return_within_a_line_is_no_row(tmp_path: Path) -> None:
    content = PLAIN.replace("u3,", "u\r1,u3,").encode()
    with pytest.raises(DataError, match=r"log\.csv, line \d+: "):
        rows_of(put(tmp_path / "log.csv", content))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two gzips": lambda text: gzip.compress(text[:1000]) + gzip.compress(text[1000:]),
    "bz2": bz2.compress,
    "zstd": lambda text: pa.compress(text, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("name", ["log.csv.gz", "log.csv", "log"])
@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_told_by_the_bytes(packer: str, name: str, tmp_path: Path) -> None:
    assert rows_of(put(tmp_path / name, PACKERS[packer](PLAIN.encode()))) == ROWS


def test_a_compressed_file_that_was_cut_short(tmp_path: Path) -> None:
    content = gzip.compress((PLAIN + PLAIN[17:] * 400).encode())
    with pytest.raises(DataError, match=r"log\.csv\.gz, line \d+: cannot be read from here on"):
        rows_of(put(tmp_path / "log.csv.gz", content[:-50]))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04 and more", "a zip archive"),
        (b"\xfd7zXZ\x00 and more", "packed by xz"),
        (b"ORC and more", "an ORC file"),
        (b"Obj\x01 and more", "an Avro file"),
        (b"SQLite format 3\x00", "an SQLite database"),
    ],
)
def test_files_of_other_kinds_are_named(content: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"log: this is {what}.*write it as Parquet, or as CSV"):
        open_source(put(tmp_path / "log", content))


# Guessed formats


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["click,user,time", "1,u1,2024-03-01 08:00", "0,u2,2024-03-01 09:30"], "csv"),
        (["click time", "1 08:00", "0 09:30"], "csv"),
        (["1 3:1", "1 3:1 5:1", "0 4:1 5:1"], "libsvm"),  # a ragged first line hides no format
        (["\t".join(["click", *"abcdefghijk"]), *["\t".join(["1"] * 12)] * 9], "csv"),
        (["\t".join(["click", *["c"] * 39]), *["\t".join(["1"] * 40)] * 9], "csv"),
        (["user time", "u1 08:00", "u2 09:30"], "csv"),
        (["1 0:3:1 1:107:1", "0 0:4:1 1:105:0.5"], "libffm"),
        (["-1 3:1 107:1", "+1 4:1 105:1"], "libsvm"),
    ],
)
def test_colons_alone_make_no_libsvm(lines: list[str], kind: str, write: Write) -> None:
    assert recognise(FileHead(write("log.txt", "\n".join(lines) + "\n"))).kind == kind


def test_an_error_names_a_guessed_format(write: Write, cache: Path) -> None:
    text = "\n".join("\t".join([str(k % 2), *["3"] * 39]) for k in range(50)) + "\n7" + "\t3" * 39 + "\n"
    wanted = "line 51, column 'label': .* found '7'; taken for criteo by its first lines, --format names another one"
    with pytest.raises(DataError, match=wanted):
        prepare(write("log.txt", text), cache=cache)
    with pytest.raises(DataError, match=r"found '7'$"):
        prepare(write("log.txt", text), DataOptions(format="criteo"), cache=cache)


def test_libffm_gives_what_libsvm_gives(write: Write, cache: Path) -> None:
    pairs = [(k % 2, k % 5, k % 3, k / 7) for k in range(300)]
    svm = write("log.svm", "".join(f"{y} {a}:1 {b + 10}:1 20:{c:.3f}\n" for y, a, b, c in pairs))
    ffm = write("log.ffm", "".join(f"{y} 0:{a}:1 1:{b + 10}:1 2:20:{c:.3f}\n" for y, a, b, c in pairs))
    expected, found = prepare(svm, cache=cache), prepare(ffm, cache=cache)
    assert found.schema == expected.schema
    assert found.train.ids.tolist() == expected.train.ids.tolist()
    with pytest.raises(DataError, match="expected field:index:value, found '3:1'"):
        prepare(write("odd.ffm", ffm.read_text() + "1 0:1:1 3:1 2:20:1\n"), cache=cache)


@pytest.mark.parametrize("block", [9, 1 << 24])
def test_blanks_before_quotes_do_not_count(block: int, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    text = ' click, "user, name",  x\n1, "a, b", "c"\n 0 ,"d, ", ""\n  "1", "e ""f"" , g" , "h\n i"\n'
    path = write("log.csv", text)
    source = open_source(path)
    assert source.columns == ("click", "user, name", "x")
    columns: list[list[str | None]] = [[], [], []]
    for chunk in chunks_of(source, source.columns):
        for name, column in zip(source.columns, columns, strict=True):
            found = chunk.categories(name)
            column += [found.values[code].as_py() if code >= 0 else None for code in found.codes.tolist()]
    assert columns == [["1", "0", "1"], ["a, b", "d,", 'e "f" , g'], ["c", None, "h\n i"]]


@pytest.mark.parametrize("block", [9, 1 << 24])
def test_runs_of_blanks_are_one_delimiter(block: int, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    width = [8, 6, 9]
    lines = [
        "".join(cell.rjust(w) for cell, w in zip(row, width, strict=True))
        for row in [("click", "user", "price"), *ROWS]
    ]
    assert rows_of(write("log.txt", "\n".join(lines) + "\n")) == ROWS
    assert rows_of(write("log.txt", "  \r\n".join(lines) + "  \r\n")) == ROWS


@pytest.mark.parametrize("block", [9, 1 << 24])
def test_quotes_after_backslashes(block: int, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "chunk_bytes", block)
    text = 'click,size,user\n1,"27\\" wide, black",u\n0,"a\\\\",\\N\n1,"\\"\n\\"",v\n'
    path = write("log.csv", text)
    expected = [("1", '27" wide, black', "u"), ("0", "a\\", "\\N"), ("1", '"\n"', "v")]
    assert rows_of(path) == rows_of(path, quote="backslash") == expected
    assert [guess.option for guess in open_source(path).guesses] == ["--quote"]
    late = write("late.csv", PLAIN + PLAIN[17:] * 10 + '1,"27\\" wide, black",3\n')
    monkeypatch.setattr("nas_fusion.data.sources.formats.text_guesses.DECIMAL_LINES", 20)
    with pytest.raises(DataError, match=r"late\.csv, line 2202: expected 3 columns, found 4; .*say --quote backslash"):
        rows_of(late)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_header_may_be_long(encoding: str, tmp_path: Path) -> None:
    names = [f"a_column_with_a_rather_long_name_{k:06d}" for k in range(10_000)]
    text = ",".join(names) + "\n" + ",".join(["1"] * 10_000) + "\n"
    assert open_source(put(tmp_path / "log.csv", text.encode(encoding))).columns == tuple(names)


def test_the_first_line_of_excel(write: Write) -> None:
    assert rows_of(write("log.csv", "sep=;\n" + PLAIN.replace(",", ";"))) == ROWS
    assert rows_of(write("log.csv", "sep=\\t\n" + PLAIN.replace(",", "\t"))) == ROWS


def test_a_header_of_one_cell_names_the_option(write: Write) -> None:
    path = write("log.csv", PLAIN.replace(",", "~"))
    with pytest.raises(
        DataError, match=r"the header is a single cell, 'click~user~price'; if '~' .* say --delimiter '~'"
    ):
        open_source(path)
    assert rows_of(path, delimiter="~") == ROWS


def test_unnamed_columns_are_named_by_their_place(write: Write) -> None:
    source = open_source(write("log.csv", ",click,user,\n0,1,a,\n1,0,b,\n"))
    assert source.columns == ("column1", "click", "user", "column4")


def test_a_first_line_of_numbers_is_no_header(write: Write) -> None:
    with pytest.raises(DataError, match="the first line is no header: '3' stands there twice"):
        open_source(write("log.csv", "1,3,3\n0,4,5\n"))


def test_a_block_is_read_without_its_quotes(write: Write) -> None:
    source = open_source(write("log.csv", '"click","user"\n"1","a"\n'), DataOptions(quote="none"))
    assert isinstance(source, DelimitedSource)
    assert source.columns == ('"click"', '"user"')
