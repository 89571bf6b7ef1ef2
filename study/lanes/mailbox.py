"""The mailbox: where a lane's trainable and its workers meet.

One mailbox serves all lanes of a study; it runs as a Ray actor with 0 CPU (see `tuner`), but knows
nothing of Ray, so that its protocol is tested in plain asyncio.

Each lane has a log of numbered commands, which every worker reads for itself, so that all ranks do
the same thing in the same order. `Advance` is answered by rank 0 with a report, and the next
command comes only after that: no training happens past a report before the scheduler has decided.
A worker group that died and was started again asks `join` where the lane was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace

from study.driver.messages import Assignment, Progress, Report, failed
from study.driver.retry import RetryPolicy
from study.lanes.commands import Advance, Assign, Command, Position, Quit


class LaneBroken(RuntimeError):
    """A lane's worker group has ended for good; its trial must go on in another lane."""


@dataclass
class _Channel:
    name: str
    first: int = 0  # number of the oldest command kept
    commands: list[Command] = field(default_factory=list)
    answered: int = -1  # number of the last command that was answered
    last: Report | None = None
    lost: Report | None = None  # of its trial: another lane was lost before it handed it in
    up: bool = False  # whether the group has joined since it last died
    joined_before: bool = False
    failed_starts: int = 0  # in a row
    joining: dict[int, asyncio.Future[Position]] = field(default_factory=dict)
    broken: str | None = None
    progress: Progress | None = None

    @property
    def end(self) -> int:
        return self.first + len(self.commands)

    @property
    def assignment(self) -> Assignment | None:
        head = self.commands[0] if self.commands else None
        return head.assignment if isinstance(head, Assign) else None

    @property
    def pending(self) -> int | None:
        """Number of the `Advance` that waits for its answer."""
        last = self.end - 1
        waits = last > self.answered and self.commands and isinstance(self.commands[-1], Advance)
        return last if waits else None

    @property
    def over(self) -> bool:
        """Whether the lane takes no more trials."""
        closed = bool(self.commands) and isinstance(self.commands[-1], Quit)
        return closed or self.broken is not None


