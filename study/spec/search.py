"""The `search:` section: how trials are proposed, and when they are stopped early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm

MinEpochs = Annotated[int, Field(ge=1, description="Epochs before the first rung.")]
ReductionFactor = Annotated[int, Field(ge=2, description="One trial in so many goes on.")]
StartupTrials = Annotated[
    int, Field(ge=0, description="Trials that always run to their end first.")
]
WarmupEpochs = Annotated[
    int, Field(ge=0, description="Epochs of each trial that are never judged.")
]


class _Pruner(Section):
    stops_trials: ClassVar[bool] = True
    """Whether it can stop a trial early at all."""
    keeps_rungs: ClassVar[bool] = False
    """Whether Optuna's pruner keeps the rungs that a trial has reached with the trial, so that they
    are not found again from its reports."""


class NonePruner(_Pruner):
    """Every trial runs to its end."""

    kind: Literal["none"]
    stops_trials = False


class AshaPruner(_Pruner):
    """Asynchronous successive halving (Li et al. 2020): at each rung the best 1/factor go on."""

    kind: Literal["asha"]
    keeps_rungs = True
    min_epochs: MinEpochs = 1
    reduction_factor: ReductionFactor = 3
    early_stopping_rate: int = Field(0, ge=0, description="Rungs left out at the start.")


class HyperbandPruner(_Pruner):
    """Several successive halvings, from eager to patient (Li et al. 2018)."""

    kind: Literal["hyperband"]
    keeps_rungs = True
    min_epochs: MinEpochs = 1
    reduction_factor: ReductionFactor = 3


class _RankPruner(_Pruner):
    kind: str
    startup_trials: StartupTrials = 5
    warmup_epochs: WarmupEpochs = 0


class MedianPruner(_RankPruner):
    """Stop a trial whose best report is worse than the median of the others' at that epoch."""

    kind: Literal["median"]


class PercentilePruner(_RankPruner):
    """Stop a trial outside the best percentile of the others at that epoch."""

    kind: Literal["percentile"]
    percentile: float = Field(25.0, gt=0, le=100, description="Percent of trials that go on.")


class PatientPruner(_Pruner):
    """Stop a trial that has not improved for some reports."""

    kind: Literal["patient"]
    patience: int = Field(2, ge=0, description="Reports without improvement before it stops.")
    min_delta: float = Field(0.0, ge=0, description="Improvements smaller than this do not count.")


class WilcoxonPruner(_Pruner):
    """Stop a trial significantly worse than the best one (signed-rank test over epochs)."""

    kind: Literal["wilcoxon"]
    p_threshold: float = Field(0.1, gt=0, lt=1, description="Significance below which it stops.")
    startup_epochs: int = Field(2, ge=0, description="Reports before the test is first made.")


class ThresholdPruner(_Pruner):
    """Stop a trial whose score leaves a band."""

    kind: Literal["threshold"]
    lower: float | None = Field(None, description="Stop below this score.")
    upper: float | None = Field(None, description="Stop above this score.")
    warmup_epochs: WarmupEpochs = 0

    @model_validator(mode="after")
    def _has_a_side(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError("the threshold pruner needs `lower` or `upper`")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise Misfit(("lower",), f"{self.lower:g} must be <= `upper` ({self.upper:g})")
        return self


Pruner = Annotated[
    NonePruner
    | AshaPruner
    | HyperbandPruner
    | MedianPruner
    | PercentilePruner
    | PatientPruner
    | WilcoxonPruner
    | ThresholdPruner,
    Field(discriminator="kind"),
    ShortForm("pruner"),
]


SearchSampler: TypeAlias = Literal["tpe", "random", "grid", "cma-es", "gp", "qmc"]
Objective: TypeAlias = Literal["score", "steps", "parameters", "train_seconds"]


@dataclass(frozen=True)
class SearchSamplerInfo:
    """What is known of a search sampler from its name.

    Attributes:
        several_objectives: Whether it can minimise more than one.
        enumerates: Whether it goes through a finite space point by point, and ends with it.
        searches_choices: Whether it searches choices; if not, it draws them at random.
        searches_branches: Whether it searches dimensions inside a branch, which not all trials
            have; if not, it draws them at random.
        random_trials: How many trials have to end before it searches; until then it draws at
            random.
        remembers: Whether what it proposes follows from what it proposed before, and not from the
            trials alone.
    """

    several_objectives: bool = True
    enumerates: bool = False
    searches_choices: bool = True
    searches_branches: bool = True
    random_trials: int = 0
    remembers: bool = False


SEARCH_SAMPLERS: Mapping[SearchSampler, SearchSamplerInfo] = {
    "tpe": SearchSamplerInfo(random_trials=10),
    "gp": SearchSamplerInfo(searches_branches=False, random_trials=10),
    "random": SearchSamplerInfo(),
    "qmc": SearchSamplerInfo(searches_branches=False, remembers=True),
    "grid": SearchSamplerInfo(enumerates=True),
    "cma-es": SearchSamplerInfo(
        several_objectives=False,
        searches_choices=False,
        searches_branches=False,
        random_trials=1,
        remembers=True,
    ),
}


class Search(Section):
    """How the search goes."""

    sampler: SearchSampler = Field(
        "tpe", description="Optuna's sampler, which proposes each trial's hyperparameters."
    )
    pruner: Pruner = Field(
        default=NonePruner(kind="none"),
        description="Optuna's pruner, by name or with settings.",
    )
    trials: int = Field(ge=1, description="How many trials to run.")
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of the search; trials' seeds follow from it."
    )
    objectives: Annotated[
        tuple[Objective, ...],
        Field(min_length=1, max_length=len(get_args(Objective)), strict=False),
    ] = Field(("score",), description="What is minimised; several make a Pareto front.")
    fail_collapsed: bool = Field(
        False,
        description="Fail a trial that ends with images that have collapsed: they hardly vary, or "
        "their recall is 0. It tells the sampler nothing then, and is not ranked.",
    )
    enqueue: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = Field(
        (), description="Starting points: values by dimension name, tried before the search's own."
    )

    @model_validator(mode="after")
    def _objectives_fit(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise Misfit(("objectives",), f"{', '.join(self.objectives)} names one twice")
        if len(self.objectives) > 1 and self.pruner.stops_trials:
            raise Misfit(
                ("pruner",),
                f"the pruner '{self.pruner.kind}' cannot stop trials by several objectives "
                f"({', '.join(self.objectives)}): use one objective, or `pruner: none`",
            )
        if len(self.objectives) > 1 and not SEARCH_SAMPLERS[self.sampler].several_objectives:
            *names, last = [n for n, info in SEARCH_SAMPLERS.items() if info.several_objectives]
            raise Misfit(
                ("sampler",),
                f"the sampler '{self.sampler}' has one objective: use {', '.join(names)} or {last}",
            )
        if "score" not in self.objectives:
            raise Misfit(("objectives",), f"{', '.join(self.objectives)} must hold `score`")
        return self
