"""The one training loop, for every family.

The loop is a generator: it yields after each batch, so that stopping, logging, evaluating and
checkpoints live with the caller. Its randomness is a function of the seed, the epoch and the batch,
so a checkpoint needs no random state: the weights, the optimizers and three counters restore a run
after any batch.

With several workers each one holds all images and the same weights, and takes its share of each
batch. Order, timesteps and noise are drawn for the whole batch and then cut, and losses are scaled
so that the mean of the workers' gradients is the gradient of the whole batch's mean loss. So the
number of workers changes the speed and, but for rounding, nothing else. (A loss that looks at
several images at once, as batch normalisation and the unrolled GAN do, sees its worker's share;
dropout is each worker's own.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from models.family import Augment, Family, as_they_are
from models.images import to_float
from models.optimizers import add_penalty_gradients
from models.precision import in_precision, tf32_as
from models.seeding import derive_seed
from models.training_state import TrainingState

Average = Callable[[list[Tensor]], None]
"""Replaces tensors, in place, by their means over all workers."""


@dataclass(frozen=True, eq=False)
class Step:
    """What is known after a batch.

    Attributes:
        epoch: Of the batch, from 0.
        batch: Its index in the epoch, from 0.
        batches: How many batches the epoch has.
        images_seen: By all workers, since the start of the run, this batch included.
        losses: This worker's loss in each phase that the batch had, detached scalars still on the
            device. Their means over the workers are the means over the batch's images.
    """

    epoch: int
    batch: int
    batches: int
    images_seen: int
    losses: dict[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """The loss of the batch's last phase."""
        return self.losses[next(reversed(self.losses.keys()))]

    @property
    def last(self) -> bool:
        """Whether the epoch ends here."""
        return self.batch + 1 == self.batches


def train(
    state: TrainingState,
    images: Tensor,
    *,
    epochs: int,
    average: Average | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Step]:
    """Train until `epochs` epochs are complete, from wherever `state` stands.

    Arguments, steps and errors are those of `train_epoch`.
    """
    while state.epoch < epochs:
        yield from train_epoch(state, images, average=average, rank=rank, world=world)


def train_epoch(
    state: TrainingState,
    images: Tensor,
    *,
    average: Average | None = None,
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
        average: Takes the means over the workers, of gradients and statistics; for several workers.
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
    state.family.train()
    order = _order(len(images), options.seed, state.epoch).to(images.device)  # [N]
    batches = torch.split(order, options.batch_size)
    for batch in range(state.batch, len(batches)):
        epoch, indices = state.epoch, batches[batch]
        count = len(indices)
        share = slice(count * rank // world, count * (rank + 1) // world)
        weight = world / count
        if share.start == share.stop:  # no image left here, but the others wait for a gradient
            share, weight = slice(0, 1), 0.0
        x0 = to_float(images[indices[share]])  # [B, C, H, W]
        generator = Generator(images.device)
        generator.manual_seed(derive_seed(options.seed, "draws", epoch, batch))
        augment = _augmentation(state, count, share, images.device)
        rate = options.rate_at(state.images_seen)
        losses = {}
        for phase in state.family.phases(epoch * len(batches) + batch):
            draws = [draw[share] for draw in state.family.draw(count, generator, phase)]
            with in_precision(options.precision, images.device), _dropout(state, rank, phase):
                per_image = state.family.losses(x0, *draws, phase=phase, augment=augment)  # [B]
            loss = weight * per_image.sum()
            with tf32_as(options.precision, images.device):
                _update(state, phase, loss, rate, average)
            losses[phase] = loss.detach()
        if average is not None and state.buffers:
            average(state.buffers)  # those of players whose turn it was not move as well
        state.images_seen += count
        state.average.update(count, state.images_seen)

        state.batch = batch + 1
        if state.batch == len(batches):
            state.watch.check()
            state.epoch, state.batch = epoch + 1, 0
        yield Step(epoch, batch, len(batches), state.images_seen, losses)


@contextmanager
def _dropout(state: TrainingState, rank: int, phase: str) -> Iterator[None]:
    """Seed the one thing that draws from torch's own random state, and put that state back."""
    seed = derive_seed(state.options.seed, "dropout", state.epoch, state.batch, phase, rank)
    device = state.family.device
    # By the device's own generator: torch.random.fork_rng takes a quarter of a millisecond a batch.
    generators = torch.cuda.default_generators if device.type == "cuda" else ()
    generator = generators[device.index or 0] if generators else torch.default_generator
    before = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(before)


def _update(
    state: TrainingState, phase: str, loss: Tensor, rate: float, average: Average | None
) -> None:
    """Move the weights of the phase's player, and no others."""
    options, player = state.options, state.players[phase]
    player.optimizer.zero_grad()
    # Other players' weights get no gradient.
    torch.autograd.backward(loss, inputs=player.parameters)
    pairs = [(p.detach(), p.grad) for p in player.parameters if p.grad is not None]
    gradients = [gradient for _, gradient in pairs]
    if average is not None:
        average(gradients)
    if options.l1 or options.l2:
        add_penalty_gradients([w for w, _ in pairs], gradients, options.l1, options.l2)
    norm = get_total_norm(gradients)
    # before the weights take the gradient in
    state.watch.note(state.epoch, state.batch, norm)
    if options.clip_norm is not None:
        clip_grads_with_norm_(player.parameters, options.clip_norm, norm)
    for group in player.optimizer.param_groups:
        group["lr"] = rate * player.rate
    player.optimizer.step()
    state.family.after_update(phase)


def _augmentation(state: TrainingState, count: int, share: slice, device: torch.device) -> Augment:
    """The batch's augmentation, drawn for the whole batch; this worker's part of it."""
    augmentation = state.options.augmentation
    if augmentation.is_identity:
        return as_they_are
    generator = Generator(device)
    generator.manual_seed(derive_seed(state.options.seed, "augment", state.epoch, state.batch))
    numbers = augmentation.draw(count, generator)[share]  # [B, K]
    return lambda x: augmentation.apply(x, numbers)


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
