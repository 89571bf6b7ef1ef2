"""What all benchmarks share: rows with a peer and a ratio, printed, and written with --json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` says how many times better ours is."""

    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float


def lower_is_better(name: str, ours: float, peer: float, peer_name: str, unit: str) -> Row:
    """A row of a cost: seconds, bytes."""
    return Row(name, ours, peer, peer_name, unit, peer / ours)


def higher_is_better(name: str, ours: float, peer: float, peer_name: str, unit: str) -> Row:
    """A row of a rate: images a second."""
    return Row(name, ours, peer, peer_name, unit, ours / peer)


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser with --json."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here")
    return made


def show(rows: Sequence[Row], path: Path | None) -> None:
    """Print the rows, and write them if a path is given."""
    table = Table("", "ours", "peer", "unit", "ratio", "peer's name")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.ours:.4g}",
            f"{row.peer:.4g}",
            row.unit,
            f"{row.ratio:.3g}",
            row.peer_name,
        )
    console = Console()
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    console.print(table)
    if path is not None:
        path.write_text(
            json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8"
        )
