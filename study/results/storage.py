"""Where studies live: a folder, a network share or an object store, behind one URI.

    <storage>/<study>/study.yaml
    <storage>/<study>/{trials,reports,scores,artifacts,diagnostics}/*.parquet
    <storage>/<study>/{checkpoints,samples,explain}/...
    <storage>/.cache/...                                  shared by all studies

Names are relative to the storage, with `/` between their parts. What starts with a dot is
temporary or private: listings leave it out.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs as pafs

from study.results.folder_files import create_file, replace_file, write_synced
from study.results.object_creation import create_by_marks
from study.results.outage import StorageUnavailable, cause, unless_unavailable
from study.results.s3 import answers_soon
from study.spec.errors import UserError

STUDY_FILE = "study.yaml"
PROBE_BYTES = 2**20
"""What is written to see whether a storage can be."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}")


def default_storage() -> str:
    """Where studies go if nobody says: `$STUDY_STORAGE`, or the folder `studies` right here."""
    return os.environ.get("STUDY_STORAGE") or "./studies"


def check_name(name: str) -> str:
    """The name of a study, if it can be one.

    Raises:
        UserError: It is empty, longer than 80 characters, starts with a dot, or has characters
            other than letters, digits, `.`, `_` and `-`.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"The study name is {name!r}, but must be 1 to 80 letters, digits, '.', '_' or '-', "
            "and not start with '.'"
        )
    return name


def join(*parts: str) -> str:
    """Parts of a name, joined."""
    return "/".join(part.strip("/") for part in parts if part)


def nearest_names(name: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Those names that a mistaken one is most likely to mean: it is a part of them, or like them.

    Case does not count. Of several that it is a part of, the last in order comes first: names that
    end in a date are the newer then.
    """
    wanted = name.casefold()
    folded = {other: other.casefold() for other in names}
    parts = [other for other in sorted(names, reverse=True) if wanted and wanted in folded[other]]
    parts.sort(key=lambda other: not folded[other].startswith(wanted))
    like = difflib.get_close_matches(wanted, set(folded.values()), n=count)
    parts += [other for fold in like for other in names if folded[other] == fold]
    return [*dict.fromkeys(parts)][:count]


