"""What a model learns by: losses, their weights over time, penalties."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from study.spec.section import Section
from study.spec.short_form import ShortForm


class MSELoss(Section):
    """Mean squared error."""

    kind: Literal["mse"]


class L1Loss(Section):
    """Mean absolute error."""

    kind: Literal["l1"]


class HuberLoss(Section):
    """Squared up to `delta`, linear beyond (Huber 1964)."""

    kind: Literal["huber"]
    delta: float = Field(1.0, gt=0, le=100, description="Where the square ends.")


Loss = Annotated[MSELoss | L1Loss | HuberLoss, Field(discriminator="kind"), ShortForm("loss")]


class UniformWeighting(Section):
    """Every timestep counts the same."""

    kind: Literal["uniform"]


class MinSNRWeighting(Section):
    """Signal-to-noise ratios count up to `gamma` (Hang et al. 2023)."""

    kind: Literal["min_snr"]
    gamma: float = Field(5.0, gt=0, le=1000, description="Where the ratio is cut.")


Weighting = Annotated[
    UniformWeighting | MinSNRWeighting, Field(discriminator="kind"), ShortForm("weighting")
]


class FixedVariance(Section):
    """The reverse process's variance follows from the schedule."""

    kind: Literal["fixed"]


class LearnedVariance(Section):
    """The network predicts the variance too (Nichol & Dhariwal 2021, eq. 15 and 16)."""

    kind: Literal["learned"]
    weight: float = Field(0.001, gt=0, le=1, description="Lambda: weight of the bound's terms.")


Variance = Annotated[
    FixedVariance | LearnedVariance, Field(discriminator="kind"), ShortForm("variance")
]


class NoPenalty(Section):
    """The discriminator is free."""

    kind: Literal["none"]


class ClipPenalty(Section):
    """The critic's weights are clipped after each of its updates (Arjovsky et al. 2017)."""

    kind: Literal["clip"]
    limit: float = Field(0.01, gt=0, le=10, description="Greatest absolute value of a weight.")


class GradientPenalty(Section):
    """The critic's gradient is drawn to length 1 (Gulrajani et al. 2017)."""

    kind: Literal["gradient"]
    weight: float = Field(10.0, gt=0, le=1000, description="Lambda of the paper.")


Penalty = Annotated[
    NoPenalty | ClipPenalty | GradientPenalty, Field(discriminator="kind"), ShortForm("penalty")
]
