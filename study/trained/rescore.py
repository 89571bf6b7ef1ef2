"""Trials scored again from their checkpoints, without training. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import yaml

from study.driver.trial_weights import TrialWeights, find_weights
from study.results.identity import Identity
from study.results.leaderboard import read_leaderboard
from study.results.ledger import Ledger
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ScoreRow
from study.search import trial_seed
from study.spec import Study, UserError
from study.spec.complaints import complaints
from study.spec.names import metric_name
from study.spec.space import Space
from study.spec.tree import SpaceError
from study.trained.load import load_trial, this_device
from study.worker.evaluate import evaluate
from study.worker.team import Team
from study.worker.workbench import Workbench

ScoringSetup = tuple[str, int, str | None, int | None, str]
"""How trials are scored again: metric, samples, sampler, steps and weights, as in `scores`."""

CHANGEABLE = ("sampler", "steps", "samples", "metric", "embedder", "also")
"""Keys of a trial's `score:` section that can be otherwise, each by an option of its name."""


@dataclass(frozen=True)
class Rescoring:
    """What a call of `rescore` did.

    Attributes:
        trials: Those that have the asked-for scores now.
        metric: What they were scored by, as score rows name it.
        setups: How they were scored: one way, or one for each of their samplers.
        measured: Number of evaluations that were made.
        kept: Number of evaluations that were there already.
    """

    trials: tuple[int, ...]
    metric: str
    setups: frozenset[ScoringSetup]
    measured: int
    kept: int


def rescore(
    storage: Storage,
    study: str,
    *,
    top: int = 5,
    trials: Sequence[int] = (),
    changes: Mapping[str, Any] | None = None,
    averaged: bool = True,
    seeds: int = 1,
    again: bool = False,
    watch: Callable[[str], None] = lambda what: None,
) -> Rescoring:
    """Score trials again, on this machine, and append the scores to the ledger one by one.

    Evaluations that are in the ledger already are not made again.

    Args:
        storage: Where the study is.
        study: Its name.
        top: How many of the search's best, if no trials are named.
        trials: Numbers of trials.
        changes: Those of `CHANGEABLE` that are to be otherwise. Values as in a study file.
        averaged: Whether to score the averaged weights, or else those that training ended with.
        seeds: How often each trial is scored, each time with images of other seeds; the first is
            the search's.
        again: Make evaluations also where they are in the ledger.
        watch: Called with what is about to be done.

    Raises:
        UserError: There is no such study, trial or checkpoint, a change makes no valid study of one
            of the trials, the storage cannot be written, or a trial cannot be scored so. What was
            scored before it is kept.
    """
    storage.require(study)
    numbers = [*dict.fromkeys(trials)]
    if not numbers:
        numbers = [row.trial for row in read_leaderboard(storage, study).ranked[:top]]
    if not numbers:
        raise UserError(f"no trial of study '{study}' has a score yet: name one with --trial")
    changes = changes or {}
    _refuse_ranges(study, numbers[0], changes)
    weights = [find_weights(storage, study, number) for number in numbers]
    plans = [_Plan(one, _changed(one, changes), averaged, seeds) for one in weights]
    storage.check_writable()  # what is measured takes long, and is to be kept
    bench = Workbench(storage, this_device())
    measured = 0
    with Ledger(storage, study) as ledger:
        for place, plan in enumerate(plans, 1):
            where = f"trial {plan.trial} ({place} of {len(plans)})"
            try:
                missing = plan.seeds if again else plan.missing(bench)
                _measure(plan, missing, bench, ledger, where, watch)
            except UserError as error:
                raise UserError(f"trial {plan.trial} cannot be scored so: {error}") from None
            measured += len(missing)
    return Rescoring(
        trials=tuple(numbers),
        metric=plans[0].spec.score.metric_name,
        setups=frozenset(plan.setup for plan in plans),
        measured=measured,
        kept=seeds * len(plans) - measured,
    )


