"""The pictures in a folder, found by their names and, where those say nothing, by their content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from study.spec.left_out import LeftOut, Reason

PICTURES = (
    *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"),
    *(".apng", ".avif", ".jfif", ".jp2", ".jpe", ".pbm", ".pnm", ".tga"),
)
"""Files whose names end so are pictures, and a mistake if they can not be read; others are looked
into."""

_NO_PIXELS = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "SPIDER", "WMF")
"""What Pillow knows by its header but does not decode to levels, or not by itself."""

_START = 512  # bytes of a file that tell text from anything else


@dataclass(frozen=True)
class PictureFolder:
    """What is in a folder and in those below it.

    Attributes:
        pictures: Their paths, in order.
        left_out: All else, in order of names.
    """

    pictures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def list_pictures(folder: str | Path) -> PictureFolder:
    """The pictures in a folder and in those below it, through links too, and what is left out.

    Each folder is read once, under its own path if it lies in the one that is asked for, so that
    links neither go round nor make a picture count twice. Hidden files are left out, as are those
    that Pillow does not know. A picture is known by its name's ending, or else by its header.

    Raises:
        OSError: If the folder itself can not be read.
    """
    walk = _Walk(Path(folder))
    return PictureFolder(
        tuple(sorted(walk.pictures)), tuple(sorted(walk.left_out, key=lambda each: each.name))
    )


@dataclass
class _Walk:
    """One reading of a folder: what lies in it first, then what links lead to."""

    root: Path
    pictures: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _read: set[str] = field(default_factory=set)  # real paths of folders
    _links: list[Path] = field(default_factory=list)  # to folders, not yet followed

    def __post_init__(self) -> None:
        root = os.path.realpath(self.root)
        self._enter(os.scandir(self.root), root)
        while self._links:
            waiting, self._links = sorted(self._links), []
            for link in waiting:
                target = os.path.realpath(link)
                around = target in self._read or Path(root).is_relative_to(target)
                if around:
                    self._leave_out(link, Reason.SEEN)
                else:
                    self._enter_folder(link, target)

    def _enter_folder(self, folder: Path, real: str) -> None:
        try:
            entries = os.scandir(folder)
        except OSError:
            self._leave_out(folder, Reason.CLOSED)
        else:
            self._enter(entries, real)

    def _enter(self, entries: Iterator[os.DirEntry[str]], real: str) -> None:
        self._read.add(real)
        for entry in sorted(entries, key=lambda each: each.name):
            path = Path(entry.path)
            if entry.name.startswith("."):
                self._leave_out(path, Reason.HIDDEN)
            elif entry.is_dir(follow_symlinks=False):
                below = os.path.join(real, entry.name)
                if below in self._read:
                    self._leave_out(path, Reason.SEEN)
                else:
                    self._enter_folder(path, below)
            elif entry.is_symlink() and os.path.isdir(path):
                self._links.append(path)
            else:
                self._take_file(entry, path)

    def _take_file(self, entry: os.DirEntry[str], path: Path) -> None:
        named = entry.name.lower().endswith(PICTURES)
        try:
            regular = entry.is_file()
            dead = entry.is_symlink() and not os.path.exists(path)
        except OSError:  # a link to itself
            regular, dead = False, True
        if dead and not named:
            self._leave_out(path, Reason.DEAD_LINK)
        elif not (regular or dead):  # a pipe or a device: to open one may take forever
            self._leave_out(path, Reason.NO_PICTURE)
        elif named:
            self.pictures.append(path)
        else:
            self._look_into(path)

    def _look_into(self, path: Path) -> None:
        try:
            picture = _is_picture(path)
        except PermissionError:
            self._leave_out(path, Reason.CLOSED)
            return
        if picture:
            self.pictures.append(path)
        else:
            self._leave_out(path, Reason.NO_PICTURE)

    def _leave_out(self, path: Path, reason: Reason) -> None:
        self.left_out.append(LeftOut(path.relative_to(self.root).as_posix(), reason))


def _is_picture(path: Path) -> bool:
    """Whether Pillow knows a file by its header, and decodes such files by itself.

    Raises:
        PermissionError: If the file may not be read.
    """
    from PIL import Image  # late: most studies name their data set, or have pictures named so

    Image.init()
    try:
        with path.open("rb") as file:
            start = file.read(_START)
            # Captions beside pictures are many: of text only what begins as a picture is parsed,
            # which takes ten times as long. The formats that ask for no beginning hold zeros.
            accepted = any(accept and accept(start[:16]) for _, accept in Image.OPEN.values())
            if not accepted and b"\0" not in start:
                return False
            file.seek(0)
            with Image.open(file) as opened:
                return opened.format not in _NO_PIXELS
    except PermissionError:
        raise
    except Exception:  # broken files make Pillow's parsers raise nearly anything
        return False
