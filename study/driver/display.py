"""What is shown of a running study: a live table in a terminal, elsewhere a line an event."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from study.driver.events import Event, SearchStopped, TrialEnded, TrialReported, TrialStarted
from study.driver.messages import Progress
from study.results.pace import duration, seconds_left


class Display(Protocol):
    """Shows events, and what the lanes are doing."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def lanes(self, lanes: list[Progress]) -> None:
        """What each lane is doing now."""

    def message(self, text: str) -> None:
        """A line for the person, as it is."""

    def close(self) -> None:
        """The study has ended."""


class Tally:
    """Counts that both displays show."""

    def __init__(
        self,
        planned: int,
        metric: str,
        ended: Mapping[str, int] | None = None,
        values: Mapping[int, float] | None = None,
    ) -> None:
        """Count from the start, or go on with the counts of an earlier run.

        Args:
            planned: How many trials the study has in all, final runs included.
            metric: What is minimised.
            ended: How many trials of an earlier run have ended in which state.
            values: Latest score of each trial of an earlier run that may be compared.
        """
        self.planned = planned
        self.metric = metric
        self.states: Counter[str] = Counter(ended or {})
        self.before = self.ended
        self.values = dict(values or {})  # latest score of each trial that may be compared
        self.waiting: dict[str, str] = {}  # lanes that wait, and for what
        self.first_trial: float | None = None
        self.began = time.monotonic()

    def take(self, event: Event) -> None:
        """Count an event."""
        match event:
            case TrialStarted():
                self.states["running"] += 1
            case TrialReported(report, ranked=True) if report.score is not None:
                self.values[report.number] = report.score.value
            case TrialEnded():
                self.states["running"] -= 1
                if event.state == "failed":
                    self.values.pop(event.number, None)
                self.states["interrupted" if event.state == "running" else event.state] += 1

    def new_problems(self, lanes: list[Progress]) -> list[str]:
        """A line for each lane that has begun to wait for something, or goes on."""
        waiting = {lane.lane: lane.problem for lane in lanes if lane.state == "waiting"}
        lines = [f"{lane}: {waiting[lane]}" for lane in waiting if lane not in self.waiting]
        lines += [f"{lane} goes on" for lane in self.waiting if lane not in waiting]
        self.waiting = waiting
        return lines

    @property
    def best(self) -> tuple[float, int] | None:
        """The best score so far and its trial, as `study list` has it."""
        return min(((value, trial) for trial, value in self.values.items()), default=None)

    @property
    def ended(self) -> int:
        """Trials that are over."""
        return sum(self.states[state] for state in ("complete", "pruned", "failed"))

    def time_left(self) -> float | None:
        """Seconds, by the pace so far since the lanes were up; None while nothing has ended."""
        if self.first_trial is None:
            return None
        elapsed = time.monotonic() - self.first_trial
        ended, planned = self.ended - self.before, self.planned - self.before  # by this run
        return seconds_left(elapsed, ended, self.states["running"], planned)


class SilentDisplay:
    """Shows nothing, for `--quiet`."""

    def event(self, event: Event) -> None:
        """Nothing is shown of it."""

    def lanes(self, lanes: list[Progress]) -> None:
        """Nothing is shown of them."""

    def message(self, text: str) -> None:
        """Nothing is shown of it."""

    def close(self) -> None:
        """Nothing is left open."""


