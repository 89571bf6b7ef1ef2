"""The one training loop, for every family.

The loop is a generator: it yields after each batch, so that stopping, logging, evaluating and
checkpoints live with the caller. Its randomness is a function of the seed, the epoch and the batch,
so a checkpoint needs no random state: the weights, the optimizer and three counters restore a run
after any batch.

With several workers each one holds all images and the same weights, and takes its share of each
batch. Order, timesteps and noise are drawn for the whole batch and then cut, and losses are scaled
so that the mean of the workers' gradients, which is what DistributedDataParallel takes, is the
gradient of the whole batch's mean loss. So the number of workers changes the speed and, but for
rounding, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from models.divergence import GradientWatch
from models.ema import WeightAverage
from models.family import Family
from models.images import to_float
from models.seeding import derive_seed

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = MappingProxyType(
    {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
)
"""The optimizers by name."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        batch_size: Images in a batch, over all workers.
        learning_rate: The optimizer's.
        seed: Chooses the order of the images and the draws of the family.
        optimizer: A name in `OPTIMIZERS`.
        weight_decay: The optimizer's.
        clip_norm: Scale the gradient down to this norm where it is longer; None leaves it as it is.
        ema_half_life: Of the weight average, in images seen.
        ema_ramp: The half-life's upper bound, as a share of the images seen.
    """

    batch_size: int
    learning_rate: float
    seed: int
    optimizer: str = "adam"
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    ema_half_life: float = 2_000.0
    ema_ramp: float = 0.05

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If one is unknown or out of its range.
        """
        if self.batch_size < 1:
            raise ValueError(f"The value of `batch_size` is {self.batch_size}, but must be >= 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"The value of `learning_rate` is {self.learning_rate}, but must be > 0"
            )
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ValueError(
                f"The value of `optimizer` is {self.optimizer!r}, but must be one of {known}"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"The value of `weight_decay` is {self.weight_decay}, but must be >= 0"
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(
                f"The value of `clip_norm` is {self.clip_norm}, but must be > 0, or none"
            )
        if not self.ema_half_life >= 0:
            raise ValueError(
                f"The value of `ema_half_life` is {self.ema_half_life}, but must be >= 0"
            )
        if not self.ema_ramp > 0:
            raise ValueError(f"The value of `ema_ramp` is {self.ema_ramp}, but must be > 0")


@dataclass(frozen=True, eq=False)
class Step:
    """What is known after a batch.

    Attributes:
        epoch: Of the batch, from 0.
        batch: Its index in the epoch, from 0.
        batches: How many batches the epoch has.
        images_seen: By all workers, since the start of the run, this batch included.
        loss: This worker's loss, a detached scalar still on the device. Its mean over the workers
            is the mean over the batch's images.
    """

    epoch: int
    batch: int
    batches: int
    images_seen: int
    loss: Tensor

    @property
    def last(self) -> bool:
        """Whether the epoch ends here."""
        return self.batch + 1 == self.batches


class TrainingState:
    """All that training changes: weights, their average, optimizer, and how far it has come.

    Args:
        family: What to train, on its device already. Trained in place.
        options: How to train it.

    Attributes:
        parameters: The weights that are trained.
        average: Their average.
        watch: Sees the gradient diverge.
        epoch: The epoch of the next batch, from 0.
        batch: The next batch in that epoch, from 0.
        images_seen: By all workers, since the start of the run.
    """

    def __init__(self, family: Family, options: TrainingOptions) -> None:
        """Make the optimizer and the average, at the start of the first epoch."""
        self.family = family
        self.options = options
        self.average = WeightAverage(family, options.ema_half_life, options.ema_ramp)
        self.parameters = [p for p in family.parameters() if p.requires_grad]
        self.optimizer = OPTIMIZERS[options.optimizer](
            self.parameters, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        self.epoch = 0
        self.batch = 0
        self.images_seen = 0
        self.watch = GradientWatch()

    @property
    def ema(self) -> Family:
        """The family with averaged weights, in evaluation mode: what to take samples from."""
        return self.average.family

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, in plain tensors, numbers and strings.

        `torch.load(weights_only=True)` reads it. The tensors are the live ones: save or copy them
        before training on.

        Raises:
            Diverged: If a batch since the last look diverged: no checkpoint holds such weights.
        """
        self.watch.check()
        return {
            "family": self.family.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "images_seen": self.images_seen,
            "batch_size": self.options.batch_size,
            "seed": self.options.seed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called.

        Args:
            state: What it returned.

        Raises:
            ValueError: If it comes from a run with another batch size or seed, whose batches these
                are not.
        """
        for name in ("batch_size", "seed"):
            mine = getattr(self.options, name)
            if state[name] != mine:
                raise ValueError(
                    f"The value of `{name}` is {mine}, but must be {state[name]}, the checkpoint's"
                )
        self.family.load_state_dict(state["family"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]
        self.batch = state["batch"]
        self.images_seen = state["images_seen"]
        self.watch = GradientWatch()


def train(
    state: TrainingState,
    images: Tensor,
    *,
    epochs: int,
    losses: Callable[..., Tensor] | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Step]:
    """Train until `epochs` epochs are complete, from wherever `state` stands.

    Arguments, steps and errors are those of `train_epoch`.
    """
    while state.epoch < epochs:
        yield from train_epoch(state, images, losses=losses, rank=rank, world=world)


def train_epoch(
    state: TrainingState,
    images: Tensor,
    *,
    losses: Callable[..., Tensor] | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Step]:
    """Train to the end of the current epoch.

    When a step is yielded, `state` already stands at the next batch: a caller may save it, and
    never come back.

    Args:
        state: Where training stands; changed in place.
        images: All training images, [N, C, H, W] uint8, on the family's device. The same ones on
            every worker.
        losses: What to call in place of the family: `DistributedDataParallel(state.family)`, for
            several workers.
        rank: This worker's index, 0 .. world-1.
        world: How many workers share each batch.

    Yields:
        A `Step` after each batch: as many on every worker, even if the last batch has no image for
        some.

    Raises:
        Diverged: If the gradient becomes infinite or not a number. On an accelerator up to 50
            batches later, or at the epoch's end, so as not to wait for the device each time.
        ValueError: If the images are not of the family's shape, or the rank is out of range.
    """
    _check(state.family, images, rank, world)
    options = state.options
    losses = losses or state.family
    state.family.train()
    order = _order(len(images), options.seed, state.epoch).to(images.device)  # [N]
    batches = torch.split(order, options.batch_size)
    for batch in range(state.batch, len(batches)):
        epoch, indices = state.epoch, batches[batch]
        count = len(indices)
        generator = Generator(images.device)
        generator.manual_seed(derive_seed(options.seed, "draws", epoch, batch))
        draws = state.family.draw(count, generator)
        share = slice(count * rank // world, count * (rank + 1) // world)
        weight = world / count
        if share.start == share.stop:  # no image left here, but the others wait for a gradient
            share, weight = slice(0, 1), 0.0
        x0 = to_float(images[indices[share]])  # [B, C, H, W]
        loss = weight * losses(x0, *(draw[share] for draw in draws)).sum()

        state.optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in state.parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        state.watch.note(epoch, batch, norm)  # before the weights take the gradient in
        if options.clip_norm is not None:
            clip_grads_with_norm_(state.parameters, options.clip_norm, norm)
        state.optimizer.step()
        state.images_seen += count
        state.average.update(count, state.images_seen)

        state.batch = batch + 1
        if state.batch == len(batches):
            state.watch.check()
            state.epoch, state.batch = epoch + 1, 0
        yield Step(epoch, batch, len(batches), state.images_seen, loss.detach())


def _order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch's images, [count]; drawn on the CPU: the same on every device."""
    generator = Generator()
    generator.manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def _check(family: Family, images: Tensor, rank: int, world: int) -> None:
    if (
        images.dtype != torch.uint8
        or len(images) == 0
        or tuple(images.shape[1:]) != family.image_shape
    ):
        wanted = ", ".join(map(str, family.image_shape))
        raise ValueError(
            f"The images are {list(images.shape)} {images.dtype}, "
            f"but must be [N, {wanted}] torch.uint8, with N >= 1"
        )
    if not 0 <= rank < world:
        raise ValueError(f"The value of `rank` is {rank}, but must be in 0 .. {world - 1}")
