"""A whole study, typed: the plain spec that a study file with its holes filled must be."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from study.spec.data import Data
from study.spec.finalists import Finalists
from study.spec.fit import check_fit
from study.spec.model import Model
from study.spec.sampling import Sampling, resolve_sampling
from study.spec.score import Score
from study.spec.search import Search
from study.spec.section import Section
from study.spec.train import Train
from study.spec.weights import Weights

__all__ = ["Data", "Scale", "Score", "Study", "Train"]

NAME_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}$"


class Scale(Section):
    """What a trial runs on."""

    workers_per_trial: int = Field(1, ge=1, le=1024, description="Ray Train workers in each lane.")
    cpus_per_worker: float = Field(1.0, gt=0, le=1024, description="CPU cores for each worker.")
    gpus_per_worker: float | None = Field(
        None,
        ge=0,
        le=64,
        description="GPUs for each worker; null takes one if the cluster has any.",
    )
    lanes: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Trials at a time; null takes as many as fit the cluster.",
    )

    @field_validator("gpus_per_worker")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        # Ray shares one GPU between workers, but hands out several only whole.
        if value is not None and value > 1 and not value.is_integer():
            raise ValueError(f"{value:g} must be a whole number, as it is above 1")
        return value


class Study(Section):
    """A complete, runnable configuration."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)] = Field(
        description="The study's name: letters, digits, dots, dashes and underscores."
    )
    weights: Weights | None = Field(
        None,
        description="A trained trial whose weights are scored in every trial, in place of training "
        "any; `data`, `model` and `train` are then its own, and left out.",
    )
    data: Data = Field(default_factory=lambda: Data())
    model: Model
    train: Train
    score: Score = Field(default_factory=lambda: Score())
    search: Search
    scale: Scale = Field(default_factory=lambda: Scale())
    finalists: Finalists | None = Field(
        None, description="Train the best of the search again, and score them in full."
    )

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        check_fit(self)
        return self

    @property
    def sampling(self) -> Sampling:
        """How the images are generated that this study is scored by."""
        return resolve_sampling(self.model, self.score)

    @property
    def scores(self) -> tuple[Score, ...]:
        """What is measured in a trial that runs to its end, in order."""
        return (self.score,) if self.weights else self.score.taken(self.train.epochs)

    @property
    def score_counts(self) -> tuple[tuple[Score, int], ...]:
        """What is measured in a trial that runs to its end, and how often."""
        return ((self.score, 1),) if self.weights else self.score.counted(self.train.epochs)

    @property
    def scorings(self) -> dict[str, Score]:
        """The score of the search and that of the finals, by the section that asks for them."""
        final = {} if self.finalists is None else {"finalists": self.final().score}
        return {"score": self.score, **final}

    @property
    def generated_images(self) -> int:
        """How many images a trial generates for its scores."""
        return sum(count * score.samples for score, count in self.score_counts)

    @property
    def final_sampling(self) -> Sampling:
        """How the images of a final run are generated; without finals, as all others."""
        return self.sampling if self.finalists is None else self.final().sampling

    def final(self) -> Study:
        """The study that a finalist is trained and scored by.

        Only its score is another, so that alone is validated, and what other sections ask of it.

        Raises:
            ValidationError: `finalists` asks for a score that cannot be.
            Misfit: It asks for one that does not go with the other sections.
        """
        assert self.finalists is not None
        # Scored once, at the end; a report in between is there to go on from.
        every = self.score.rungs[-1].epochs
        score = Score.model_validate({**self.finalists.score(self.score), "every": every})
        final = self.model_copy(update={"score": score, "finalists": None})
        check_fit(final)
        return final

    def trial_config(self) -> dict[str, Any]:
        """What makes a trial what it is: everything but the name, the search and the scale."""
        sections = {"data", "model", "train", "score"} | ({"weights"} if self.weights else set())
        return self.model_dump(mode="json", include=sections)

    def digest(self) -> str:
        """sha256 over the trial's configuration, in hex."""
        text = json.dumps(self.trial_config(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
