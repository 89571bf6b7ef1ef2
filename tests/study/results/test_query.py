from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledger_rows import artifact, complete, diagnostic, report, running, score, write
from pyarrow import parquet

from study.results.columns import SCHEMAS
from study.results.parquet_tables import read_table
from study.results.query import connect, query
from study.results.storage import Storage
from study.results.tables import TABLES
from study.spec.errors import UserError


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_storage_has_empty_tables(any_storage: Storage, table: str) -> None:
    found = read_table(any_storage, table).schema
    assert (found.names, found.types) == (SCHEMAS[table].names, SCHEMAS[table].types)
    assert len(query(any_storage, f"FROM {table}")) == 0


def test_two_studies_share_a_storage(any_storage: Storage) -> None:
    for study, trials in (("a", 2), ("b", 3)):
        any_storage.claim(study, "")
        write(any_storage, study, *(complete(t, 1.0 + t, **{study: t}) for t in range(trials)))
    sql = "SELECT study, count(*) AS n FROM trials GROUP BY study ORDER BY study"
    assert query(any_storage, sql)["n"].to_pylist() == [2, 3]
    assert query(any_storage, sql, ["b"])["n"].to_pylist() == [3]
    assert "config.a" not in query(any_storage, "FROM trials", ["b"]).column_names


def test_what_is_not_a_finished_file_is_ignored(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", report(0, 1))
    folder = Path(storage.path("s/reports"))
    (folder / ".0123.tmp").write_bytes(b"half a fi")
    (folder / ".half.parquet").write_bytes(b"half a fi")
    (folder / "notes.txt").write_text("mine")
    assert len(read_table(storage, "reports")) == 1


def test_a_file_that_vanishes_is_an_error_in_one_line(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.claim("s", "")
    write(storage, "s", report(0, 1))
    (file,) = storage.files("s/reports")

    def vanish(self: Storage, name: str) -> bytes:
        raise FileNotFoundError(name)

    monkeypatch.setattr(Storage, "read", vanish)
    with pytest.raises(UserError, match=f"{file} vanished while the ledger was read") as caught:
        read_table(storage, "reports")
    assert "\n" not in str(caught.value)


def test_readers_never_wait_and_never_see_half(storage: Storage) -> None:
    storage.claim("s", "")
    trials, epochs = 12, 5

    def write_all() -> None:
        for trial in range(trials):
            write(
                storage,
                "s",
                *(report(trial, epoch) for epoch in range(1, epochs + 1)),
                complete(trial, 1.0, epochs, p=trial if trial % 2 else "even"),
            )

    writer = threading.Thread(target=write_all)
    writer.start()
    sql = (
        "SELECT (SELECT count(*) FROM reports) AS reports, (SELECT count(*) FROM trials) AS trials,"
        " (SELECT count(*) FROM trials WHERE trial NOT IN (SELECT trial FROM reports)) AS orphans"
    )
    before = {"reports": 0, "trials": 0, "orphans": 0}
    while writer.is_alive():
        (now,) = query(storage, sql).to_pylist()
        assert now["reports"] >= max(before["reports"], now["trials"] * epochs)
        assert now["trials"] >= before["trials"]
        assert now["orphans"] == 0
        before = now
    writer.join()
    (after,) = query(storage, sql).to_pylist()
    assert after == {"reports": trials * epochs, "trials": trials, "orphans": 0}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT colour FROM trials", '"colour" not found'),
        ("SELECT config.train.epochs FROM trials", "parameters need double quotes"),
        ("SELECT * FROM trails", "the tables are trials, reports, scores, artifacts, diagnostics"),
        ("", "must be one SELECT"),
        ("SELECT error('two\nlines')", "two lines"),
    ],
)
def test_a_bad_query_is_the_users_mistake(storage: Storage, sql: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        query(storage, sql)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_text('{secret}')",
        "COPY trials TO '{target}'",
        "EXPORT DATABASE '{target}'",
        "ATTACH '{target}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET enable_external_access = true; SELECT * FROM read_csv('{secret}')",
    ],
)
def test_a_query_reaches_no_file(storage: Storage, tmp_path: Path, sql: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError):
        query(storage, sql.format(secret=tmp_path / "secret.csv", target=tmp_path / "target"))
    assert not (tmp_path / "target").exists()


def test_a_query_sees_no_python_variable(storage: Storage) -> None:
    local_table = read_table(storage, "trials")
    assert len(local_table) == 0
    with pytest.raises(UserError, match="local_table"):
        query(storage, "FROM local_table")


def test_a_connection_has_all_tables(storage: Storage) -> None:
    storage.claim("s", "")
    rows = (report(0, 1), score(0, 1.0), artifact(0, "s/a"), diagnostic(0, 0.1), running(0))
    write(storage, "s", *rows)
    with connect(storage) as connection:
        for table in TABLES:
            assert len(connection.sql(f"FROM {table}").to_arrow_table()) == 1
    names = query(storage, "SHOW TABLES")["name"].to_pylist()
    assert sorted(names) == sorted(TABLES)


def test_times_are_utc(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", running(0))
    sql = "SELECT started, hour(started) AS hour FROM trials"
    assert query(storage, sql).to_pylist() == [{"started": running(0).started, "hour": 10}]


def test_a_query_imports_nothing_heavy(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", complete(0, 1.0))
    program = (
        "import sys\n"
        "from study.results.query import query\n"
        "from study.results.render import render\n"
        "from study.results.leaderboard import read_leaderboard\n"
        "from study.results.storage import Storage\n"
        f"answer = query(Storage.from_uri({storage.uri!r}), 'FROM trials')\n"
        "for form in ('table', 'csv', 'json'):\n"
        "    assert render(answer, form)\n"
        "heavy = {'torch', 'ray', 'pandas', 'matplotlib', 'scipy', 'optuna', 'PIL'}\n"
        "sys.exit(f'{heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_column_that_came_later_is_null_in_older_files(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", running(0))
    (file,) = storage.files("s/trials")
    rows = parquet.read_table(storage.path(f"s/trials/{file}"))
    older = f"{file[:-25]}-0123456789ab.parquet"  # as they were named then, without a digest
    storage.delete(f"s/trials/{file}")
    parquet.write_table(
        rows.drop_columns(["code_digest"]), storage.path(f"s/trials/{older}"), store_schema=False
    )
    write(storage, "s", running(1))
    digests = query(storage, "SELECT code_digest FROM trials")["code_digest"].to_pylist()
    assert digests == [None, ""]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1 AS a, 2 AS a, 3 AS a", ["a", "a_1", "a_2"]),
        ("SELECT 1 AS a, 2 AS a, 3 AS a_1", ["a", "a_2", "a_1"]),
        ("SELECT 1 AS a_1, 2 AS a, 3 AS a", ["a_1", "a", "a_2"]),
        ("SELECT 1 AS a, 2 AS A", ["a", "A"]),
    ],
)
def test_columns_of_one_name_get_names_of_their_own(
    storage: Storage, sql: str, names: list[str]
) -> None:
    answer = query(storage, sql)
    assert answer.column_names == names
    assert sorted(answer.to_pylist()[0].values()) == [*range(1, len(names) + 1)]


def test_a_join_has_every_column(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", score(0, 1.0), complete(0, 1.0))
    joined = query(storage, "FROM trials JOIN scores ON trials.trial = scores.trial")
    each = [query(storage, f"FROM {table}").column_names for table in ("trials", "scores")]
    assert len(joined.column_names) == len(set(joined.column_names)) == len(each[0] + each[1])
    assert {"trial", "trial_1", "value", "value_1"} <= set(joined.column_names)
