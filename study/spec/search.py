"""The `search:` section: how trials are proposed, and when they are stopped early."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from study.spec.names import OBJECTIVES
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


class NonePruner(Section):
    """Every trial runs to its end."""

    kind: Literal["none"]


class AshaPruner(Section):
    """Asynchronous successive halving (Li et al. 2020): at each rung the best 1/factor go on."""

    kind: Literal["asha"]
    min_epochs: MinEpochs = 1
    reduction_factor: ReductionFactor = 3
    early_stopping_rate: int = Field(0, ge=0, description="Rungs left out at the start.")


class HyperbandPruner(Section):
    """Several successive halvings, from eager to patient (Li et al. 2018)."""

    kind: Literal["hyperband"]
    min_epochs: MinEpochs = 1
    reduction_factor: ReductionFactor = 3


class MedianPruner(Section):
    """Stop a trial whose best report is worse than the median of the others' at that epoch."""

    kind: Literal["median"]
    startup_trials: StartupTrials = 5
    warmup_epochs: WarmupEpochs = 0


class PercentilePruner(Section):
    """Stop a trial outside the best percentile of the others at that epoch."""

    kind: Literal["percentile"]
    percentile: float = Field(25.0, gt=0, le=100, description="Percent of trials that go on.")
    startup_trials: StartupTrials = 5
    warmup_epochs: WarmupEpochs = 0


class PatientPruner(Section):
    """Stop a trial that has not improved for some reports."""

    kind: Literal["patient"]
    patience: int = Field(2, ge=0, description="Reports without improvement that are borne.")
    min_delta: float = Field(0.0, ge=0, description="Improvements smaller than this do not count.")


class WilcoxonPruner(Section):
    """Stop a trial significantly worse than the best one (signed-rank test over epochs)."""

    kind: Literal["wilcoxon"]
    p_threshold: float = Field(0.1, gt=0, lt=1, description="Significance below which it stops.")
    startup_epochs: int = Field(2, ge=0, description="Reports before the test is first made.")


class ThresholdPruner(Section):
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


class Search(Section):
    """How the search goes."""

    sampler: Literal["tpe", "random", "grid", "cma-es", "gp", "qmc"] = Field(
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
        tuple[Literal["score", "steps", "parameters", "train_seconds"], ...],
        Field(min_length=1, max_length=len(OBJECTIVES), strict=False),
    ] = Field(("score",), description="What is minimised; several make a Pareto front.")
    enqueue: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = Field(
        (), description="Starting points: values by dimension name, tried before the search's own."
    )

    @model_validator(mode="after")
    def _objectives_fit(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise Misfit(("objectives",), f"{', '.join(self.objectives)} names one twice")
        if len(self.objectives) > 1 and self.pruner.kind != "none":
            raise Misfit(
                ("pruner",),
                f"the pruner '{self.pruner.kind}' cannot stop trials by several objectives "
                f"({', '.join(self.objectives)}): use one objective, or `pruner: none`",
            )
        if len(self.objectives) > 1 and self.sampler == "cma-es":
            raise Misfit(
                ("sampler",),
                "the sampler 'cma-es' has one objective: use tpe, gp, random, qmc or grid",
            )
        if "score" not in self.objectives:
            raise Misfit(("objectives",), f"{', '.join(self.objectives)} must hold `score`")
        return self
