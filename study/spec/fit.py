"""What the sections of a study ask of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from study.spec.data import LeaveOneOutSplit
from study.spec.datasets import has_labels, image_count, stored_bits
from study.spec.embedder_info import embedder_info
from study.spec.finalists import Finalists
from study.spec.measure_info import MEASURES
from study.spec.model.families import DDPM, GAN, Morphing
from study.spec.model.losses import LearnedVariance
from study.spec.model.networks import UNet
from study.spec.names import nearest
from study.spec.samplers import AncestralSampler, MixtureStart, samplers_of
from study.spec.sampling import resolve_sampling
from study.spec.section import Misfit

if TYPE_CHECKING:
    from study.spec.score import Score
    from study.spec.study import Study


_NO_LABELS = "the images of data.dataset have none"


def check_fit(study: Study) -> None:
    """Check what can be known from the file alone.

    Raises:
        Misfit: Two sections do not go together.
    """
    _check_side(study)
    _check_sampler(study)
    _check_samples(study.score)
    _check_training(study)
    _check_weights(study)
    _check_finalists(study)
    if isinstance(study.data.split, LeaveOneOutSplit) and study.score.against == "held_out":
        raise Misfit(
            ("score", "against"),
            "'held_out' is a single image with the split leave_one_out, and one image has no "
            "distribution: use everything",
        )


def misfits_with_images(study: Study) -> Iterator[Misfit]:
    """What is wrong with a valid study once its data sets are looked at: there, and large enough.

    Apart from `check_fit`, so that a stored study is still read where its images are not.
    """
    data = study.data
    try:
        known = image_count(data.dataset)
    except ValueError as error:
        yield Misfit(("data", "dataset"), str(error))
        return
    if data.count is not None and data.count > known:
        yield Misfit(("data", "count"), f"{data.count} must be <= {known}, all that there are")
    if data.images < 2:
        yield Misfit(("data",), f"{data.images} image, but a split needs at least 2")
    elif data.split.kind == "k_fold" and data.split.folds > data.images:
        yield Misfit(
            ("data", "split", "folds"), f"{data.split.folds} must be <= the {data.images} images"
        )
    elif data.split.kind == "leave_one_out" and data.split.image >= data.images:
        yield Misfit(
            ("data", "split", "image"), f"{data.split.image} must be < the {data.images} images"
        )
    elif study.score.against == "held_out" and data.held_out_images < 2:
        yield Misfit(
            ("data", "split"),
            f"holds out {data.held_out_images} of {data.images} images, but a score needs at "
            "least 2: hold out more, or set score.against to everything",
        )
    else:
        yield from _misfits_with_few_images(study)
    yield from _misfits_with_levels(study)
    yield from _misfits_without_labels(study)
    train = study.train
    seen = train.epochs * data.training_images
    if train.decay != "none" and train.warmup_images >= seen:
        yield Misfit(
            ("train", "warmup_images"),
            f"{train.warmup_images} must be < the {seen} images of the whole training, "
            "for the learning rate to decay",
        )
    if isinstance(study.model, Morphing):
        yield from _misfits_with_morph_images(study, study.model)


def _misfits_with_levels(study: Study) -> Iterator[Misfit]:
    towards = study.model.towards.dataset if isinstance(study.model, Morphing) else None
    for key, dataset in {"data.dataset": study.data.dataset, "model.towards": towards}.items():
        if study.data.levels is None and dataset is not None and _has_16_bits(dataset):
            yield Misfit(
                ("data", "levels"),
                f"is missing: the array of {key} has 16 bits, and may mean another level by white "
                "than 65535 (4095 with 12 bits)",
            )


def _has_16_bits(dataset: str) -> bool:
    try:
        return stored_bits(dataset) == 16
    except ValueError:  # no images, which is a mistake of its own
        return False


def _misfits_with_few_images(study: Study) -> Iterator[Misfit]:
    """Measures that take more real images than there are; any takes two."""
    data, everything = study.data, study.score.against == "everything"
    real = data.images if everything else data.held_out_images
    training = data.training_images
    for section, score in study.scorings.items():
        for measure in score.measures:
            key = "also" if measure in score.also else "metric"
            least = MEASURES[measure].least
            if real < least.real:
                yield Misfit(
                    (section, key),
                    f"{measure} takes {least.real} or more real images to compare with, but there "
                    f"{_are(real)}{'' if everything else ' held out'}",
                )
            if training < least.training:
                yield Misfit(
                    (section, key),
                    f"{measure} takes {least.training} or more training images, but there "
                    f"{_are(training)}",
                )


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _misfits_without_labels(study: Study) -> Iterator[Misfit]:
    if has_labels(study.data.dataset):
        return
    for section, score in study.scorings.items():
        for embedder in score.embedder_names:
            if embedder_info(embedder).needs_labels:
                yield Misfit(
                    (section, "metric"), f"{embedder} learns from labels, and {_NO_LABELS}"
                )
        for measure in score.also:
            if MEASURES[measure].needs_labels:
                yield Misfit((section, "also"), f"{measure} counts labels, and {_NO_LABELS}")


def _misfits_with_morph_images(study: Study, model: Morphing) -> Iterator[Misfit]:
    towards = model.towards
    try:
        known = image_count(towards.dataset)
    except ValueError as error:
        yield Misfit(("model", "towards", "dataset"), str(error))
        return
    if towards.count is not None and towards.count > known:
        yield Misfit(
            ("model", "towards", "count"), f"{towards.count} must be <= {known}, all that there are"
        )
    finals = None if study.finalists is None else study.finalists.sampler
    for section, sampler in {"score": study.score.sampler, "finalists": finals}.items():
        start = getattr(sampler, "start", None)
        if isinstance(start, MixtureStart) and start.components > (towards.count or known):
            yield Misfit(
                (section, "sampler", "start", "components"),
                f"{start.components} must be <= the {towards.count or known} images morphed "
                "towards",
            )


def _check_side(study: Study) -> None:
    _, side, _ = study.data.image_shape
    for key, part in study.model.sized_parts():
        if side % part.downsampling:
            value = getattr(part, part.sized_by)
            shown = list(value) if isinstance(value, tuple) else value
            raise Misfit(
                ("model", key, part.sized_by),
                f"images of {side}x{side} do not go through a {key} with {part.sized_by} {shown}: "
                f"the side must be divisible by {part.downsampling}",
            )
        if isinstance(part, UNet):
            sides = [side >> level for level in range(len(part.channels))]
            for wanted in part.attention:
                if wanted not in sides:
                    raise Misfit(
                        ("model", key, "attention"),
                        f"no layer sees images of side {wanted}: from {side} and with "
                        f"{len(sides)} channels the sides are {', '.join(map(str, sides))}",
                    )


def _check_sampler(study: Study) -> None:
    model, sampler = study.model, study.score.sampler
    known = samplers_of(model.family)
    if known and sampler.kind not in ("auto", *known):
        raise Misfit(
            ("score", "sampler"),
            f"'{sampler.kind}' cannot sample the family '{model.family}', but auto, "
            f"{', '.join(known)} can{nearest(sampler.kind, known)}",
        )
    if isinstance(sampler, AncestralSampler) and sampler.variance == "learned":
        learned = isinstance(model, DDPM) and isinstance(model.variance, LearnedVariance)
        if isinstance(model, DDPM) and not learned:
            raise Misfit(
                ("score", "sampler", "variance"), "'learned' needs `model.variance: learned`"
            )
    if (
        isinstance(model, DDPM | Morphing)
        and resolve_sampling(model, study.score).steps > model.timesteps
    ):
        raise Misfit(
            ("score", "steps"),
            f"{study.score.steps} must be <= `model.timesteps` ({model.timesteps})",
        )


def _check_samples(score: Score) -> None:
    """Each measure must be given as many generated images as it takes, on every rung."""
    samples: dict[tuple[str | int, ...], Score] = {("samples",): score}
    for index, rung in enumerate(score.rungs):
        if rung.samples is not None:
            samples["every", index, "samples"] = score.on(rung)
    for path, taken in samples.items():
        for measure in taken.measures:
            least = MEASURES[measure].least.generated
            if taken.samples < least:
                raise Misfit(
                    ("score", *path),
                    f"{taken.samples} generated images are too few for {measure}, which takes "
                    f"{least} or more",
                )


def _check_weights(study: Study) -> None:
    if study.weights is None:
        return
    if study.finalists is not None:
        raise Misfit(
            ("finalists",),
            "cannot stand beside `weights`: finalists are trained again, and nothing is trained",
        )
    if study.score.every != 1:
        raise Misfit(
            ("score", "every"),
            "cannot stand beside `weights`: nothing is trained, and a trial is scored once",
        )


def _check_finalists(study: Study) -> None:
    """The score of the finals must be one that the study could have asked for itself."""
    finalists = study.finalists
    if finalists is None:
        return
    try:
        study.final()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        cause = problem.get("ctx", {}).get("error")
        where = (*problem["loc"], *getattr(cause, "path", ()))
        rule = str(cause or problem["msg"])
    except Misfit as misfit:
        where, rule = misfit.path, str(misfit)
    else:
        return
    # Where the search's own setting is what does not fit, the finals can have another.
    key = next((step for step in where if step in Finalists.model_fields), None)
    raise Misfit(("finalists",) if key is None else ("finalists", str(key)), rule)


def _check_training(study: Study) -> None:
    if study.train.early_stopping is None:
        return
    if isinstance(study.model, GAN):
        raise Misfit(
            ("train", "early_stopping"),
            "needs a validation loss, and a GAN has none: its loss says who is winning",
        )
    if study.train.validation_images == 0:
        raise Misfit(
            ("train", "early_stopping"), "needs a validation loss: `validation_images` is 0"
        )