@dataclass(frozen=True)
class Storage:
    """One place that holds studies. It can be pickled and sent to other processes."""

    uri: str
    filesystem: pafs.FileSystem = field(repr=False)
    root: str = field(repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Storage:
        """Open the storage at a folder path, a `file://` URI or an `s3://` URI.

        Nothing is created or contacted for a folder. Credentials for S3 come from its usual
        environment variables and files.

        Raises:
            UserError: The URI has another scheme, or cannot be understood.
        """
        try:
            uri.encode()
        except UnicodeEncodeError:  # Python keeps bytes that are no text in the locale's encoding
            name = uri.encode("utf-8", "backslashreplace").decode()
            raise UserError(
                f"The storage {name} has characters that cannot be read in this locale: "
                "set PYTHONUTF8=1"
            ) from None
        scheme = uri.partition("://")[0] if "://" in uri else ""
        if scheme in ("", "file"):
            folder = unquote(urlsplit(uri).path) if scheme else uri
            if not folder:
                raise UserError(f"The storage is {uri!r}, but must name a folder")
            root = os.path.abspath(os.path.expanduser(folder))
            return cls(root, pafs.LocalFileSystem(), root)
        if scheme != "s3":
            raise UserError(f"The storage is {uri!r}, but must be a folder, file:// or s3:// URI")
        try:
            filesystem, root = pafs.FileSystem.from_uri(uri)
            filesystem = answers_soon(filesystem)
        except (OSError, ValueError) as error:
            raise UserError(f"The storage {uri!r} cannot be opened: {error}") from error
        return cls(uri.rstrip("/"), filesystem, root.rstrip("/"))

    @property
    def is_local(self) -> bool:
        """Whether files are written by rename (a folder) rather than by one put."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def path(self, name: str = "") -> str:
        """Path of a name inside `filesystem`."""
        return f"{self.root}/{name}".rstrip("/")

    def locate(self, name: str = "") -> str:
        """A name as people find it: a path, or an address with its scheme."""
        if self.is_local:
            return self.path(name)
        head, mark, options = self.uri.partition("?")
        return f"{head}/{name}".rstrip("/") + mark + options

    @unless_unavailable("written")
    def write_atomic(self, name: str, data: bytes | pa.Buffer) -> None:
        """Write a file that readers see whole or not at all, over any older one of that name.

        Raises:
            StorageUnavailable: The storage cannot be written now.
            OSError: The name cannot be written.
        """
        if not self.is_local:  # an object appears when its put is complete
            with self.filesystem.open_output_stream(self.path(name)) as stream:
                stream.write(data)
            return
        replace_file(Path(self.path(name)), data)

    @unless_unavailable("written")
    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; of several processes that try at once, one does.

        Returns:
            Whether this call wrote it; else there is one of that name.

        Raises:
            StorageUnavailable: The storage cannot be written now.
            OSError: The name cannot be written.
        """
        if not self.is_local:
            return create_by_marks(self.filesystem, self.path(name), data)
        return create_file(Path(self.path(name)), data)

    @unless_unavailable("read")
    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: There is no such file.
            StorageUnavailable: The storage cannot be used now.
        """
        with self.filesystem.open_input_file(self.path(name)) as stream:
            content: bytes = stream.read()
        return content

    def files(self, folder: str) -> list[str]:
        """Names of the files right in a folder, sorted, without the folder; none without it."""
        return sorted(i.base_name for i in self._entries(folder) if i.is_file)

    @unless_unavailable("read")
    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        info = self.filesystem.get_file_info(self.path(name))
        return bool(info.type != pafs.FileType.NotFound)

    @unless_unavailable("written")
    def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            FileNotFoundError: There is no such file.
            StorageUnavailable: The storage cannot be used now.
        """
        self.filesystem.delete_file(self.path(name))

    @unless_unavailable("written")
    def move(self, name: str, to: str) -> None:
        """Give a file another name; its folder is made if there is none.

        Raises:
            FileNotFoundError: There is no such file.
            StorageUnavailable: The storage cannot be used now.
        """
        self.filesystem.create_dir(self.path(to.rpartition("/")[0]), recursive=True)
        self.filesystem.move(self.path(name), self.path(to))

    @unless_unavailable("read")
    def studies(self) -> list[str]:
        """Names of the studies in this storage, sorted."""
        names = [i.base_name for i in self._entries("") if i.type == pafs.FileType.Directory]
        files = self.filesystem.get_file_info([self.path(join(n, STUDY_FILE)) for n in names])
        return sorted(name for name, info in zip(names, files, strict=True) if info.is_file)

    def has_study(self, study: str) -> bool:
        """Whether a study of that name is in this storage."""
        return bool(_NAME.fullmatch(study)) and self.exists(join(study, STUDY_FILE))

    def require(self, study: str) -> None:
        """Make sure that a study is in this storage.

        Raises:
            UserError: It is not; the message names those that are most like it.
        """
        if self.has_study(study):
            return
        studies = self.studies()
        near = nearest_names(study, studies)
        if near:
            hint = f"did you mean {' or '.join(repr(name) for name in near)}?"
        elif studies:
            hint = "`study list` shows what is"
        else:
            hint = "no study is; --storage names another place"
        raise UserError(f"No study named '{study}' is in {self.uri}: {hint}")

    def claim(self, study: str, study_yaml: str) -> None:
        """Take a name for a new study, and leave the study's file there.

        Of any number of processes that claim one name at once, at most one succeeds.

        Raises:
            UserError: The name is taken, or cannot be a study's.
        """
        check_name(study)
        data = study_yaml.encode()
        if self.is_local:
            won = self._claim_folder(study, data)
        else:
            won = self.create(join(study, STUDY_FILE), data)
        if not won:
            raise UserError(
                f"a study named '{study}' is already in {self.uri}: choose another with --name"
            )

    def check_writable(self) -> None:
        """Make sure that this storage can be written, and leave nothing behind.

        It is tried with as much as a small checkpoint holds: a full disk still makes empty files.

        Raises:
            UserError: It cannot.
        """
        probe = f".probe-{uuid.uuid4().hex}"
        data = os.urandom(PROBE_BYTES)  # file systems that compress count what is left
        try:
            if self.is_local:  # the storage itself need not exist yet: its nearest ancestor must do
                ancestors = (Path(self.root), *Path(self.root).parents)
                path = next(path for path in ancestors if path.exists()) / probe
                try:
                    write_synced(path, data)
                finally:
                    with contextlib.suppress(OSError):
                        path.unlink()
            else:
                self.write_atomic(probe, data)
                self.delete(probe)
        except StorageUnavailable as error:
            raise UserError(str(error)) from error
        except OSError as error:
            raise UserError(f"The storage {self.uri} cannot be written: {cause(error)}") from error

    @unless_unavailable("read")
    def _entries(self, folder: str) -> list[pafs.FileInfo]:
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        try:
            entries = self.filesystem.get_file_info(selector)
        except (NotADirectoryError, FileNotFoundError):
            return []  # or made just now: Arrow stumbles where a folder appears as it looks
        return [info for info in entries if not info.base_name.startswith(".")]

    @unless_unavailable("written")
    def _claim_folder(self, study: str, data: bytes) -> bool:
        # A folder cannot be renamed over one that has something in it, and a study's always has.
        folder = Path(self.path(study))
        temporary = folder.with_name(f".claim-{uuid.uuid4().hex}")
        temporary.mkdir(parents=True)
        try:
            write_synced(temporary / STUDY_FILE, data)
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            return False
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return True
