"""Samplers: one function each, all with one signature: (model, x_T, *, steps, generator, ...).

A sampler is a generator: it yields its state after each step, so that stopping early, drawing a
film strip or measuring along the way live with the caller. `steps` may be fewer than the model's
timesteps; the sampler then visits some of them, spaced as `respaced` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from models.family import State
from models.predictions import Denoiser, Variance
from models.samplers.cold_diffusion import Restorer, improved, naive, one_shot
from models.samplers.diffusion import ancestral, ddim, ddim_invert
from models.samplers.dpm_solver import dpm_solver
from models.samplers.spacing import Spacing, respaced

SAMPLERS: Mapping[str, Callable[..., Iterator[State]]] = MappingProxyType(
    {"ancestral": ancestral, "ddim": ddim, "dpm_solver": dpm_solver}
)
"""Diffusion's by name: each takes (model, x_T, *, steps, generator) and options of its own."""

MORPH_SAMPLERS: Mapping[str, Callable[..., Iterator[State]]] = MappingProxyType(
    {"naive": naive, "improved": improved, "one_shot": one_shot}
)
"""Morphing's by name: each takes (model, x_T, *, steps, generator), and where `x_T` stands."""

__all__ = [
    "MORPH_SAMPLERS",
    "SAMPLERS",
    "Denoiser",
    "Restorer",
    "Spacing",
    "Variance",
    "ancestral",
    "ddim",
    "ddim_invert",
    "dpm_solver",
    "improved",
    "naive",
    "one_shot",
    "respaced",
]
