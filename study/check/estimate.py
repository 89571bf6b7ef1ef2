"""What a study would cost on this machine, by a few batches of each network that it draws."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from study.check.costs import (
    Costs,
    Key,
    Limits,
    Line,
    SamplingCost,
    ScoringCost,
    TrainingCost,
    distance,
    sampling_key,
    scoring_key,
    training_key,
)
from study.check.crew import MOST_PROCESSES, Crew, TooLarge, TooLong, free_memory
from study.check.forecast import Forecast, draw, forecast, starting_seconds
from study.check.network_names import distinct_names, network_name
from study.check.preflight import Watch
from study.driver.placement import Placement, this_machine
from study.spec import Study, StudyFile

DRAWS = 64
"""Trials that are drawn to see which networks a study has, and how often each."""
MOST_NETWORKS = 8
"""Networks, samplers and scores that are measured of each; others cost as the most similar does."""
TRY_SECONDS = 1.5
"""What one try of a measurement may be foreseen to take."""
MEASUREMENT_SECONDS = 20.0
"""What a measurement may take at all; then it is ended, and its cost is at least that."""
BUDGET_SECONDS = 90.0
"""After so long no further network is measured."""
MEMORY_SHARE = 0.5
"""Of the free memory, for all tries that are made at once."""

Item = TypeVar("Item")
Cost = TypeVar("Cost", TrainingCost, SamplingCost, ScoringCost)


@dataclass(frozen=True)
class NetworkEstimate:
    """A network among those that a study draws.

    Attributes:
        name: What it differs in from the study's other networks.
        share: Of the trials, as they would be drawn at the start.
        cost: What was measured of it.
        train_seconds: Mean training of a trial that is never pruned, in one lane.
        score_seconds: Mean of all scores of such a trial.
        memory: Bytes that its largest batch takes in training, about.
    """

    name: str
    share: float
    cost: TrainingCost
    train_seconds: float
    score_seconds: float
    memory: float

    @property
    def seconds(self) -> float:
        """Training and scoring together."""
        return self.train_seconds + self.score_seconds


@dataclass(frozen=True)
class Estimate:
    """A study's cost.

    Attributes:
        networks: What trials cost, by network; the likeliest first.
        unmeasured: Networks that cost what the most similar one does.
        time: Seconds of the whole study.
        unpruned: The same if no trial is pruned; None if none is anyway.
        images: Training images seen, and network evaluations in sampling, if nothing is pruned.
        final_runs: Trainings of finalists, at most, which all of these include.
        at_most: Whether trials can ask for fewer epochs or steps than images and evaluations are
            reckoned with, or may stop early.
        at_least: Whether something was too large or slow to be measured: all takes longer.
        memory: Bytes that all workers of this machine take together in training, about.
        free_memory: Bytes that are free.
    """

    networks: tuple[NetworkEstimate, ...]
    unmeasured: int
    time: Forecast
    unpruned: Forecast | None
    images: int
    evaluations: int
    final_runs: int
    at_most: bool
    at_least: bool
    memory: float
    free_memory: float


def estimate(
    study_file: StudyFile,
    placement: Placement,
    trials: int,
    watch: Watch = lambda what: None,
    reading: float = 0.0,
) -> Estimate:
    """Measure the networks that a study draws, and simulate the whole of it, finals and all.

    Args:
        study_file: The study.
        placement: Its lanes; those of this machine work at the same time.
        trials: How many it has.
        watch: Told what is about to be measured.
        reading: Seconds that it takes to read the images.

    Raises:
        UserError: A network cannot be trained on this machine.
    """
    drawn = draw(study_file, DRAWS) or [study_file.study]
    costs = measure_costs(drawn, placement, watch)
    cores = this_machine()["CPU"]
    starting = starting_seconds(placement.lanes, cores, costs.process_seconds)
    starting += reading + costs.preparation_seconds
    prunes = study_file.study.search.pruner.stops_trials
    watch("simulating the study with these costs")
    course = forecast(study_file, costs, placement.lanes, starting=starting)
    unpruned = None
    if prunes:
        unpruned = forecast(study_file, costs, placement.lanes, starting=starting, pruned=False)
    networks = _networks(drawn, costs)
    corners = [corner.study for corner in study_file.corners]
    spec, finalists = study_file.study, study_file.study.finalists
    final_runs = 0 if finalists is None else finalists.runs
    final_images = 0
    if finalists is not None:
        final_images = final_runs * finalists.sampling_seeds * spec.final().score.samples
    most_images = max(each.train.epochs * each.data.training_images for each in corners)
    most_evaluations = max(each.generated_images * each.sampling.steps for each in corners)
    return Estimate(
        networks=networks,
        unmeasured=len({*map(training_key, drawn)} - costs.training.keys()) if networks else 0,
        time=course,
        unpruned=unpruned,
        images=0 if spec.weights else (trials + final_runs) * most_images,
        evaluations=trials * most_evaluations
        + final_images * max(each.final_sampling.steps for each in corners),
        final_runs=final_runs,
        at_most=len({each.train.epochs for each in corners}) > 1
        or len({each.sampling.steps for each in corners}) > 1
        or any(each.train.early_stopping is not None for each in corners),
        at_least=not costs.complete,
        memory=placement.lanes
        * placement.workers
        * max((each.memory for each in networks), default=0.0),
        free_memory=free_memory(),
    )


def measure_costs(drawn: Sequence[Study], placement: Placement, watch: Watch) -> Costs:
    """Measure the networks, samplings and scores of some studies, the commonest first.

    As many processes as there are workers on this machine do it at the same time.
    """
    side_by_side = placement.lanes * placement.workers
    size = max(1, min(side_by_side, MOST_PROCESSES, int(this_machine()["CPU"]) or 1))
    share = MEMORY_SHARE * free_memory() / size
    limits = Limits(TRY_SECONDS, share, max(1, int(placement.cpus)), placement.gpus > 0)
    costs = Costs(placement.workers)
    bound = None if placement.gpus > 0 else share  # CUDA reserves far more than it takes
    with Crew(size, "study.check.measurement", bound) as crew:
        measuring = _Measuring(crew, limits, watch)
        trained = [spec for spec in drawn if spec.weights is None]
        for key, specs in measuring.commonest(trained, training_key, costs.training):
            sizes = [max(1, math.ceil(s.train.batch_size / placement.workers)) for s in specs]
            low, high = min(sizes), max(sizes)
            sized = f"batches of {low}" if low == high else f"batches of {low} to {high}"
            what = f"training, {sized} ({network_name(key)})"
            cost = measuring("measure_training", what, specs[0], (low, high))
            costs.training[key] = cost or TrainingCost(
                0, Line(MEASUREMENT_SECONDS, 0.0), complete=False
            )
        one_of_each = {training_key(spec): spec for spec in drawn if spec.finalists is not None}
        finals = [spec.final() for spec in one_of_each.values()]
        samplings = [*drawn, *finals]
        for key, specs in measuring.commonest(samplings, sampling_key, costs.sampling):
            sampler = specs[0].sampling.text
            cost = measuring("measure_sampling", f"sampling by {sampler}", specs[0])
            costs.sampling[key] = cost or SamplingCost(0.0, MEASUREMENT_SECONDS / 2, complete=False)
        scores = [(spec, score) for spec in drawn for score, _ in spec.score_counts]
        scores += [(spec, spec.score) for spec in finals]
        for key, pairs in measuring.commonest(
            scores, lambda pair: scoring_key(*pair), costs.scoring
        ):
            spec, score = pairs[0]
            what = f"{score.metric_name} of {score.samples:,} images"
            cost = measuring("measure_scoring", what, spec, score)
            costs.scoring[key] = cost or ScoringCost(embedding=MEASUREMENT_SECONDS, complete=False)
        return dataclasses.replace(costs, process_seconds=crew.start_seconds)


class _Measuring:
    """Has a crew measure one thing after the other, and takes the means.

    Args:
        crew: The processes.
        limits: Of each measurement.
        watch: Told what is about to be measured.
    """

    def __init__(self, crew: Crew, limits: Limits, watch: Watch) -> None:
        self._crew = crew
        self._limits = limits
        self._watch = watch
        self._began = time.monotonic()

    def commonest(
        self, items: Iterable[Item], key: Callable[[Item], Key], measured: Collection[Key]
    ) -> Iterator[tuple[Key, list[Item]]]:
        """Items by key, those of the commonest first, until there are enough or time is up.

        Args:
            items: What would be measured.
            key: What the cost of an item depends on.
            measured: What has been measured already: one is, whatever the time.
        """
        groups: dict[Key, list[Item]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        for common in sorted(groups, key=lambda one: -len(groups[one]))[:MOST_NETWORKS]:
            if measured and time.monotonic() - self._began > BUDGET_SECONDS:
                return
            yield common, groups[common]

    def __call__(self, function: str, what: str, *arguments: Any) -> Any:
        """The mean cost; None if it is too large or slow to be measured."""
        beside = f", {self._crew.size} at once" if self._crew.size > 1 else ""
        self._watch(f"measuring {what}{beside}")
        try:
            answers = self._crew.call(
                function,
                *arguments,
                self._limits,
                seconds=MEASUREMENT_SECONDS,
            )
        except (TooLong, TooLarge):
            return None
        return mean_cost(answers)


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """The mean of what several processes have measured of the same thing."""
    first = costs[0]
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        values = [getattr(cost, field.name) for cost in costs]
        if isinstance(values[0], Line):
            changes[field.name] = Line(
                fmean(line.fixed for line in values), fmean(line.each for line in values)
            )
        elif isinstance(values[0], float):
            changes[field.name] = fmean(values)
        elif isinstance(values[0], bool):
            changes[field.name] = all(values)
    return dataclasses.replace(first, **changes)


def _networks(drawn: Sequence[Study], costs: Costs) -> tuple[NetworkEstimate, ...]:
    """What the trials of each measured network cost, the likeliest first."""
    groups: dict[Key, list[Study]] = {}
    for spec in drawn:
        if spec.weights is None:
            own = training_key(spec)
            nearest = min(costs.training, key=lambda key: distance(key, own))
            groups.setdefault(nearest, []).append(spec)
        else:
            groups.setdefault(sampling_key(spec), []).append(spec)
    names = distinct_names([*groups])
    networks = []
    for key, specs in groups.items():
        seconds = [costs.trial_seconds(spec) for spec in specs]
        cost = costs.training_of(specs[0])
        largest = max(math.ceil(spec.train.batch_size / costs.workers) for spec in specs)
        networks.append(
            NetworkEstimate(
                name=names[key],
                share=len(specs) / len(drawn),
                cost=cost,
                train_seconds=fmean(train for train, _ in seconds),
                score_seconds=fmean(score for _, score in seconds),
                memory=0.0 if specs[0].weights else cost.memory(largest),
            )
        )
    return tuple(sorted(networks, key=lambda one: -one.share))
