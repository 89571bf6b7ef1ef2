"""What `training.py` sets beside each other: our library and three others, under one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

TIMESTEPS = 1000
RATE = 1e-3


@dataclass(frozen=True)
class Setting:
    """What all contestants are given."""

    side: int
    batch_size: int
    width: int
    samples: int
    steps: int
    device: str
    compile: bool
    parameters: int  # ours has as many, as nearly as can be

    def images(self) -> Tensor:
        """Grey images, uint8 [N, 1, side, side]; what they show makes no difference."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch_size * 64, 1, self.side, self.side)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    def loader(self) -> torch.utils.data.DataLoader[Any]:
        """The images as the peers take them: floats in [-1, 1], from a shuffling loader."""
        images = self.images().float() / 127.5 - 1
        return torch.utils.data.DataLoader(images, self.batch_size, shuffle=True, drop_last=True)

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision where the device has it."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda")


class Contestant(Protocol):
    """A library with a network of its own, built for a setting."""

    parameters: int

    def train(self) -> Iterator[None]:
        """Train for ever, giving up control after each batch."""

    def sample(self, steps: int) -> None:
        """Make the setting's number of samples by DDIM in so many steps."""


class Ours:
    """fidtune's `models`: U-Net, training loop with weight average and clipping, DDIM."""

    def __init__(self, setting: Setting) -> None:
        from models import TrainingOptions, TrainingState, build_family

        self.setting = setting
        shape = (1, setting.side, setting.side)
        family = min(
            (self._family(build_family, shape, channels) for channels in near_1_2_4()),
            key=lambda family: abs(count(family) - setting.parameters),
        )
        self.parameters = count(family)
        options = TrainingOptions(
            batch_size=setting.batch_size, learning_rate=RATE, seed=0, compile=setting.compile
        )
        self.state = TrainingState(family.to(setting.device), options)
        self.images = setting.images().to(setting.device)

    @staticmethod
    def _family(build: Callable[..., Any], shape: tuple[int, int, int], channels: Any) -> Any:
        network = {"kind": "unet", "channels": channels}
        schedule = {"kind": "linear"}
        model = {"family": "ddpm", "timesteps": TIMESTEPS, "schedule": schedule}
        return build({**model, "network": network}, shape, seed=0)

    def train(self) -> Iterator[None]:
        from models import train

        for _ in train(self.state, self.images, epochs=1_000_000):
            yield

    def sample(self, steps: int) -> None:
        from models import generate

        with self.setting.autocast():
            generate(self.state.ema, self.setting.samples, sampler="ddim", steps=steps, seed=0)


