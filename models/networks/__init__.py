"""Networks: one file each, all built from the images' shape and options of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from models.networks.cnn import CNN
from models.networks.convnext_unet import ConvNeXtUNet
from models.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from models.networks.dit import DiT
from models.networks.unet import UNet

NETWORKS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"unet": UNet, "cnn": CNN, "convnext_unet": ConvNeXtUNet, "dit": DiT}
)
"""The denoisers by name: each is called with `image_shape`, options of its own, and `out_channels`
(None: the images'), and maps (x_t [B, C, H, W], t [B]) to [B, out_channels, H, W]."""

GENERATORS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType({"dcgan": DCGANGenerator})
"""The generators by name: each is called with `image_shape`, `latent` and options of its own, and
maps z [B, latent] to images [B, C, H, W]."""

DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"dcgan": DCGANDiscriminator}
)
"""The discriminators by name: each is called with `image_shape` and options of its own, and maps
images [B, C, H, W] to logits [B]."""

__all__ = [
    "CNN",
    "DISCRIMINATORS",
    "GENERATORS",
    "NETWORKS",
    "ConvNeXtUNet",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DiT",
    "UNet",
]
