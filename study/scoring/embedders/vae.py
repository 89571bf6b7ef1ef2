"""A VAE trained on the study's own images as embedder."""

from __future__ import annotations

import torch
from torch import Tensor

from study.data import ImageSet
from study.scoring.embedders import vae_network
from study.scoring.embedders.base import Embedder, EmbedderRequest, image_shape
from study.scoring.embedders.learned import LearnedEmbedder, Learner, learn_or_fetch


class VAEEmbedder(LearnedEmbedder):
    """The posterior mean of a VAE."""

    def __init__(
        self, model: vae_network.VAE, shape: tuple[int, int, int], device: torch.device
    ) -> None:
        """Embed images of `shape`, (C, H, W), the shape that `model` was trained on."""

        def posterior_mean(block: Tensor) -> Tensor:
            mean, _ = model.encode(vae_network.to_network(block))  # [block, d]
            return mean

        version, dim = vae_network.VERSION, vae_network.LATENT_DIM
        super().__init__("vae", version, model, posterior_mean, dim, shape, device)


def make_vae(request: EmbedderRequest) -> Embedder:
    """Train the VAE, or fetch it. Its key says all that the training depends on."""
    train = request.required_train()
    shape = image_shape(train)
    model = learn_or_fetch(
        request,
        f"vae/{vae_network.VERSION} {vae_network.Training()} {train.digest} seed={request.seed}",
        empty=lambda: vae_network.VAE(shape[0], shape[1]),
        learn=lambda: vae_network.train_vae(train.tensor(), seed=request.seed),
    )
    return VAEEmbedder(model, shape, request.device)


def _learn_briefly(train: ImageSet, steps: int, device: torch.device) -> Embedder:
    training = vae_network.Training(steps=steps)
    model = vae_network.train_vae(train.tensor(), seed=0, training=training)
    return VAEEmbedder(model, image_shape(train), device)


VAE_LEARNER = Learner(vae_network.Training().steps, _learn_briefly)
