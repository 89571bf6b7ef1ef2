"""Whether the losses of trials can be compared: only those of one loss, schedule and T can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.results.config_differences import shorten, varying
from study.results.tables import ConfigValue
from study.spec.tree import leaves

_NO_PART_OF_A_LOSS = ("network", "generator", "discriminator", "latent", "critic_steps")
"""Keys of `model` that change how well a loss is minimised, but not what it is."""

_NO_PART_OF_DATA = ("on_error", "seed", "split", "count", "fraction")
"""Keys of `data` that choose images, but do not change what an image is."""


def loss_definition(spec: Mapping[str, Any]) -> dict[str, ConfigValue]:
    """What a trial's loss is a loss of, by path: the family, its loss, schedule and T, the images.

    Args:
        spec: The trial's filled-in configuration.
    """
    left_out = {"model": _NO_PART_OF_A_LOSS, "data": _NO_PART_OF_DATA}
    kept = {
        section: {key: v for key, v in spec.get(section, {}).items() if key not in without}
        for section, without in left_out.items()
    }
    return leaves(kept, {})


def incomparable_losses(specs: Sequence[Mapping[str, Any]]) -> str:
    """Why the losses of these trials do not compare, in words; empty if they do.

    Args:
        specs: The trials' filled-in configurations.
    """
    definitions = [loss_definition(spec) for spec in specs]
    families = {str(definition.get("model.family")) for definition in definitions}
    if len(families) > 1:  # of which no other keys are the same
        return f"losses do not compare between trials: families {', '.join(sorted(families))}"
    if families == {"gan"} and len(specs) > 1:
        return (
            "losses do not compare between trials: each generator's is against a discriminator "
            "of its own"
        )
    names = [name.removesuffix(".kind") for name in varying(definitions)]
    if not names:
        return ""
    # Where kinds differ, so do options: the kinds say it all.
    tops = [n for n in names if not any(n.startswith(f"{other}.") for other in names)]
    short = shorten(tops)
    return f"losses do not compare between trials: {', '.join(short[n] for n in tops)} differ"