class _Plan:
    """How one trial is to be scored."""

    def __init__(self, trained: TrialWeights, spec: Study, averaged: bool, seeds: int) -> None:
        self.trained = trained
        self.trial = trained.trial
        self.spec = spec
        self.weights: Literal["averaged", "trained"] = "averaged" if averaged else "trained"
        first = spec.score.seed
        self.seeds = [trial_seed(first, index) if index else first for index in range(seeds)]

    @property
    def setup(self) -> ScoringSetup:
        """How it is scored."""
        score, sampling = self.spec.score, self.spec.sampling
        return (
            score.metric_name,
            score.samples,
            sampling.text,
            sampling.steps,
            self.weights,
        )

    def missing(self, bench: Workbench) -> list[int]:
        """The seeds that the ledger has no scores of."""
        score = self.spec.score
        scorer = bench.scorer(self.spec.data, score)
        measured = {
            metric_name(name, score.embedder_name): scorer.references[name]
            for name in score.measures
        }
        there = {
            (row.seed, row.metric)
            for row in read_rows(bench.storage, ScoreRow, self.trained.study, self.trial)
            if row.stage == "rescore"
            and row.epoch == self.trained.epoch
            and row.embedder == scorer.identity.embedder_digest
            and row.reference == measured.get(row.metric)
            and (row.samples, row.sampler, row.steps, row.weights) == self.setup[1:]
        }
        return [s for s in self.seeds if not {(s, metric) for metric in measured} <= there]


def setup_from_identity(measured: Identity) -> ScoringSetup:
    """How a score was made that measures this."""
    return (
        measured.metric,
        measured.samples,
        measured.sampler,
        measured.steps,
        measured.weights,
    )


def _measure(
    plan: _Plan,
    seeds: Sequence[int],
    bench: Workbench,
    ledger: Ledger,
    where: str,
    watch: Callable[[str], None],
) -> None:
    """Score a trial by images of these seeds, and append the scores."""
    if not seeds:
        watch(f"{where}: is in the ledger already")
        return
    score, sampling = plan.spec.score, plan.spec.sampling
    loaded = load_trial(
        bench.storage,
        plan.trained.study,
        plan.trial,
        averaged=plan.weights == "averaged",
        bench=bench,
    )
    for index, seed in enumerate(seeds, 1):
        place = f", seed {index} of {len(seeds)}" if len(seeds) > 1 else ""
        steps = "1 step" if sampling.steps == 1 else f"{sampling.steps} steps"
        watch(f"{where}{place}: {score.samples:,} images by {sampling.text} in {steps} ...")
        results, _ = evaluate(
            loaded.family,
            plan.spec,
            bench,
            Team(device=bench.device),
            score=score,
            seed=seed,
            epoch=loaded.epoch,
        )
        for result in results:
            ledger.append(
                ScoreRow(trial=plan.trial, stage="rescore", weights=plan.weights, **asdict(result))
            )
        ledger.flush()  # what comes next may take long, or be interrupted


def _changed(trained: TrialWeights, changes: Mapping[str, Any]) -> Study:
    """A trial's study with another score, found valid as a study file would be.

    Raises:
        UserError: It is not.
    """
    spec, trial = trained.row.spec, trained.trial
    kept = dict(spec["score"])
    if "metric" in changes:  # the others go with the metric
        kept |= {"embedder": None, "also": []}
    tree = {**spec, "score": {**kept, "every": 1, **changes}, "finalists": None}
    for complaint in complaints(tree):
        match complaint.path:
            case ("score", str(key), *below) if key in changes:
                value = changes[key]
                shown = ",".join(value) if isinstance(value, list) else _flow(value)
                inside = f"{'.'.join(map(str, below))}: " if below else ""
                raise UserError(f"--{key} {shown}: {inside}{complaint.rule} (trial {trial})")
            case ("score", str(key), *_) if key in CHANGEABLE:  # with which it would be right
                raise UserError(f"--{key}: {complaint.rule} (trial {trial})")
        raise UserError(f"trial {trial}: {complaint}")
    return Study.model_validate(tree)


def _refuse_ranges(study: str, trial: int, changes: Mapping[str, Any]) -> None:
    """A hole is a search, and so a study: say which."""
    for key, value in changes.items():
        try:
            dimensions = Space({key: value}).dimensions()
        except SpaceError as error:
            raise UserError(f"--{key} {_flow(value)}: {error.rule}") from None
        if dimensions:
            file = {
                "name": f"{study}-sweep"[:80],
                "weights": {"study": study, "trial": trial},
                "score": dict(changes),
                "search": {"trials": 20},
            }
            raise UserError(
                f"--{key} {_flow(value)}: a range is searched by a study of its own: write "
                f"{_flow(file)} to a file and `study run` it"
            )


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...").strip()
