"""A study file to begin with, made for the images that it is about."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from study.spec.data import FractionSplit
from study.spec.datasets import absolute, check_dataset, is_path
from study.spec.errors import UserError
from study.spec.image_source import ImageSource, summarise_images
from study.spec.left_out import Reason, describe_left_out
from study.spec.names import DATASETS
from study.spec.yaml_file import dump_yaml

_SMALLEST, _LARGEST = 8, 32  # sides in pixels; networks take 8 to 128, but a laptop's time ends
_STEP = 4  # three resolutions of a U-Net halve a side twice
_LEARNT_PIXELS = 15_000_000
"""How many pixels a small U-Net learns from in about a minute, on one core of a laptop."""

_SCORINGS = 4  # of a trial that is not pruned, at equal distances
_MOST_EPOCHS = 200
_FEW = 100  # images; of fewer none are held out, as a score of 20 says nothing
_SAMPLES = 400


@dataclass(frozen=True)
class Starter:
    """What a first study of some images takes.

    Attributes:
        dataset: The images, by name or path as the user wrote it.
        source: What they are.
        side: What they are brought to, in pixels.
        count: How many of them are used, at random; None for all.
        epochs: Passes over the training images.
        batch_sizes: In an optimiser step; several are searched.
        channels: Of the U-Net, several options.
        holds_out: Whether a fifth is held out, and compared with.
    """

    dataset: str
    source: ImageSource
    side: int
    count: int | None
    epochs: int
    batch_sizes: tuple[int, ...]
    channels: tuple[tuple[int, ...], ...]
    holds_out: bool

    @property
    def metric(self) -> str:
        """What the study minimises: few images are too few for an embedder to learn from."""
        return "fd_vae" if self.holds_out else "fd_pixels"


def look_at(dataset: str) -> ImageSource:
    """What a data set's images are, from names and headers alone.

    Args:
        dataset: A data set's name, or the path of a folder of pictures, an .npy or an .npz.

    Raises:
        UserError: There is no such data set, or it has fewer than two images.
    """
    try:
        check_dataset(dataset)
        if is_path(dataset):
            source = summarise_images(absolute(dataset))
        else:
            info = DATASETS[dataset]
            sizes = {(info.size, info.size): info.images}
            source = ImageSource(info.images, sizes, info.channels, info.labels)
    except ValueError as error:
        raise UserError(f"--data {dataset}: {error}") from None
    if source.count < 2:
        raise UserError(f"--data {dataset}: {source.count} image, but a study takes 2 or more")
    return source


def starter(dataset: str, source: ImageSource) -> Starter:
    """Settings that suit some images and two cores: some minutes for the whole study."""
    side = _side(source.sizes)
    budget = _LEARNT_PIXELS // side**2  # images that one trial learns from
    split = FractionSplit(kind="fraction")
    holds_out = source.count >= _FEW
    share = 1 - split.held_out
    most = budget // _SCORINGS  # training images of which each scoring sees all once
    count = None if share * source.count <= most else max(_FEW, 100 * round(most / share / 100))
    used = count or source.count
    training = used - split.held_out_images(used)
    each = min(max(1, round(budget / _SCORINGS / training)), _MOST_EPOCHS // _SCORINGS)
    if training >= 1000:
        batch_sizes: tuple[int, ...] = (32, 64)
    elif training >= 200:
        batch_sizes = (16, 32)
    else:
        batch_sizes = (max(1, min(16, training // 4)),)
    narrow, wide = ((16, 32), (24, 48)) if side < 16 else ((16, 32, 64), (24, 48, 96))
    return Starter(
        dataset=dataset,
        source=source,
        side=side,
        count=count,
        epochs=_SCORINGS * each,
        batch_sizes=batch_sizes,
        channels=(narrow, wide),
        holds_out=holds_out,
    )


def starter_text(name: str, start: Starter, schema: str) -> str:
    """The study file, with comments that say why it is so, and what else there is.

    Args:
        name: The study's name.
        start: Its settings.
        schema: Where its JSON Schema is, for editors: a path from the file, or an address.
    """
    source, epochs = start.source, start.epochs
    each = epochs // _SCORINGS
    options = [list(option) for option in start.channels]
    data = [f"  dataset: {_scalar(start.dataset)}", _size_line(start)]
    data.append(f"  channels: {source.channels} # {_channels_note(source)}")
    if any(height != width for height, width in source.sizes):
        data.append("  fit: crop # cut square at the centre; pad keeps all of each")
    if any(each.reason is Reason.UNREADABLE for each in source.left_out):
        data.append("  on_error: skip # pictures that can not be read are left out")
    if start.count is not None:
        data.append(
            f"  count: {start.count} # of {source.count:,}, at random; without this line, all"
        )
    if start.holds_out:
        data.append("  split: {kind: fraction, held_out: 0.2} # a fifth is only compared with")
        against = ""
    else:
        against = ", against: everything"
    batches = [*start.batch_sizes]
    batch = str(batches[0]) if len(batches) == 1 else f"{{choice: {batches}}}"
    smoke = min(source.count, 64)
    missing = describe_left_out(source.left_out)
    left_out = "" if missing is None else f"\n# {' '.join(missing.split())}."
    note = (
        "a distance in the features of a small VAE of these images; or fid (Inception)"
        if start.holds_out
        else f"of pixels, to all images: {source.count} are too few to hold some out"
    )
    return f"""\
