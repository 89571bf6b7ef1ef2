"""The networks that a study file names, and what each asks of an image's side."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm

Channels = Annotated[
    tuple[Annotated[int, Field(ge=4, le=1024)], ...],
    Field(min_length=1, max_length=6, strict=False),
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="Share of activations set to 0.")]
IMPORT_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
ImportPath = Annotated[str, Field(pattern=IMPORT_PATTERN, max_length=500)]


class UNet(Section):
    """A residual U-Net with the timestep in every block."""

    sized_by: ClassVar[str] = "channels"

    kind: Literal["unet"]
    channels: Channels = Field(
        (16, 32, 64),
        description="Channels at each resolution; each further entry halves the image's side.",
    )
    attention: Annotated[
        tuple[Annotated[int, Field(ge=1, le=128)], ...], Field(max_length=6, strict=False)
    ] = Field((), description="Sides, in pixels, of the resolutions with self-attention.")
    dropout: Dropout = 0.0

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return int(2 ** (len(self.channels) - 1))


class CNN(Section):
    """Convolutions of 7x7 at full resolution, LayerNorm, GELU: the coursework's network."""

    sized_by: ClassVar[str] = "channels"

    kind: Literal["cnn"]
    channels: Channels = Field((16, 32, 32, 16), description="Channels of each block.")
    time: Literal["first", "every"] = Field(
        "first", description="Which blocks are conditioned on the timestep."
    )
    dropout: Dropout = 0.0

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return 1


class ConvNeXtUNet(Section):
    """A U-Net of ConvNeXt blocks, with the timestep in every block."""

    sized_by: ClassVar[str] = "channels"

    kind: Literal["convnext_unet"]
    channels: Channels = Field((32, 64, 128), description="Channels of each downsampling block.")
    kernel: Literal[3, 1] = Field(
        3, description="Kernel of the blocks' inner convolutions; 1 as in the ConvNeXt paper."
    )
    dropout: Dropout = 0.0

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return int(2 ** (len(self.channels) - 1))


class DiT(Section):
    """A small diffusion transformer (Peebles & Xie 2023)."""

    sized_by: ClassVar[str] = "patch"

    kind: Literal["dit"]
    patch: int = Field(2, ge=1, le=32, description="Side of the squares that become tokens.")
    width: int = Field(64, ge=8, le=2048, description="Size of a token.")
    depth: int = Field(4, ge=1, le=48, description="Transformer blocks.")
    heads: int = Field(4, ge=1, le=64, description="Attention heads in a block.")
    dropout: Dropout = 0.0

    @model_validator(mode="after")
    def _width_is_shared_out(self) -> Self:
        # among the heads, and among sines and cosines of both coordinates of a patch
        for divisor, sharer in ((self.heads, f"the {self.heads} `heads`"), (4, "4")):
            if self.width % divisor:
                raise Misfit(("width",), f"{self.width} must be divisible by {sharer}")
        return self

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return self.patch


class CustomNetwork(Section):
    """A network of one's own: a module called with the image's shape and `options`."""

    sized_by: ClassVar[str] = "path"

    kind: Literal["custom"]
    path: ImportPath = Field(description="Where it is imported from: package.module:Class.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the class."
    )

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return 1  # nothing is known of it


Network = Annotated[
    UNet | CNN | ConvNeXtUNet | DiT | CustomNetwork,
    Field(discriminator="kind"),
    ShortForm("network"),
]


class DCGANGenerator(Section):
    """Transposed convolutions from a latent vector to an image (Radford et al. 2016)."""

    sized_by: ClassVar[str] = "channels"

    kind: Literal["dcgan"]
    channels: Channels = Field(
        (128, 64), description="Channels at each resolution; each entry doubles the side."
    )

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return int(2 ** len(self.channels))


class DCGANDiscriminator(Section):
    """Convolutions of stride 2 from an image to one number (Radford et al. 2016)."""

    sized_by: ClassVar[str] = "channels"

    kind: Literal["dcgan"]
    channels: Channels = Field(
        (64, 128), description="Channels at each resolution; each entry halves the side."
    )
    spectral_norm: bool = Field(
        False, description="Divide each weight by its spectral norm (Miyato et al. 2018)."
    )
    norm: Literal["batch", "layer", "none"] = Field(
        "batch", description="Normalisation between the convolutions."
    )

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return int(2 ** len(self.channels))


Sized = UNet | CNN | ConvNeXtUNet | DiT | CustomNetwork | DCGANGenerator | DCGANDiscriminator
