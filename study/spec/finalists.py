"""The `finalists:` section: the best of the search, trained again and scored in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from study.spec.names import METRICS
from study.spec.samplers import Sampler
from study.spec.section import Section

if TYPE_CHECKING:
    from study.spec.score import Score


class Finalists(Section):
    """How the best of the search are judged once it is over: with fresh seeds, on more images."""

    top: int = Field(5, ge=1, le=1000, description="How many of the search's best take part.")
    training_seeds: int = Field(
        3,
        ge=1,
        le=100,
        description="Trainings for each finalist on average: two for all, then where the order is "
        "still open.",
    )
    sampling_seeds: int = Field(
        2, ge=1, le=100, description="Scores of each training, each of images of its own."
    )
    samples: int | None = Field(
        None, ge=2, le=1_000_000, description="Generated images; null takes score.samples."
    )
    sampler: Sampler | None = Field(None, description="As score.sampler; null takes that one.")
    steps: int | None = Field(None, ge=1, le=4000, description="Null takes score.steps.")
    metric: str | None = Field(
        None, description=f"One of {', '.join(METRICS)}; null takes score.metric."
    )
    embedder: str | None = Field(
        None,
        description="As score.embedder, of `metric: fd`; null takes that one, if the metric is the "
        "search's.",
    )
    also: Annotated[tuple[str, ...] | None, Field(strict=False)] = Field(
        None, description="Measured beside it; null takes score.also."
    )

    @property
    def runs(self) -> int:
        """How many trainings there are in all, at most."""
        return self.top * self.training_seeds

    def overrides(self, dimension: str) -> bool:
        """Whether a final run takes another value than the one that the search chose there."""
        path = dimension.split(".")
        return path[0] == "score" and getattr(self, path[1], None) is not None

    def score(self, search: Score) -> dict[str, Any]:
        """The `score:` section of a final run, as plain values to be validated.

        Args:
            search: The one that the search is scored by.
        """
        changes = self.model_dump(
            mode="json",
            include={"samples", "sampler", "steps", "metric", "embedder", "also"},
            exclude_none=True,
        )
        if self.metric not in (None, search.metric):
            changes["embedder"] = self.embedder
        return {**search.model_dump(mode="json"), **changes}
