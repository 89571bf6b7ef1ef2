"""Asking the ledger in SQL: its tables in DuckDB. Neither pandas, torch nor Ray is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from study.results.parquet_tables import read_newest
from study.results.storage import Storage
from study.results.tables import TABLES
from study.spec.errors import UserError


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
        connection.register("newest", read_newest(storage, table, studies))
        connection.execute(f"CREATE TABLE {table} AS FROM newest")
        connection.unregister("newest")
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


def _explain(message: str) -> str:
    """DuckDB's message without its drawing of the query, and with advice that it cannot give."""
    message = message.partition("\n\nLINE ")[0]
    if "Table with name" in message:
        return message.partition("\nDid you mean")[0] + f" (the tables are {', '.join(TABLES)})"
    if re.search(r'Referenced (table|column) "config', message):
        return message + ' (parameters need double quotes: "config.train.batch_size")'
    return message
