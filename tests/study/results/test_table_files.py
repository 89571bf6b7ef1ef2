from __future__ import annotations

import random
import warnings
from pathlib import Path

import pyarrow as pa
import pytest
from ledger_rows import complete, report, write
from pyarrow import parquet

from study.results.query import query
from study.results.storage import Storage
from study.results.table_files import Damage, DamagedFileWarning, file_name, read_file, table_files


@pytest.fixture
def damaged(storage: Storage) -> Path:
    """A file of the trials' table that is about to be damaged; trial 1 is in another one."""
    storage.claim("s", "")
    write(storage, "s", report(0, 1), complete(0, 1.5, lr=0.1))
    (name,) = table_files(storage, "s", "trials")
    write(storage, "s", complete(1, 2.5, lr=0.2))
    return Path(storage.path(name))


def read_trials(storage: Storage) -> list[int]:
    with pytest.warns(DamagedFileWarning) as caught:
        trials: list[int] = query(storage, "SELECT trial FROM trials")["trial"].to_pylist()
    (warning,) = caught
    assert "\n" not in str(warning.message)
    assert str(warning.message).endswith("and is left out")
    return trials


def test_every_flipped_bit_is_noticed(storage: Storage, damaged: Path) -> None:
    data = damaged.read_bytes()
    draw = random.Random(0)
    for _ in range(150):
        position = draw.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        damaged.write_bytes(flipped)
        assert isinstance(read_file(storage, f"s/trials/{damaged.name}"), Damage)
    damaged.write_bytes(data)
    assert isinstance(read_file(storage, f"s/trials/{damaged.name}"), pa.Table)


def test_an_empty_file_and_half_a_file_are_left_out(storage: Storage, damaged: Path) -> None:
    data = damaged.read_bytes()
    for rest in (b"", data[: len(data) // 2], data[:-1], data + b"0"):
        damaged.write_bytes(rest)
        assert read_trials(storage) == [1]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table", b"PAR1" + bytes(100) + b"PAR1"])
def test_damage_is_noticed_without_a_digest_too(
    storage: Storage, damaged: Path, content: bytes
) -> None:
    older = damaged.with_name(f"{damaged.name[:-25]}-0123456789ab.parquet")
    damaged.rename(older)
    assert query(storage, "SELECT trial FROM trials")["trial"].to_pylist() == [0, 1]
    older.write_bytes(content)
    assert read_trials(storage) == [1]


def test_pages_have_checksums_of_their_own(storage: Storage, damaged: Path) -> None:
    # Other programs that read the tables can verify them, and so do we without a digest.
    older = damaged.with_name(f"{damaged.name[:-25]}-0123456789ab.parquet")
    data = bytearray(damaged.read_bytes())
    column = parquet.ParquetFile(damaged).metadata.row_group(0).column(0)
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    damaged.unlink()
    older.write_bytes(data)
    assert read_trials(storage) == [1]


def test_a_foreign_file_is_left_out(storage: Storage, damaged: Path) -> None:
    parquet.write_table(pa.table({"trial": [7]}), damaged.with_name("mine.parquet"))
    assert read_trials(storage) == [0, 1]


def test_a_whole_table_is_read_without_a_word(storage: Storage, damaged: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert query(storage, "SELECT trial FROM trials")["trial"].to_pylist() == [0, 1]


def test_names_sort_by_time_and_say_who_wrote_them() -> None:
    name = file_name("20261127T104512123456Z", b"data", (2, 17))
    assert name == "20261127T104512123456Z-d000002-00000017-3a6eb0790f39ac87.parquet"
    assert file_name("20261127T104512123456Z", b"data") == (
        "20261127T104512123456Z-3a6eb0790f39ac87.parquet"
    )
