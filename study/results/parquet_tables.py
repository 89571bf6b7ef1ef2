"""Reading a table's Parquet files as one Arrow table, and of its rows those that count.

Readers take a snapshot and never wait for writers. Neither DuckDB nor pandas is imported.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from study.results.columns import SCHEMAS, concat
from study.results.storage import Storage
from study.results.table_files import Damage, DamagedFileWarning, read_file, table_files
from study.results.tables import KEYS

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


def read_newest(storage: Storage, table: str, studies: Sequence[str] | None = None) -> pa.Table:
    """The newest row of each key of a table (`tables.KEYS`), in the order of the keys.

    Args:
        storage: Where the studies are.
        table: The table.
        studies: Names of studies; all by default. One that is not there has no rows.

    Raises:
        UserError: A file vanished while the table was read.
    """
    keys = KEYS[table]
    order = [(key, "ascending") for key in keys]
    order += [("written", "descending"), ("sequence", "descending")]
    rows = read_table(storage, table, studies).sort_by(order).combine_chunks()
    if len(rows) < 2:
        return rows
    differs = [_differs_from_above(rows[key].combine_chunks()) for key in keys]
    starts = functools.reduce(pc.or_kleene, differs)
    return pa.concat_tables([rows.slice(0, 1), rows.slice(1).filter(starts)])


def _differs_from_above(column: pa.Array) -> pa.Array:
    """Of each value but the first, whether the one before it is another; null if both are null.

    Arrow has a function that fills nulls, which imports pandas.
    """
    above, below = column[:-1], column[1:]
    one_is_null = pc.xor(pc.is_null(above), pc.is_null(below))
    return pc.or_kleene(one_is_null, pc.not_equal(above, below))


def _text_for_null(table: pa.Table) -> pa.Table:
    """Columns in which nobody ever wrote a value, as text: DuckDB would make them integers."""
    fields = [f.with_type(pa.string()) if f.type == pa.null() else f for f in table.schema]
    return table.cast(pa.schema(fields))