class Mailbox:
    """Numbered commands to each lane, reports back, and one switch that interrupts them all."""

    def __init__(self, retry: RetryPolicy) -> None:
        self._retry = retry
        self._lanes: dict[str, _Channel] = {}
        self._checkpoints: dict[int, Report] = {}
        self._unheard: dict[int, Report] = {}  # by trial: not known to have reached the driver
        self._deaths: Counter[int] = Counter()  # of a trial's workers, on whichever lane
        self._changed = asyncio.Condition()
        self._interrupted = asyncio.Event()
        self._ended = 0

    # The trainable's side.

    async def open(self) -> str:
        """A new lane; answers its name."""
        name = f"lane-{len(self._lanes)}"
        self._lanes[name] = _Channel(name, progress=Progress(name, "starting"))
        return name

    async def assign(self, lane: str, assignment: Assignment) -> None:
        """Give a lane its next trial. One that ran elsewhere goes on from its last report."""
        channel = self._lanes[lane]
        last = self._checkpoints.get(assignment.number)
        if last is not None and last.checkpoint is not None:
            assignment = replace(assignment, checkpoint=last.checkpoint.name)
        async with self._changed:
            # All that came before was answered: who has not read it need not (see `next`).
            channel.first, channel.commands = channel.end, [Assign(assignment)]
            channel.last = last
            channel.lost = self._unheard.get(assignment.number)
            self._changed.notify_all()

    async def advance(self, lane: str) -> Report:
        """Tell a lane to train to its next report, and wait for it.

        A report that was lost with the lane that was to hand it in comes first.

        Raises:
            LaneBroken: The worker group ended instead.
        """
        channel = self._lanes[lane]
        lost, channel.lost = channel.lost, None
        if lost is not None and self._unheard.get(lost.number) == lost:
            return lost
        async with self._changed:
            number = channel.end
            channel.commands.append(Advance())
            self._changed.notify_all()
        await self._give_up(channel)
        if self._interrupted.is_set():
            await self._answer_for_absent(channel)
        async with self._changed:
            await self._changed.wait_for(lambda: channel.answered >= number or channel.broken)
        if channel.answered < number:
            raise LaneBroken(channel.broken)
        assert channel.last is not None
        return channel.last

    async def rest(self, ended: int) -> None:
        """Wait until more than so many trials have ended, or all are to stop."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended > ended or self._interrupted.is_set())

    async def close(self, lane: str) -> None:
        """Let a lane's workers return."""
        channel = self._lanes[lane]
        async with self._changed:
            channel.commands.append(Quit())
            channel.progress = Progress(lane, "closed")
            self._changed.notify_all()

    async def fail(self, lane: str, message: str) -> None:
        """A lane's worker group has ended with an error, and will not come back."""
        channel = self._lanes[lane]
        async with self._changed:
            channel.broken = message
            channel.progress = Progress(lane, "closed")
            self._changed.notify_all()
        for waiting in channel.joining.values():
            if not waiting.done():
                waiting.set_exception(LaneBroken(message))
        channel.joining = {}

    async def died(self, lane: str, error: str) -> None:
        """Workers of a lane died, not by a preemption. Ray Train starts the group again.

        If the group was up, its trial is charged with the death, and fails if there were too many.
        A lane whose group dies too often before it is up breaks; its trial goes on in another one.
        """
        channel = self._lanes[lane]
        if channel.over:
            return
        if channel.up:
            channel.up = False
            if channel.assignment is not None:
                self._deaths[channel.assignment.number] += 1
            await self._give_up(channel)
            return
        channel.failed_starts += 1
        if self._retry.gives_up(channel.failed_starts):
            times = f"{channel.failed_starts} times before they were up"
            await self.fail(lane, f"its workers died {times}: {error}")

    # The workers' side.

    async def join(self, lane: str, rank: int, world: int) -> Position:
        """A worker is up; answers all of the group alike once all of it is.

        Raises:
            LaneBroken: The lane has been given up.
        """
        channel = self._lanes[lane]
        if channel.broken is not None:
            raise LaneBroken(channel.broken)
        if rank in channel.joining:  # a group that died while joining left its futures behind
            for future in channel.joining.values():
                future.cancel()
            channel.joining = {}
        future = asyncio.get_running_loop().create_future()
        channel.joining[rank] = future
        if len(channel.joining) == world:
            joining, channel.joining = channel.joining, {}
            position = self._position(channel)
            for waiting in joining.values():
                waiting.set_result(position)
        return await future

    async def next(self, lane: str, sequence: int) -> tuple[int, Command]:
        """The command of that number, as soon as there is one, with its number.

        It is a later one where the lane has a new trial by now: a trial that was answered for
        without its workers leaves commands that they never read.
        """
        channel = self._lanes[lane]
        async with self._changed:
            await self._changed.wait_for(lambda: channel.end > sequence)
            number = max(sequence, channel.first)
            return number, channel.commands[number - channel.first]

    async def answer(self, lane: str, sequence: int, report: Report) -> None:
        """Answer a command; a second answer to the same one is not heard."""
        channel = self._lanes[lane]
        async with self._changed:
            if sequence > channel.answered:
                channel.answered, channel.last = sequence, report
                self._checkpoints[report.number] = self._unheard[report.number] = report
                channel.progress = Progress(lane, "idle")
                self._changed.notify_all()

    async def note(self, progress: Progress) -> None:
        """What a lane is doing right now."""
        channel = self._lanes[progress.lane]
        if channel.progress is None or channel.progress.state != "closed":
            channel.progress = progress

    # The driver's side.

    async def snapshot(self) -> list[Progress]:
        """What every lane that is not closed is doing."""
        noted = [channel.progress for channel in self._lanes.values()]
        return [progress for progress in noted if progress and progress.state != "closed"]

    async def heard(self, report: Report) -> None:
        """The driver has taken a report in."""
        if self._unheard.get(report.number) == report:
            del self._unheard[report.number]

    async def ended(self, trials: int) -> None:
        """How many trials have ended by now: lanes that rest look again for what to do."""
        async with self._changed:
            self._ended = max(self._ended, trials)
            self._changed.notify_all()

    async def interrupt(self) -> None:
        """Ask every trial to stop at its next batch, and answer for workers not yet up."""
        async with self._changed:
            self._interrupted.set()
            self._changed.notify_all()
        for channel in self._lanes.values():
            await self._answer_for_absent(channel)

    async def interrupted(self) -> None:
        """Returns when `interrupt` has been called."""
        await self._interrupted.wait()

    async def _answer_for_absent(self, channel: _Channel) -> None:
        assignment, pending = channel.assignment, channel.pending
        if channel.joined_before or assignment is None or pending is None:
            return
        report = Report(assignment.number, "interrupted", 0, 0, 0.0, 0.0, lane=channel.name)
        await self.answer(channel.name, pending, report)

    async def _give_up(self, channel: _Channel) -> None:
        """Answer for a trial whose workers have died more often than it survives."""
        assignment, pending = channel.assignment, channel.pending
        if assignment is None or pending is None:
            return
        deaths = self._deaths[assignment.number]
        if self._retry.gives_up(deaths):
            report = failed(assignment.number, f"its workers died {deaths} times", channel.last)
            await self.answer(channel.name, pending, report)

    def _position(self, channel: _Channel) -> Position:
        channel.up, channel.joined_before, channel.failed_starts = True, True, 0
        if channel.progress and channel.progress.state == "starting":
            channel.progress = Progress(channel.name, "idle")
        assignment = channel.assignment
        if assignment is None or channel.answered < channel.first:
            return Position(channel.first, None)  # it reads the assignment itself
        if channel.last is not None and channel.last.checkpoint is not None:
            assignment = replace(assignment, checkpoint=channel.last.checkpoint.name)
        return Position(channel.answered + 1, assignment, channel.last)
