"""Networks: one file each, all built from the images' shape and options of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from models.networks.unet import UNet

NETWORKS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType({"unet": UNet})
"""The networks by name: each is called with `image_shape` and options of its own."""

__all__ = ["NETWORKS", "UNet"]
