"""What trials cost, from what was measured of some networks. Knows no torch.

A trial is cut into what repeats: a batch of training, an image's sampling step, an image's
embedding, a measure. Each is a line in the number of images, so that one measurement serves every
batch size, number of steps and number of samples, however large.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.spec import Study
from study.spec.score import Score

Key = tuple[tuple[str, Any], ...]
"""What makes one cost different from another, by path."""

CHECKPOINT_BYTES_PER_SECOND = 200e6
REPORT_SECONDS = 0.03
"""Of a report to the driver and back, with its rows and its picture."""

_WITHOUT_COST = {"timesteps", "schedule", "prediction", "towards", "latent"}
"""Keys of `model:` that change what is learned and not how long it takes."""
_WEIGHT_COPIES = 4  # in a checkpoint: weights, their average, two moments of Adam
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Limits:
    """What a measurement may take.

    Attributes:
        seconds: Of one try, as far as can be foreseen.
        memory: Bytes of one try.
        threads: Of the processor.
        gpu: Whether to use one, if there is one.
    """

    seconds: float
    memory: float
    threads: int = 1
    gpu: bool = False


@dataclass(frozen=True)
class Line:
    """Seconds that grow with a number of images: `fixed + each * images`."""

    fixed: float
    each: float

    def at(self, images: float) -> float:
        """Seconds for so many images."""
        return self.fixed + self.each * images

    @classmethod
    def through(cls, points: Mapping[int, float]) -> Line:
        """The line through the measured seconds of one or two numbers of images.

        Neither part is below 0: noise would otherwise be drawn out into nonsense.
        """
        (few, low), *_ = sorted(points.items())
        *_, (many, high) = sorted(points.items())
        if many == few:
            return cls(0.0, low / few)
        each = max(0.0, (high - low) / (many - few))
        return cls(max(0.0, high - each * many), each)


@dataclass(frozen=True)
class TrainingCost:
    """What was measured of a network in training.

    Attributes:
        parameters: Of all networks together.
        batch: Seconds of a batch, by its images.
        activation_bytes: Memory that an image of a batch takes until its gradient is known.
        batches_tried: Batch sizes that were measured; other ones are reckoned from them.
        validates: Whether there is a loss on held-out images.
        complete: False where a try was given up, and all is more than said.
    """

    parameters: int
    batch: Line
    activation_bytes: float = 0.0
    batches_tried: tuple[int, ...] = ()
    validates: bool = True
    complete: bool = True

    def memory(self, batch_size: int) -> float:
        """Bytes that training takes at its peak, about."""
        weights = (_WEIGHT_COPIES + 1) * _FLOAT_BYTES * self.parameters  # and the gradient
        return weights + self.activation_bytes * batch_size

    @property
    def checkpoint_seconds(self) -> float:
        """To write a checkpoint."""
        return _WEIGHT_COPIES * _FLOAT_BYTES * self.parameters / CHECKPOINT_BYTES_PER_SECOND


@dataclass(frozen=True)
class SamplingCost:
    """What was measured of a network in sampling, for one image.

    Attributes:
        start: Seconds an image before the first step.
        step: Seconds an image and step.
        complete: As `TrainingCost.complete`.
    """

    start: float
    step: float
    complete: bool = True


@dataclass(frozen=True)
class ScoringCost:
    """What was measured of a score, but for making the images.

    Attributes:
        embedding: Seconds to embed an image.
        learning: Seconds to train the embedder, once a study; 0 of one that does not learn.
        reference: Seconds for the statistics of the real images, once a study.
        measures: Seconds of all measures, once the features are there.
        complete: As `TrainingCost.complete`.
    """

    embedding: float = 0.0
    learning: float = 0.0
    reference: float = 0.0
    measures: float = 0.0
    complete: bool = True


def training_key(spec: Study) -> Key:
    """What the seconds of a batch depend on, but for its size."""
    model = {k: v for k, v in spec.model.model_dump(mode="json").items() if k not in _WITHOUT_COST}
    train = spec.train.model_dump(
        mode="json", include={"optimizer", "precision", "compile", "augment", "l1", "l2"}
    )
    shape = spec.data.image_shape
    return (("image", shape), *_leaves(model, "model"), *_leaves(train, "train"))


def sampling_key(spec: Study) -> Key:
    """What the seconds of a sampling step depend on."""
    model = [(name, value) for name, value in training_key(spec) if not name.startswith("train")]
    sampling = spec.sampling
    return (*model, ("sampler", sampling.sampler), *_leaves(sampling.options, "sampler"))


def scoring_key(spec: Study, score: Score) -> Key:
    """What the seconds of a score depend on, but for making the images."""
    return (
        ("image", spec.data.image_shape),
        ("samples", score.samples),
        ("embedder", score.embedder_name),
        ("measures", score.measures),
        ("real", real_images(spec, score)),
    )


def real_images(spec: Study, score: Score) -> int:
    """How many real images a score compares with."""
    whole = score.against == "everything"
    return max(2, spec.data.images if whole else spec.data.held_out_images)


def distance(one: Key, other: Key) -> float:
    """How unlike two keys are: differing values, numbers counting by their ratio."""
    first, second = dict(one), dict(other)
    return sum(_unlike(first.get(name), second.get(name)) for name in first.keys() | second.keys())


def _unlike(one: Any, other: Any) -> float:
    if one == other and type(one) is type(other):
        return 0.0
    if isinstance(one, int) and isinstance(other, int) and one > 0 and other > 0:
        return min(1.0, 0.1 + abs(math.log(one / other)) / 5)
    return 1.0


def _leaves(node: Any, path: str) -> Iterable[tuple[str, Any]]:
    """Each leaf by its path; of a number with a fraction only whether it is 0, which saves work."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _leaves(value, f"{path}.{name}")
    elif isinstance(node, float):
        yield path, node != 0.0
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}.{index}")
    else:
        yield path, node


