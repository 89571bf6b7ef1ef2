"""The `weights:` section: a trained trial that is scored, in place of training any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section

TAKEN = ("data", "model", "train")
"""Sections that come from the trained trial and that the file leaves out."""


class Weights(Section):
    """Whose weights the trials score. They are read, never changed: nothing is trained."""

    study: str = Field(description="The study that trained them.")
    trial: int = Field(ge=0, description="The trial's number there.")
    checkpoint: str | None = Field(
        None, description="Written by fidtune: the checkpoint, relative to the storage."
    )
    digest: str | None = Field(
        None, description="Written by fidtune: the sha256 of the checkpoint, in hex."
    )

    @model_validator(mode="after")
    def _checkpoint_has_a_digest(self) -> Self:
        if (self.checkpoint is None) != (self.digest is None):
            missing, present = (
                ("checkpoint", "digest") if self.checkpoint is None else ("digest", "checkpoint")
            )
            raise Misfit((missing,), f"is missing beside `{present}`: leave out both, or neither")
        return self


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that left weights.

    Attributes:
        spec: Its plain study.
        checkpoint: Name in the storage of its last checkpoint.
        digest: sha256 of that file, in hex.
    """

    spec: Mapping[str, Any]
    checkpoint: str
    digest: str


FindTrial = Callable[[str, int], TrainedTrial]
"""Finds a trained trial by its study's name and its number; a UserError if there is none."""


def with_trained(
    tree: Mapping[str, Any], weights: Weights, find_trial: FindTrial | None
) -> Mapping[str, Any]:
    """The tree of a study file with what its `weights` stand for, complete in itself.

    What the file says of the score stands; the rest of it is the trained trial's, so that scores
    are comparable with those of its own study.

    Args:
        tree: With a `weights` section.
        weights: That section.
        find_trial: Finds the trial; None where there is no storage to look into.

    Raises:
        Misfit: The file has a section that comes with the weights, or needs a storage.
        UserError: There is no such trial, or it left no checkpoint.
    """
    if weights.checkpoint is not None:
        return tree  # this was done before
    for name in TAKEN:
        if name in tree:
            raise Misfit(
                (name,),
                f"cannot stand beside `weights`: {', '.join(TAKEN[:-1])} and {TAKEN[-1]} are those "
                "of the trained trial, and nothing is trained",
            )
    if find_trial is None:
        raise Misfit(
            ("weights",), "needs a storage to find the trained trial in: name it with --storage"
        )
    trial = find_trial(weights.study, weights.trial)
    trained_score = {key: value for key, value in trial.spec["score"].items() if key != "every"}
    score = tree.get("score", {})
    if isinstance(score, Mapping):
        if "metric" in score:
            for key in ("embedder", "also"):  # they go with the other metric
                trained_score.pop(key, None)
        score = {**trained_score, **score}
    section = {**tree["weights"], "checkpoint": trial.checkpoint, "digest": trial.digest}
    taken = {name: trial.spec[name] for name in TAKEN}
    return {**tree, "weights": section, **taken, "score": score}
