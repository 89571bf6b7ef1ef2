"""The folder that the pictures of trained trials go to."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from study.results.ledger import Ledger
from study.results.storage import Storage, join
from study.results.tables import ArtifactRow
from study.spec import UserError

_DPI = 150


@dataclass(frozen=True)
class PictureFolder:
    """Where pictures go: a folder in the storage, or one of the user's own.

    Attributes:
        storage: Where the study is.
        name: The folder in it.
        folder: The user's own, in its place.
    """

    storage: Storage
    name: str
    folder: Path | None

    @property
    def location(self) -> str:
        """The folder as people find it."""
        return self.storage.locate(self.name) if self.folder is None else str(self.folder)

    def write(
        self, pictures: Mapping[str, Figure], ledger: Ledger, trial: int, epoch: int
    ) -> tuple[str, ...]:
        """Write pictures; those in the storage go into the ledger too, as the trial's.

        Args:
            pictures: By the name of their file, without ending.
            ledger: Of the study in whose folder they are.
            trial: The trial's number.
            epoch: That of its weights.

        Returns:
            The files' names.

        Raises:
            UserError: The folder cannot be written.
        """
        files = []
        for stem, picture in pictures.items():
            file, data = f"{stem}.png", to_png(picture)
            try:
                if self.folder is not None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    (self.folder / file).write_bytes(data)
                else:
                    self.storage.write_atomic(join(self.name, file), data)
            except OSError as error:
                reason = error.strerror or error
                raise UserError(f"{self.location}/{file}: cannot be written ({reason})") from None
            if self.folder is None:
                row = ArtifactRow(
                    trial=trial,
                    epoch=epoch,
                    kind="picture",
                    path=join(self.name, file),
                    bytes=len(data),
                )
                ledger.append(row)
            files.append(file)
        return tuple(files)


def to_png(picture: Figure) -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