@dataclass(frozen=True)
class Costs:
    """What was measured, and what any trial costs by it. A trial takes the nearest measurement.

    Attributes:
        workers: That share a trial's batches and images.
        process_seconds: What the start of a measuring process took of a processor; a machine that
            starts these slowly starts lanes slowly.
    """

    workers: int = 1
    training: dict[Key, TrainingCost] = field(default_factory=dict)
    sampling: dict[Key, SamplingCost] = field(default_factory=dict)
    scoring: dict[Key, ScoringCost] = field(default_factory=dict)
    process_seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether everything that was tried could be measured."""
        tables = (self.training, self.sampling, self.scoring)
        return all(cost.complete for table in tables for cost in table.values())

    def training_of(self, spec: Study) -> TrainingCost:
        """What a batch costs; nothing if no training was measured, as there is none."""
        if not self.training:
            return TrainingCost(0, Line(0.0, 0.0), validates=False)
        cost: TrainingCost = _nearest(self.training, training_key(spec))
        return cost

    def sampling_of(self, spec: Study) -> SamplingCost:
        """What a sampling step costs."""
        cost: SamplingCost = _nearest(self.sampling, sampling_key(spec))
        return cost

    def scoring_of(self, spec: Study, score: Score) -> ScoringCost:
        """What a score costs, but for making the images."""
        cost: ScoringCost = _nearest(self.scoring, scoring_key(spec, score))
        return cost

    def epoch_seconds(self, spec: Study) -> float:
        """An epoch of training, and its loss on held-out images; 0 where nothing is trained."""
        if spec.weights is not None:
            return 0.0
        cost, images, size = (
            self.training_of(spec),
            spec.data.training_images,
            spec.train.batch_size,
        )
        whole, rest = divmod(images, size)
        # Workers share a batch; what does not depend on its images they all pay.
        seconds = whole * cost.batch.at(size / self.workers)
        if rest:
            seconds += cost.batch.at(rest / self.workers)
        if cost.validates:
            checked = min(spec.train.validation_images, spec.data.held_out_images)
            seconds += self.sampling_of(spec).step * checked / self.workers
        return seconds

    def score_seconds(self, spec: Study, score: Score) -> float:
        """One score: making the images, embedding them, the measures, a checkpoint, the report."""
        sampling, scoring = self.sampling_of(spec), self.scoring_of(spec, score)
        image = sampling.start + spec.sampling.steps * sampling.step + scoring.embedding
        seconds = score.samples * image / self.workers + scoring.measures + REPORT_SECONDS
        if spec.weights is None:
            seconds += self.training_of(spec).checkpoint_seconds
        return seconds

    def trial_seconds(self, spec: Study) -> tuple[float, float]:
        """A whole trial that is never pruned: training, and all of its scores."""
        epochs = 0 if spec.weights is not None else spec.train.epochs
        return (
            epochs * self.epoch_seconds(spec),
            sum(count * self.score_seconds(spec, score) for score, count in spec.score_counts),
        )

    @property
    def preparation_seconds(self) -> float:
        """What is made once, while all lanes wait: learned embedders, statistics of real images."""
        learned: dict[tuple[Any, Any], float] = {}
        reference: dict[tuple[Any, ...], float] = {}
        for key, cost in self.scoring.items():
            parts = dict(key)
            embedder = (parts["embedder"], parts["image"])
            learned[embedder] = max(learned.get(embedder, 0.0), cost.learning)
            real = (*embedder, parts["real"])
            reference[real] = max(reference.get(real, 0.0), cost.reference)
        return sum(learned.values()) + sum(reference.values())


def _nearest(table: Mapping[Key, Any], key: Key) -> Any:
    return table[key] if key in table else table[min(table, key=lambda one: distance(one, key))]
