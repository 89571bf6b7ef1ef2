"""fidtune from Python: run a study, open its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from study.results.html import to_html
from study.results.query import query
from study.results.storage import Storage, default_storage
from study.results.study_names import resolve_study
from study.spec import StudyFile, UserError, read_study_file

if TYPE_CHECKING:
    import pandas

    from study.results.finalists import Finals
    from study.results.leaderboard import Leaderboard, RankedTrials
    from study.results.pareto import Front


@dataclass(frozen=True, repr=False)
class Study:
    """A study that can be run. Everything in its file has been found valid."""

    file: StudyFile

    def __repr__(self) -> str:
        """Its name, and what it searches."""
        study, count = self.file.study, len(self.file.space.dimensions())
        dimensions = "1 dimension" if count == 1 else f"{count} dimensions"
        return f"Study({study.name!r}, {dimensions}, {study.search.trials} trials)"

    def _repr_html_(self) -> str:
        """A table of its dimensions, for notebooks."""
        table = Table("dimension", "values", title=repr(self))
        for dimension in self.file.space.dimensions():
            table.add_row(Text(dimension.name), Text(str(dimension.hole)))
        return to_html(table)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        overrides: Sequence[str] = (),
        name: str | None = None,
        *,
        smoke: bool = False,
        variant: str | None = None,
        storage: str | None = None,
    ) -> Study:
        """Read a study file.

        Args:
            path: A YAML file, or the name of a recipe (`quickstart`) where there is no such file.
            overrides: `PATH=VALUE` each, as with `study run --set`.
            name: Takes the place of the file's `name`.
            smoke: Merge in the file's `smoke:` overlay, which makes it end soon.
            variant: Merge in this overlay of the file's `variants:`.
            storage: Where the trial is whose `weights:` are to be scored: a folder or s3:// URI; by
                default STUDY_STORAGE, or ./studies.

        Raises:
            UserError: Anything wrong, in one line.
        """
        from study.driver.trial_weights import trained_in

        return cls(
            read_study_file(
                path,
                overrides,
                name,
                smoke=smoke,
                variant=variant,
                find_trial=trained_in(storage),
            )
        )

    def run(self, storage: str | None = None, address: str | None = None) -> Results:
        """Run it to its end and open its results.

        Args:
            storage: Folder or s3:// URI; by default STUDY_STORAGE, or ./studies.
            address: Ray cluster to join; by default one on this machine, started if there is none.

        Raises:
            UserError: The name is taken, or storage or cluster cannot be used.
        """
        from study.lanes.run import run_study

        place = Storage.from_uri(storage or default_storage())
        result = run_study(self.file, place, address)
        return Results(result.study, place)


@dataclass(frozen=True, repr=False)
class Results:
    """The results of one study, read from the ledger anew at each use."""

    name: str
    storage: Storage

    def __repr__(self) -> str:
        """Its name and where it is; nothing is read for that."""
        return f"Results({self.name!r} in {self.storage.uri})"

    def _repr_html_(self) -> str:
        """How far it is, and what `study best` shows, for notebooks."""
        try:
            board = self._leaderboard()
        except UserError as error:  # it is gone
            return to_html(str(error))
        states = Counter(trial.state for trial in board.rows.trials)
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        return to_html(f"study {self.name}: {counts or 'no trial yet'}") + board._repr_html_()

    @property
    def trials(self) -> pandas.DataFrame:
        """One row a trial: state, value, cost, seeds, and its configuration in `config.*`."""
        return self._view("trials")

    @property
    def reports(self) -> pandas.DataFrame:
        """One row for each trial and epoch: images seen, seconds, loss, score."""
        return self._view("reports")

    @property
    def scores(self) -> pandas.DataFrame:
        """One row an evaluation, with everything that says what it measures."""
        return self._view("scores")

    @property
    def artifacts(self) -> pandas.DataFrame:
        """One row a file: checkpoints, sample grids and pictures, by path below the storage."""
        return self._view("artifacts")

    @property
    def diagnostics(self) -> pandas.DataFrame:
        """One row a number that `study explain` found; a curve is one row a point."""
        return self._view("diagnostics")

    def query(self, sql: str) -> pandas.DataFrame:
        """Ask the views of this study in SQL: each table of the ledger is one.

        Raises:
            UserError: The SQL cannot be answered.
        """
        frame: pandas.DataFrame = query(self.storage, sql, [self.name]).to_pandas()
        return frame

    def best(self, top: int | None = 10) -> RankedTrials:
        """The best trials of the search, best first; all that can be ranked if `top` is None.

        Raises:
            UserError: Scores of different identity would have to be compared.
        """
        from study.results.leaderboard import RankedTrials

        return RankedTrials(self._leaderboard().ranked[:top])

    def finals(self) -> Finals | None:
        """The finalists, by rising mean of their final scores; None if there are no final runs.

        Raises:
            UserError: Final scores of different identity would have to be compared.
        """
        return self._leaderboard().finals

    def front(self) -> Front | None:
        """The Pareto front of the search; None if the study has one objective.

        Raises:
            UserError: Scores of different identity would have to be compared.
        """
        return self._leaderboard().front

    def _leaderboard(self) -> Leaderboard:
        from study.results.leaderboard import read_leaderboard

        return read_leaderboard(self.storage, self.name)

    def _view(self, table: str) -> pandas.DataFrame:
        orders = {
            "trials": "trial",
            "artifacts": "trial, path",
            "diagnostics": "trial, epoch, diagnostic, quantity, axis, x",
        }
        order = orders.get(table, "trial, epoch")
        return self.query(f"select * from {table} order by {order}")


def open_study(name: str | None = None, storage: str | None = None) -> Results:
    """Open the results of a study, finished or running.

    Args:
        name: The study's name; None or `newest` for the one that was begun last.
        storage: Folder or s3:// URI; by default STUDY_STORAGE, or ./studies.

    Raises:
        UserError: There is no such study; the message names the nearest.
    """
    place = Storage.from_uri(storage or default_storage())
    return Results(resolve_study(place, name), place)


__all__ = ["Results", "Study", "UserError", "open_study"]
