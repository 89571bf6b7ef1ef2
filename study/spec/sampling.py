"""How a study's images are generated, with nothing left to a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.spec.samplers import IMAGE_SAMPLERS, samplers_of

if TYPE_CHECKING:
    from study.spec.model.families import Model
    from study.spec.score import Score


@dataclass(frozen=True)
class Sampling:
    """What `Family.sample` is called with.

    Attributes:
        sampler: A name; `auto` only where the family is the user's own and so is its default.
        steps: Network evaluations for each image.
        options: The sampler's own, JSON-ready.
        text: The name, with the options that are not their defaults: `ddim(eta=0.5)`.
    """

    sampler: str
    steps: int
    options: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def resolve_sampling(model: Model, score: Score) -> Sampling:
    """The sampling that a score means for a model."""
    options = score.sampler.model_dump(mode="json", exclude={"kind"})
    name: str = score.sampler.kind
    known = samplers_of(model.family)
    if name == "auto" and known:
        name = known[0]
    one_step = name in IMAGE_SAMPLERS and IMAGE_SAMPLERS[name].one_step
    steps = 1 if one_step else score.steps
    changed = score.sampler.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    return Sampling(name, steps, options, _text(name, changed))


def _text(name: str, options: dict[str, Any]) -> str:
    """A name and its options, as a call; an option that has a `kind` is a call itself."""
    arguments = []
    for key, value in options.items():
        if isinstance(value, dict):
            inner = {k: v for k, v in value.items() if k != "kind"}
            value = _text(value["kind"], inner)
        arguments.append(f"{key}={value}")
    return f"{name}({', '.join(arguments)})" if arguments else name
