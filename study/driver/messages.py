"""What passes between the driver and whoever carries trials out: small values that pickle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from study.results.collapsed import any_collapsed
from study.spec import Study

Outcome = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True)
class Assignment:
    """A trial for a lane.

    Attributes:
        spec: The plain study, holes filled, validated where it was made and nowhere again.
        checkpoint: Name in the storage of the checkpoint to go on from; None starts afresh.
        sampling_seeds: Of a final run, the seeds of the images it is scored by, at its end alone;
            none in the search, where they are the study's.
    """

    study: str
    number: int
    seed: int
    spec: Study
    checkpoint: str | None = None
    sampling_seeds: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """What it is called in Tune's own tables."""
        return f"{self.number:04d}"


@dataclass(frozen=True)
class Rest:
    """In a trial's place, for a lane that is to be there when another trial has ended.

    Tune stops a lane that it has nothing for, and to start one takes most of half a minute.

    Attributes:
        number: Below 0, and of each rest another.
        ended: How many trials had ended when it was handed out: the rest is over at the next one.
    """

    number: int
    ended: int

    @property
    def label(self) -> str:
        """What it is called in Tune's own tables."""
        return f"rest{-self.number:04d}"


@dataclass(frozen=True)
class EpochResult:
    """One epoch of training. `seconds` counts the trial's training from its start."""

    epoch: int  # from 1
    images_seen: int
    seconds: float
    loss: float
    discriminator_loss: float | None = None
    validation_loss: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class ScoreResult:
    """One evaluation, with everything that says what it is."""

    epoch: int
    metric: str
    value: float
    samples: int
    sampler: str  # with the options that are not its defaults
    steps: int
    seed: int
    embedder: str
    reference: str
    seconds: float
    spread: float | None = None  # standard error over the choice of images
    variation: float | None = None  # variance of the images, as a share of the real ones'
    collapsed: bool | None = None  # see study.scoring.collapse; None where it is not known


@dataclass(frozen=True)
class StoredFile:
    """A file that a worker wrote, by its name in the storage."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Report:
    """What a lane answers to 'train to the next report'.

    Attributes:
        outcome: `running` wants to go on, `done` has trained its last epoch, or stopped
            early, `interrupted` was asked to stop and did, `failed` cannot go on.
        reason: Why it failed, or was done before its last epoch; empty otherwise.
        epoch: Whole epochs trained so far.
        epochs: Those since the last report.
        score: The objective; of a final run, that of its first sampling seed.
        more: The other measures, and of a final run those with its other sampling seeds.
        skipped: Pictures of the data set that cannot be read and were left out.
        seconds: Training time so far; `score_seconds`: scoring time so far.
    """

    number: int
    outcome: Outcome
    epoch: int
    images_seen: int
    seconds: float
    score_seconds: float
    parameters: int = 0
    data_digest: str = ""
    skipped: tuple[str, ...] = ()
    reason: str = ""
    epochs: tuple[EpochResult, ...] = ()
    score: ScoreResult | None = None
    more: tuple[ScoreResult, ...] = ()
    checkpoint: StoredFile | None = None
    samples: StoredFile | None = None
    lane: str = ""
    host: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The objective's values: one, or of a final run one a sampling seed; none if unscored."""
        if self.score is None:
            return ()
        also = (score.value for score in self.more if score.metric == self.score.metric)
        return (self.score.value, *also)

    @property
    def collapsed(self) -> bool | None:
        """Whether the scored images have collapsed, of a final run with any of its seeds."""
        if self.score is None:
            return None
        return any_collapsed(score.collapsed for score in (self.score, *self.more))

    def signed(self, lane: str, host: str) -> Report:
        """The same report with who sent it."""
        return replace(self, lane=lane, host=host)


def failed(number: int, reason: str, last: Report | None = None) -> Report:
    """The report of a trial that cannot go on, with what it had reached before."""
    if last is None:
        return Report(number, "failed", 0, 0, 0.0, 0.0, reason=reason)
    return replace(
        last, outcome="failed", reason=reason, epochs=(), score=None, more=(), samples=None
    )


def left_open(number: int, reason: str, last: Report | None = None) -> Report:
    """The report of a trial that stops where its last report was, to go on in a later run."""
    report = failed(number, reason, last)
    return replace(report, outcome="interrupted", checkpoint=None)


@dataclass(frozen=True)
class Progress:
    """What a lane is doing, for people.

    Attributes:
        problem: What it waits for, in a line, where it waits.
    """

    lane: str
    state: Literal["starting", "idle", "training", "scoring", "waiting", "closed"]
    trial: int | None = None
    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 0
    loss: float | None = None
    problem: str = ""
