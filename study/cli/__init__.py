"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys

# isort: off
from study.cli.app import app

# Their commands register themselves, in the order in which help lists them.
from study.cli import recipes, init, run, results, rescore, explain, score, trust  # noqa: F401

# isort: on
from study.cli.streams import adapt_streams
from study.spec.errors import UserError

__all__ = ["app", "main"]


def main() -> None:
    """The entry point: a user's mistake is one line on stderr and exit code 2."""
    adapt_streams()
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # DuckDB and Ray cannot do without
        print("study: the working folder does not exist any more: cd to another", file=sys.stderr)
        sys.exit(2)
    if folder not in sys.path:  # where networks named by import path may lie
        sys.path.append(folder)
    try:
        app(prog_name="study")  # `python -m study` too
    except UserError as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        print("study: this command needs ray, which is not installed", file=sys.stderr)
        sys.exit(2)