# yaml-language-server: $schema={schema}
#
# {describe_images(start.dataset, source)}{left_out}
# `study check` says what it costs here, `study run FILE --smoke` tries all of it in a minute.
name: {_scalar(name)}
data:
{chr(10).join(data)}
model:
  family: ddpm # or morphing, gan
  timesteps: {{int: [100, 400], log: true}} # a hole: the search chooses a number from 100 to 400
  schedule:
    choice: # one of these, each with holes of its own
      - {{kind: linear, scaled: true, beta_end: {{float: [0.01, 0.04], log: true}}}}
      - {{kind: cosine, max_beta: {{float: [0.1, 0.999]}}}}
  network: {{kind: unet, channels: {{choice: {options}}}}}
train:
  epochs: {epochs} # one or two minutes a trial on one core; more make better images
  batch_size: {batch}
  learning_rate: {{float: [5.0e-4, 5.0e-3], log: true}}
{_augment_lines(start)}score: # {note}
  {{metric: {start.metric}, samples: {_SAMPLES}, sampler: ddim, steps: 20, every: {each}{against}}}
search:
  sampler: tpe
  pruner: {{kind: asha, min_epochs: {each}, reduction_factor: 2}} # ends the worse half early
  trials: 8 # more find better ones
  seed: 0
  enqueue: # the first trial: settings that do well on other images
    - {{model.schedule: linear, train.learning_rate: 2.0e-3, model.network.channels: {options[0]}}}

smoke: # what `--smoke` makes of it
  data: {{count: {smoke}}}
  train: {{epochs: 2, batch_size: {min(8, batches[0])}}}
  score: {{samples: 16, steps: 5, every: 1}}
  search: {{trials: 2, pruner: none}}
"""


def describe_images(dataset: str, source: ImageSource) -> str:
    """One line on what a data set's images are, for people."""
    sides = sorted(source.sizes)
    few = len(sides) == 1
    size = _by(sides[0]) if few else f"{len(sides)} sizes, short sides {_span(source.sizes)}"
    colour = "grey" if source.channels == 1 else "colour"
    labels = ", with labels" if source.labels else ""
    return f"{source.count:,} images in {' '.join(dataset.split())}: {size}, {colour}{labels}."


def study_name(file: Path) -> str:
    """A study's name that follows from its file's, of the characters that a name may have."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in file.stem)
    return kept.strip("-")[:60] or "study"


def _side(sizes: Mapping[tuple[int, int], int]) -> int:
    """The side that images are brought to: no larger than half of them are."""
    short = [min(size) for size, count in sizes.items() for _ in range(count)]
    middle = int(statistics.median_low(short))
    return min(max(middle // _STEP * _STEP, _SMALLEST), _LARGEST)


def _size_line(start: Starter) -> str:
    smaller = sum(n for size, n in start.source.sizes.items() if min(size) < start.side)
    enlarged = f"; {smaller:,} are smaller and are enlarged" if smaller else ""
    larger = any(min(size) > start.side for size in start.source.sizes)
    more = ", twice the side takes four times as long" if larger else ""
    return f"  size: {start.side} # pixels; any multiple of {_STEP}{more}{enlarged}"


def _channels_note(source: ImageSource) -> str:
    return "all are grey" if source.channels == 1 else "colour; 1 makes them grey"


def _augment_lines(start: Starter) -> str:
    if start.source.count >= 2000:
        return ""
    return "  # augment: {flip: 0.5} # mirror images count too, where they look right\n"


def _span(sizes: Mapping[tuple[int, int], int]) -> str:
    short = sorted(min(size) for size in sizes)
    return str(short[0]) if short[0] == short[-1] else f"{short[0]} to {short[-1]}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _scalar(text: str) -> str:
    """Text as YAML reads it again."""
    return dump_yaml({"": text}).partition(": ")[2].strip()
