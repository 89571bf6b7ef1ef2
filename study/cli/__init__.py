"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys
import warnings

# isort: off
from study.cli.app import app

# Their commands register themselves, in the order in which help lists them.
from study.cli import recipes, init, run, results, rescore, explain, score, trust  # noqa: F401

# isort: on
from study.cli.streams import NO_ROOM, adapt_streams, flush_output
from study.results.outage import StorageUnavailable
from study.spec.errors import MachineFault, StudyWarning, UserError

__all__ = ["app", "main"]


def main() -> None:
    """The entry point: a user's mistake is one line on stderr and exit code 2."""
    adapt_streams()
    _warn_in_a_line()
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # DuckDB and Ray cannot do without
        print("study: the working folder does not exist any more: cd to another", file=sys.stderr)
        sys.exit(2)
    if folder not in sys.path:  # where networks named by import path may lie
        sys.path.append(folder)
    try:
        try:
            app(prog_name="study")  # `python -m study` too
        finally:
            flush_output()
    except UserError as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)
    except StorageUnavailable as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)
    except MachineFault as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        where = f" to {error.filename}" if error.filename else ""
        print(f"study: The output cannot be written{where}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        print("study: this command needs ray, which is not installed", file=sys.stderr)
        sys.exit(2)


def _warn_in_a_line() -> None:
    """Show our own warnings without Python's file names and lines of source."""
    usual = warnings.formatwarning

    def formatted(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if issubclass(category, StudyWarning):
            return f"study: warning: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