class PlainDisplay:
    """One plain line an event, for logs and pipes."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally = tally
        self.console = console
        self.ready = False

    def event(self, event: Event) -> None:
        """Print the event's line."""
        self.tally.take(event)
        match event:
            case TrialStarted():
                picks = ", ".join(
                    f"{n.rsplit('.', 1)[-1]}={_short(v)}" for n, v in event.picks.items()
                )
                again = "" if event.repeats is None else f"finalist {event.repeats} again, "
                self.message(f"trial {event.number} started: {again}{picks}")
            case TrialReported(report, best) if report.score is not None:
                loss = f" loss {report.epochs[-1].loss:.4f}" if report.epochs else ""
                note = ", the best so far" if best else ""
                self.message(
                    f"trial {report.number} epoch {report.epoch}:{loss} {report.score.metric} "
                    f"{report.score.value:.4g}{note} ({report.lane})"
                )
            case TrialEnded():
                state = "interrupted" if event.state == "running" else event.state
                reason = f": {event.reason}" if event.reason and state != "interrupted" else ""
                value = "" if event.value is None else f", {event.metric} {event.value:.4g}"
                left = self.tally.time_left()
                eta = (
                    ""
                    if left is None or state == "interrupted"
                    else f", about {duration(left)} left"
                )
                done = f"{self.tally.ended}/{self.tally.planned}"
                self.message(f"trial {event.number} {state}{reason}{value} [{done}{eta}]")
            case SearchStopped():
                self.message(str(event))

    def lanes(self, lanes: list[Progress]) -> None:
        """Say once when all lanes are up, and when one waits or goes on."""
        for line in self.tally.new_problems(lanes):
            self.message(line)
        if not self.ready and lanes and all(lane.state != "starting" for lane in lanes):
            self.ready = True
            self.tally.first_trial = time.monotonic()
            self.message(f"{len(lanes)} {'lane' if len(lanes) == 1 else 'lanes'} ready")

    def message(self, text: str) -> None:
        """Print a line, with the time since the start."""
        elapsed = duration(time.monotonic() - self.tally.began)
        self.console.print(f"{elapsed:>7}  {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing is left open."""


class LiveDisplay:
    """A table that is redrawn: trials by state, each lane, the best so far, time left."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally = tally
        self.progress: list[Progress] = []
        self.scores: dict[int, str] = {}
        self.live = Live(self._render(), console=console, refresh_per_second=4, transient=True)
        self.live.start()

    def event(self, event: Event) -> None:
        """Redraw with the event; a trial that ends leaves a line above."""
        self.tally.take(event)
        if isinstance(event, TrialReported) and event.report.score is not None:
            score = event.report.score
            # An early rung's score may be of another metric than the column's.
            other = "" if score.metric == self.tally.metric else f" {score.metric}"
            self.scores[event.report.number] = f"{score.value:.4g}{other}"
        if isinstance(event, TrialEnded):
            state = "interrupted" if event.state == "running" else event.state
            colour = {"complete": "green", "failed": "red"}.get(state, "yellow")
            value = "" if event.value is None else f"{event.metric} {event.value:.4g}"
            line = Text.assemble(
                f"trial {event.number:>3} ",
                (f"{state:<11}", colour),
                f" epoch {event.epoch:>3}  {value}",
            )
            if state == "failed":
                line.append(f"  {event.reason}", "red")
            self.live.console.print(line)
        if isinstance(event, SearchStopped):
            self.message(str(event))
        self.live.update(self._render())

    def lanes(self, lanes: list[Progress]) -> None:
        """Redraw with what the lanes are doing, and say when one waits or goes on."""
        for line in self.tally.new_problems(lanes):
            self.message(line)
        self.progress = lanes
        if self.tally.first_trial is None and lanes and all(p.state != "starting" for p in lanes):
            self.tally.first_trial = time.monotonic()
        self.live.update(self._render())

    def message(self, text: str) -> None:
        """Print a line above the table."""
        self.live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.live.stop()

    def _render(self) -> RenderableType:
        tally = self.tally
        counts = (
            "  ".join(f"{count} {state}" for state, count in tally.states.items() if count)
            or "no trials yet"
        )
        best = (
            "—"
            if tally.best is None
            else f"{tally.metric} {tally.best[0]:.4g} (trial {tally.best[1]})"
        )
        left = tally.time_left()
        elapsed = duration(time.monotonic() - tally.began)
        rest = "—" if left is None else f"about {duration(left)}"
        head = Text.assemble(
            ("trials ", "bold"), f"{tally.ended}/{tally.planned}  {counts}    ",
            ("best ", "bold"), (best, "green"), "    ",
            ("time ", "bold"), f"{elapsed}, {rest} left",
        )  # fmt: skip
        table = Table(box=None, pad_edge=False, expand=False)
        for name in ("lane", "trial", "epoch", "", "loss", tally.metric):
            table.add_column(name, justify="left" if name in ("lane", "") else "right", min_width=5)
        for lane in self.progress:
            table.add_row(*self._lane(lane))
        return Group(head, table)

    def _lane(self, lane: Progress) -> tuple[RenderableType, ...]:
        if lane.trial is None:
            return lane.lane, "", "", Text(lane.state, "dim"), "", ""
        done = lane.batch / lane.batches if lane.batches else 0.0
        doing: RenderableType = (
            Text("scoring", "cyan") if lane.state == "scoring" else ProgressBar(1.0, done, width=24)
        )
        score = self.scores.get(lane.trial)
        return (
            lane.lane,
            str(lane.trial),
            f"{lane.epoch}/{lane.epochs}",
            doing,
            "" if lane.loss is None else f"{lane.loss:.4f}",
            score or "",
        )


def make_display(
    planned: int,
    metric: str,
    ended: Mapping[str, int] | None = None,
    values: Mapping[int, float] | None = None,
    console: Console | None = None,
) -> Display:
    """The display that suits where the output goes; see `Tally` for what it begins with."""
    console = console or Console()
    tally = Tally(planned, metric, ended, values)
    return LiveDisplay(tally, console) if console.is_terminal else PlainDisplay(tally, console)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