class DenoisingDiffusionPytorch:
    """lucidrains' package: its U-Net, `GaussianDiffusion`, and the loop of its `Trainer`.

    The loop's body is the Trainer's (loss read each step, clipping, weight average), without its
    reading of image files.
    """

    def __init__(self, setting: Setting) -> None:
        from denoising_diffusion_pytorch import GaussianDiffusion, Unet
        from ema_pytorch import EMA

        self.setting = setting
        network = Unet(dim=setting.width, dim_mults=(1, 2, 4), channels=1)
        self.parameters = count(network)
        self.diffusion = GaussianDiffusion(
            network,
            image_size=setting.side,
            timesteps=TIMESTEPS,
            sampling_timesteps=setting.steps,
            objective="pred_noise",
            beta_schedule="linear",
            auto_normalize=False,
        ).to(setting.device)
        self.optimizer = torch.optim.Adam(self.diffusion.parameters(), lr=RATE, betas=(0.9, 0.99))
        self.ema = EMA(self.diffusion, beta=0.995, update_every=10).to(setting.device)

    def train(self) -> Iterator[None]:
        while True:
            for images in self.setting.loader():
                self.diffusion.train()
                with self.setting.autocast():
                    loss = self.diffusion(images.to(self.setting.device))
                loss.item()
                loss.backward()
                nn.utils.clip_grad_norm_(self.diffusion.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()
                self.ema.update()
                yield

    def sample(self, steps: int) -> None:
        model = self.ema.ema_model.eval()
        model.sampling_timesteps = steps
        with torch.inference_mode(), self.setting.autocast():
            model.sample(batch_size=self.setting.samples)


class Diffusers:
    """Hugging Face's diffusers: `UNet2DModel`, the loop of its training guide, `EMAModel`, DDIM."""

    def __init__(self, setting: Setting) -> None:
        from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
        from diffusers.training_utils import EMAModel

        self.setting = setting
        width = setting.width
        self.network = UNet2DModel(
            sample_size=setting.side,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(width, 2 * width, 4 * width),
            down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3,
            norm_num_groups=8,
            add_attention=False,
        ).to(setting.device)
        self.parameters = count(self.network)
        self.noise = DDPMScheduler(num_train_timesteps=TIMESTEPS)
        self.ddim = DDIMScheduler(num_train_timesteps=TIMESTEPS)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE)
        self.ema = EMAModel(self.network.parameters(), decay=0.995)

    def train(self) -> Iterator[None]:
        while True:
            for batch in self.setting.loader():
                images = batch.to(self.setting.device)
                noise = torch.randn_like(images)
                t = torch.randint(0, TIMESTEPS, (len(images),), device=images.device)
                noisy = self.noise.add_noise(images, noise, t)
                with self.setting.autocast():
                    predicted = self.network(noisy, t, return_dict=False)[0]
                loss = nn.functional.mse_loss(predicted.float(), noise)
                loss.backward()
                nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()
                self.ema.step(self.network.parameters())
                yield

    def sample(self, steps: int) -> None:
        self.network.eval()
        self.ddim.set_timesteps(steps)
        side, device = self.setting.side, self.setting.device
        x = torch.randn(self.setting.samples, 1, side, side, device=device)
        with torch.no_grad(), self.setting.autocast():
            for t in self.ddim.timesteps:
                predicted = self.network(x, t, return_dict=False)[0]
                x = self.ddim.step(predicted.float(), t, x).prev_sample


class SmallDiffusion:
    """smalldiffusion: its U-Net, `training_loop` (without a weight average) and `samples`."""

    def __init__(self, setting: Setting) -> None:
        from accelerate import Accelerator
        from smalldiffusion import Scaled, ScheduleDDPM, Unet

        self.setting = setting
        # Its normalisation wants channels divisible by 32; the depth makes up for the width.
        self.network = Scaled(Unet)(
            setting.side,
            1,
            1,
            ch=max(32, setting.width),
            ch_mult=(1, 1, 1) if setting.width <= 16 else (1, 2, 4),
            num_res_blocks=1,
            attn_resolutions=(),
            dropout=0.0,
        )
        self.parameters = count(self.network)
        self.schedule = ScheduleDDPM(TIMESTEPS)
        cuda = setting.device == "cuda"
        self.accelerator = Accelerator(cpu=not cuda, mixed_precision="bf16" if cuda else "no")
        self.network.to(self.accelerator.device)

    def train(self) -> Iterator[None]:
        from smalldiffusion import training_loop

        loop = training_loop(
            self.setting.loader(),
            self.network,
            self.schedule,
            accelerator=self.accelerator,
            epochs=1_000_000,
            lr=RATE,
        )
        for _ in loop:  # yields before each update
            yield

    def sample(self, steps: int) -> None:
        from smalldiffusion import samples

        sigmas = self.schedule.sample_sigmas(steps)
        with self.setting.autocast():
            for _ in samples(
                self.network,
                sigmas,
                batchsize=self.setting.samples,
                accelerator=self.accelerator,
            ):
                pass


def near_1_2_4() -> Iterator[tuple[int, int, int]]:
    """Widths of three resolutions in multiples of 8, as 1:2:4 or nearly so."""
    for first in range(8, 97, 8):
        for second in (2 * first - 8, 2 * first, 2 * first + 8):
            for third in (2 * second - 8, 2 * second, 2 * second + 8):
                if second >= first and third >= second:
                    yield first, second, third


def count(network: nn.Module) -> int:
    """Parameters that are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


PEERS: dict[str, Callable[[Setting], Contestant]] = {
    "denoising-diffusion-pytorch": DenoisingDiffusionPytorch,
    "diffusers": Diffusers,
    "smalldiffusion": SmallDiffusion,
}
CONTESTANTS: dict[str, Callable[[Setting], Contestant]] = {"ours": Ours, **PEERS}
