"""The `score:` section: what is measured, when, and of how many images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from study.spec.embedder_info import EMBEDDERS
from study.spec.measure_info import MEASURES
from study.spec.names import METRICS, is_import_path, metric_name, nearest
from study.spec.samplers import AutoSampler, Sampler
from study.spec.section import Misfit, Section


class Rung(Section):
    """How often a trial is scored, and by what, up to some epoch."""

    until: int | None = Field(
        None, ge=1, description="Up to and with this epoch; null in the last rung: to the end."
    )
    epochs: int = Field(1, ge=1, description="Score every so many epochs.")
    samples: int | None = Field(
        None, ge=2, le=1_000_000, description="Generated images; null takes score.samples."
    )
    metric: str | None = Field(
        None, description="A cheaper metric, as sliced_wasserstein; null takes score.metric."
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str | None) -> str | None:
        return value if value is None else _known("metric", value, METRICS)


class Score(Section):
    """How a trial's images are compared with real ones."""

    metric: str = Field("fd_vae", description=f"One of {', '.join(METRICS)}; lower is better.")
    embedder: str | None = Field(
        None,
        description="What `metric: fd` is a distance in: "
        f"{', '.join(e for e in EMBEDDERS if metric_name('fd', e) not in METRICS)}, or the import "
        "path of a module (package.module:Name). Other metrics name theirs.",
    )
    also: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description=f"Measured beside it, from the same features: {', '.join(MEASURES)}."
    )
    samples: int = Field(1000, ge=2, le=1_000_000, description="Generated images in a score.")
    sampler: Sampler = Field(
        default=AutoSampler(kind="auto"),
        description="How images are generated, by name or with settings; auto is the family's own.",
    )
    steps: int = Field(
        50,
        ge=1,
        le=4000,
        description="Network evaluations for each image; a GAN and one_shot take one.",
    )
    every: Annotated[
        Annotated[int, Field(ge=1), Tag("number")]
        | Annotated[tuple[Rung, ...], Field(strict=False), Tag("rungs")],
        Discriminator(lambda value: "rungs" if isinstance(value, list | tuple) else "number"),
    ] = Field(
        1,
        description="Score every so many epochs, and at the end; or a list of rungs, the early "
        "ones with fewer images or a cheaper metric. Pruning compares scores of one rung only.",
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of the generated images and the embedder."
    )
    against: Literal["held_out", "everything"] = Field(
        "held_out",
        description="The real images that are compared with, and that the embedder learns from: "
        "those held out (and those trained on), or all of them, whatever the split.",
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        return _known("metric", value, METRICS)

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str | None) -> str | None:
        if value is None or is_import_path(value):
            return value
        return _known("embedder", value, EMBEDDERS)

    @field_validator("also")
    @classmethod
    def _known_measures(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            _known("measure", name, MEASURES)
        if len(set(value)) < len(value):
            raise ValueError(f"{', '.join(value)} names one twice")
        return value

    @field_validator("every")
    @classmethod
    def _rungs_go_up(cls, value: int | tuple[Rung, ...]) -> int | tuple[Rung, ...]:
        if isinstance(value, int):
            return value
        if not value:
            raise ValueError("the list of rungs is empty, but must have one or more")
        ends = [rung.until for rung in value]
        if ends[-1] is not None or None in ends[:-1]:
            raise ValueError("`until` must be given for every rung but the last")
        known = [end for end in ends if end is not None]
        if any(low >= high for low, high in itertools.pairwise(known)):
            raise ValueError(f"`until` is {', '.join(map(str, known))}, but must rise")
        return value

    @model_validator(mode="after")
    def _embedder_fits(self) -> Self:
        fixed = METRICS[self.metric][1]
        if fixed is None:
            if self.embedder is None:
                raise Misfit(
                    ("embedder",), "`metric: fd` needs an embedder, by name or import path"
                )
            named = metric_name("fd", self.embedder)
            if named in METRICS:
                raise Misfit(
                    ("embedder",), f"with '{self.embedder}' the metric is called {named}: say so"
                )
        elif self.embedder not in (None, fixed):
            raise Misfit(
                ("embedder",), f"'{self.embedder}' must be '{fixed}', which {self.metric} means"
            )
        measure = METRICS[self.metric][0]
        if measure in self.also:
            raise Misfit(("also",), f"{measure} is what {self.metric} measures already")
        return self

    @model_validator(mode="after")
    def _rungs_name_their_metric(self) -> Self:
        for index, rung in enumerate(self.rungs):
            if rung.metric == "fd" and self.metric != "fd":
                raise Misfit(
                    ("every", index, "metric"), "fd can stand here only if score.metric is fd"
                )
            if rung.samples is not None and rung.samples > self.samples:
                raise Misfit(
                    ("every", index, "samples"),
                    f"{rung.samples} must be <= score.samples ({self.samples})",
                )
        return self

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """How often, and by what, in order of epochs; the last one goes to the end."""
        return (Rung(epochs=self.every),) if isinstance(self.every, int) else self.every

    def rung(self, epoch: int) -> Rung:
        """The rung that an epoch (from 1) belongs to."""
        return next(r for r in self.rungs if r.until is None or epoch <= r.until)

    def scores_at(self, epoch: int) -> bool:
        """Whether a trial is scored after an epoch that is not its last."""
        rung = self.rung(epoch)
        before = [r.until for r in self.rungs if r.until is not None and r.until < epoch]
        # Counted from where the rung begins; its last epoch is always scored.
        return (epoch - max(before, default=0)) % rung.epochs == 0 or epoch == rung.until

    def at(self, epoch: int, *, last: bool) -> Score:
        """What is measured after an epoch; after a trial's last one, all there is to measure."""
        if last:
            return self
        return self.on(self.rung(epoch))

    def on(self, rung: Rung) -> Score:
        """What is measured on a rung."""
        changes: dict[str, object] = {"samples": rung.samples or self.samples}
        if rung.metric is not None and rung.metric != self.metric:
            changes |= {"metric": rung.metric, "embedder": None, "also": ()}
        return self.model_copy(update=changes)

    def is_full(self, epoch: int) -> bool:
        """Whether a score after an epoch is measured as a trial's last one is."""
        now = self.at(epoch, last=False)
        return (now.metric, now.samples) == (self.metric, self.samples)

    def taken(self, epochs: int) -> tuple[Score, ...]:
        """What is measured in a trial of so many epochs, in order."""
        scored = [e for e in range(1, epochs + 1) if e == epochs or self.scores_at(e)]
        return tuple(self.at(e, last=e == epochs) for e in scored)

    def counted(self, epochs: int) -> tuple[tuple[Score, int], ...]:
        """What is measured in a trial of so many epochs and how often, without going through them.

        The same as `taken`, counted, for trials of a hundred thousand epochs.
        """
        counts: list[tuple[Score, int]] = []
        begin = 0
        for rung in self.rungs:
            end = epochs if rung.until is None else min(rung.until, epochs)
            scored = (end - begin) // rung.epochs
            if end == rung.until and (end - begin) % rung.epochs:
                scored += 1  # the last epoch of a rung is always scored
            if end == epochs and self.scores_at(epochs):
                scored -= 1  # the trial's last epoch, which is scored in full
            counts.append((self.on(rung), scored))
            begin = end
            if end == epochs:
                break
        return (*((score, count) for score, count in counts if count), (self, 1))

    @property
    def embedder_name(self) -> str:
        """The embedder of the metric."""
        return METRICS[self.metric][1] or self.embedder or ""

    @property
    def embedder_names(self) -> tuple[str, ...]:
        """The embedders of all rungs and of the full score, each once."""
        names = [self.on(rung).embedder_name for rung in self.rungs]
        return tuple(dict.fromkeys([*names, self.embedder_name]))

    @property
    def measures(self) -> tuple[str, ...]:
        """All that is measured, the metric's own measure first."""
        return (METRICS[self.metric][0], *self.also)

    @property
    def metric_name(self) -> str:
        """The metric as score rows name it: of `fd`, with its embedder."""
        return metric_name(METRICS[self.metric][0], self.embedder_name)


def _known(what: str, value: str, known: Iterable[str]) -> str:
    if value not in known:
        listed = ", ".join(known)
        raise ValueError(f"unknown {what} '{value}': known are {listed}{nearest(value, known)}")
    return value
