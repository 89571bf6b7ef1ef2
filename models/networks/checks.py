"""Rules that the options of several networks share."""

from __future__ import annotations

from collections.abc import Sequence


def check_channels(channels: Sequence[int]) -> None:
    """Channels are one or more positive integers.

    Raises:
        ValueError: If they are not.
    """
    if len(channels) == 0 or any(not isinstance(c, int) or c < 1 for c in channels):
        raise ValueError(f"The value of `channels` is {list(channels)}, but must be integers >= 1")


def check_dropout(dropout: float) -> None:
    """A share of what is dropped leaves something.

    Raises:
        ValueError: If it is not in [0, 1).
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"The value of `dropout` is {dropout}, but must be in [0, 1)")


def check_at_least(name: str, value: int, least: int) -> None:
    """An integer is no smaller than `least`.

    Raises:
        ValueError: If it is.
    """
    if value < least:
        raise ValueError(f"The value of `{name}` is {value}, but must be >= {least}")


def check_divisible(image_shape: tuple[int, int, int], factor: int, reason: str) -> None:
    """Both sides of the images can be divided by `factor`.

    Args:
        image_shape: (C, H, W).
        factor: What must divide H and W.
        reason: The options that ask for it, as in "with 3 `channels`".

    Raises:
        ValueError: If it does not divide them.
    """
    _, height, width = image_shape
    if height % factor or width % factor:
        raise ValueError(
            f"The images are {height}x{width}, but {reason} "
            f"their sides must be divisible by {factor}"
        )


def output_channels(image_shape: tuple[int, int, int], out_channels: int | None) -> int:
    """How many channels a denoiser gives: the images' own where nothing else is asked for.

    Raises:
        ValueError: If it is below 1.
    """
    if out_channels is None:
        return image_shape[0]
    check_at_least("out_channels", out_channels, 1)
    return out_channels
