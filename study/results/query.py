"""Reading the ledger: Parquet files into Arrow, Arrow into DuckDB.

Readers take a snapshot and never wait for writers. Neither pandas, torch nor Ray is imported.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa

from study.results.columns import SCHEMAS, concat
from study.results.storage import Storage
from study.results.table_files import Damage, DamagedFileWarning, read_file, table_files
from study.results.tables import KEYS, TABLES
from study.spec.errors import UserError

_READERS = 16  # threads: an object store takes tens of milliseconds a file


def read_table(storage: Storage, table: str, studies: Sequence[str] | None = None) -> pa.Table:
    """Every row ever appended to a table, by all studies or by those named.

    Columns are the core columns, then the `config.*` columns of all these studies by name.

    Args:
        storage: Where the studies are.
        table: `trials`, `reports`, `scores`, `artifacts` or `diagnostics`.
        studies: Names of studies; all by default. One that is not there has no rows.

    Files that are damaged are left out, each with a `DamagedFileWarning`.

    Raises:
        UserError: A file vanished while the table was read.
    """
    names = storage.studies() if studies is None else [*studies]
    with ThreadPoolExecutor(_READERS) as pool:
        listed = pool.map(lambda name: table_files(storage, name, table), names)
        files = [file for files in listed for file in files]
        read = [*pool.map(lambda file: read_file(storage, file), files)]
    for file in read:
        if isinstance(file, Damage):
            warnings.warn(DamagedFileWarning(str(file)), stacklevel=2)
    tables = [file for file in read if isinstance(file, pa.Table)]
    # In one piece: DuckDB takes seconds over thousands of chunks.
    return _text_for_null(concat(tables, SCHEMAS[table])).combine_chunks()


def connect(
    storage: Storage, studies: Sequence[str] | None = None, tables: Sequence[str] = TABLES
) -> duckdb.DuckDBPyConnection:
    """A DuckDB database in memory with a snapshot of the tables, locked away from all files.

    Of several rows with one key (`tables.KEYS`) it has the newest only. Take answers as Arrow
    tables: DuckDB's own rows need pytz for their times.

    Args:
        storage: Where the studies are.
        studies: Names of studies; all by default.
        tables: The tables to read; all by default.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # In this order: what a trial wrote before it was seen to end is read after that.
    for table in (name for name in TABLES if name in tables):
        key = ", ".join(KEYS[table])
        connection.register("appended", read_table(storage, table, studies))
        connection.execute(
            f"CREATE TABLE {table} AS SELECT * FROM appended QUALIFY row_number() OVER "
            f"(PARTITION BY {key} ORDER BY written DESC, sequence DESC) = 1 ORDER BY {key}"
        )
        connection.unregister("appended")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(storage: Storage, sql: str, studies: Sequence[str] | None = None) -> pa.Table:
    """The answer to a question in SQL (DuckDB's) about the tables.

    Parameters have a dot in their name, and so need double quotes: `"config.train.batch_size"`.
    Of several columns with one name, as a join has them, the second is called `name_1`, as in
    DuckDB's own subqueries.

    Args:
        storage: Where the studies are.
        sql: One statement over `trials`, `reports`, `scores`, `artifacts` and `diagnostics`.
        studies: Names of studies; all by default.

    Raises:
        UserError: DuckDB does not understand the query, or it reaches for a file.
    """
    named = [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
    with connect(storage, studies, named or TABLES) as connection:
        try:
            relation = connection.sql(sql)
            if relation is None:
                raise UserError(f"The query {sql!r} has no answer: it must be one SELECT")
            answer = relation.to_arrow_table()
            return answer.rename_columns(_different(answer.column_names))
        except duckdb.Error as error:
            raise UserError(_explain(str(error))) from error


def _different(names: Sequence[str]) -> list[str]:
    """Names of columns, all different: the second `trial` is `trial_1`, the third `trial_2`."""
    taken, different = set(names), list[str]()
    for name in names:
        other, number = name, 0
        while other in different or (number and other in taken):
            number += 1
            other = f"{name}_{number}"
        different.append(other)
    return different


def _text_for_null(table: pa.Table) -> pa.Table:
    """Columns in which nobody ever wrote a value, as text: DuckDB would make them integers."""
    fields = [f.with_type(pa.string()) if f.type == pa.null() else f for f in table.schema]
    return table.cast(pa.schema(fields))


def _explain(message: str) -> str:
    """DuckDB's message without its drawing of the query, and with advice that it cannot give."""
    message = message.partition("\n\nLINE ")[0]
    if "Table with name" in message:
        return message.partition("\nDid you mean")[0] + f" (the tables are {', '.join(TABLES)})"
    if re.search(r'Referenced (table|column) "config', message):
        return message + ' (parameters need double quotes: "config.train.batch_size")'
    return message
