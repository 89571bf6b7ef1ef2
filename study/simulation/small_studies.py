"""Studies of few trials on which interleavings are tried, each a few milliseconds long."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from study.driver.messages import Assignment
from study.simulation.interleavings import Interleaving, Plan
from study.simulation.invariants import Outcome, violations
from study.simulation.learning_curves import Curve, Point
from study.spec import Picks, StudyFile, read_study_text

_STUDY = """\
name: small
data: {dataset: digits}
model:
  family: ddpm
  timesteps: {int: [10, 40]}
  schedule: {kind: cosine}
  network: {kind: unet, channels: [4]}
train: {epochs: 3, batch_size: 32, learning_rate: {float: [1.0e-4, 1.0e-2], log: true}}
score: {metric: fd_pixels, samples: 16, steps: 1}
search: {sampler: SAMPLER, trials: 3, pruner: {kind: PRUNER}}
"""
_EPOCHS = 3


@dataclass(frozen=True)
class SmallStudy:
    """A study and the lanes that it is run on.

    Attributes:
        sampler: The search's sampler.
        pruner: Its pruner.
        lanes: How many lanes.
        same_decisions: Whether the search decides the same whatever happens: it hears all in one
            order, or the order is nothing to it.
    """

    sampler: str
    pruner: str
    lanes: int
    same_decisions: bool = True

    @functools.cached_property
    def file(self) -> StudyFile:
        """The study file."""
        text = _STUDY.replace("SAMPLER", self.sampler).replace("PRUNER", self.pruner)
        return read_study_text(text, "small")

    @functools.cached_property
    def undisturbed(self) -> Interleaving:
        """The study run to its end by one driver, to which nothing happens."""
        interleaving = Interleaving(self.file, curve, Plan(), self.lanes)
        interleaving.run()
        return interleaving

    def disturbed(self, seed: int) -> Interleaving:
        """The study, run to its end by the plan of a seed."""
        quiet = self.undisturbed
        seconds = max(heard.at for heard in quiet.history.heard) - quiet.history.heard[0].at
        plan = Plan.draw(
            seed,
            lanes=self.lanes,
            operations=quiet.operations,
            seconds=seconds.total_seconds(),
        )
        interleaving = Interleaving(self.file, curve, plan, self.lanes)
        interleaving.run()
        return interleaving

    def violations(self, seed: int) -> Iterator[str]:
        """What is wrong with a disturbed one, a line each; nothing should be."""
        return self.violations_of(self.disturbed(seed))

    def violations_of(self, interleaving: Interleaving) -> Iterator[str]:
        """What is wrong with one, a line each."""
        storage, name = interleaving.storage, self.file.study.name
        yield from violations(storage, name, interleaving.history)
        if self.same_decisions:
            undisturbed = Outcome.read(self.undisturbed.storage, name)
            yield from Outcome.read(storage, name).differences(undisturbed)


SMALL_STUDIES = (
    SmallStudy("random", "none", 2),
    SmallStudy("random", "asha", 2, same_decisions=False),
    SmallStudy("tpe", "asha", 1),
)


def curve(assignment: Assignment, picks: Picks) -> Curve:
    """Epochs of 1, 2 or 3 seconds: some reports come while older rows wait to be written."""
    rate, seconds = float(picks["train.learning_rate"] or 1), 1.0 + assignment.number % 3
    points = [
        Point(100 * e, seconds * e, rate / e, 0.1, 0.01, 1 / e) for e in range(1, _EPOCHS + 1)
    ]
    return Curve(points, parameters=10)
