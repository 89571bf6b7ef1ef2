"""A small classifier trained on the study's own labelled images as embedder.

Features that tell the classes apart see what a picture shows, where a VAE's see how it looks. The
network is that of LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition",
section II.B, with more channels, maximum pooling and rectification.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.data import ImageSet
from study.scoring.deterministic_training import reproducible
from study.scoring.embedders.base import Embedder, EmbedderRequest, image_shape
from study.scoring.embedders.learned import LearnedEmbedder, Learner, learn_or_fetch
from study.spec.errors import UserError

VERSION = 1
"""Goes up when the network or its training changes, so that no old weights pass for new ones."""

DIM = 84

_SMALLEST_SIDE = 8
_SIDE = 32  # of the original; larger images are averaged down to it


@dataclass(frozen=True)
class Training:
    """How long and how fast to train. Counted in steps, so that a larger set takes no longer."""

    steps: int = 400
    batch_size: int = 128
    learning_rate: float = 2e-3


class LeNet(nn.Module):
    """Classifier of images of one shape.

    Args:
        shape: (C, H, W), with H and W at least 8.
        classes: How many there are.

    Raises:
        UserError: If the images are too small.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        """Build the network with random weights, drawn from torch's global generator."""
        super().__init__()
        channels, height, width = shape
        if min(height, width) < _SMALLEST_SIDE:
            raise UserError(
                f"The embedder `lenet` was given images of {height}x{width}, "
                f"but takes sides of {_SMALLEST_SIDE} or more"
            )
        self.side = (min(height, _SIDE), min(width, _SIDE))
        hidden = 32 * (self.side[0] // 4) * (self.side[1] // 4)
        # The last layer before the classes is taken as it is, before it is rectified: nearer to
        # normal, as the Fréchet distance would have it.
        self.features = nn.Sequential(
            OrderedDict(
                conv_1=nn.Conv2d(channels, 16, 5, padding=2),
                relu_1=nn.ReLU(),
                pool_1=nn.MaxPool2d(2),
                conv_2=nn.Conv2d(16, 32, 5, padding=2),
                relu_2=nn.ReLU(),
                pool_2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                linear_1=nn.Linear(hidden, 120),
                relu_3=nn.ReLU(),
                linear_2=nn.Linear(120, DIM),
            )
        )
        self.classify = nn.Linear(DIM, classes)

    def embed(self, images: Tensor) -> Tensor:
        """The features, [B, 84]; images uint8 in 0..255, [B, C, H, W]."""
        x = images.float() / 127.5 - 1
        if x.shape[2:] != self.side:
            x = functional.adaptive_avg_pool2d(x, self.side)
        features: Tensor = self.features(x)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """The logits, [B, classes]; images uint8 in 0..255, [B, C, H, W]."""
        logits: Tensor = self.classify(self.embed(images).relu())
        return logits


def train_lenet(
    images: Tensor, labels: Tensor, *, seed: int, training: Training | None = None
) -> LeNet:
    """Train on the CPU, in one thread: the same images, labels and seed give the same bits.

    That holds for one kind of processor and one release of torch. The global random state, and the
    number of threads, are left as they were.

    Args:
        images: uint8 in 0..255, [N, C, H, W].
        labels: Of two classes or more, [N], by any numbers.
        seed: Decides the first weights and the batches.
        training: How long and how fast; by default, what `fd_lenet` is defined by.

    Raises:
        UserError: If there are fewer than two classes, or the images are too small.
    """
    training = training or Training()
    names, targets = torch.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise UserError(
            "The embedder `lenet` learns to tell classes apart, "
            f"but the labels name {len(names)}; it takes 2 or more"
        )
    _, channels, height, width = images.shape
    with reproducible(seed):
        model = LeNet((channels, height, width), len(names))
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.Adam(model.parameters(), training.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, total_steps=training.steps
        )
        for _ in range(training.steps):
            batch = torch.randint(len(images), (training.batch_size,), generator=generator)
            loss = functional.cross_entropy(model(images[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)


class LeNetEmbedder(LearnedEmbedder):
    """The last layer but one of a classifier."""

    def __init__(self, model: LeNet, shape: tuple[int, int, int], device: torch.device) -> None:
        """Embed images of `shape`, (C, H, W), the shape that `model` was trained on."""
        super().__init__("lenet", VERSION, model, model.embed, DIM, shape, device)


def make_lenet(request: EmbedderRequest) -> Embedder:
    """Train the classifier, or fetch it. Its key says all that the training depends on."""
    train = request.required_train()
    if train.labels is None:
        raise UserError(
            f"The embedder `lenet` learns from labels, but the images of `{train.name}` have none"
        )
    shape, labels = image_shape(train), torch.tensor(train.labels)
    classes = len(torch.unique(labels))
    model = learn_or_fetch(
        request,
        f"lenet/{VERSION} {Training()} {train.digest} seed={request.seed}",
        empty=lambda: LeNet(shape, classes),
        learn=lambda: train_lenet(train.tensor(), labels, seed=request.seed),
    )
    return LeNetEmbedder(model, shape, request.device)


def _learn_briefly(train: ImageSet, steps: int, device: torch.device) -> Embedder:
    labels = torch.tensor(train.labels)
    model = train_lenet(train.tensor(), labels, seed=0, training=Training(steps=steps))
    return LeNetEmbedder(model, image_shape(train), device)


LENET_LEARNER = Learner(Training().steps, _learn_briefly)
