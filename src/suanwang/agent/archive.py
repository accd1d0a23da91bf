"""Packing and unpacking of working directories and checkpoints: gzipped tar archives, never trusted."""

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from suanwang.errors import MAX_SHOWN_VALUE_LENGTH, Refused
from suanwang.units import BYTES_PER_GIB

MAX_UNPACKED_BYTES = 8 * BYTES_PER_GIB
MAX_MEMBERS = 200_000
MAX_PATH_LENGTH = 1_024
GZIP_LEVEL = 1
"""Weights hardly compress: the fastest level."""


class TooLarge(Refused):
    """The archive would exceed its limit. Facts: `limit_bytes`, and `size_bytes` of the files."""

    code = "TOO_LARGE"


class Changed(Refused):
    """The files changed while they were packed: what was packed may be no whole."""

    code = "CHANGED"


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar archive (plain or gzip) into an existing folder.

    Links come out as they are, but nothing is ever written through one, so nothing lands outside of `target`. Devices,
    owners and set-id bits are left out. Raises Refused (BAD_ARCHIVE) for an archive that is broken, too large or
    reaches outside, OSError; what was unpacked before stays. Not by a filter of `tarfile`: early 3.11 has none.
    """
    root = target.resolve()
    total_bytes = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar, start=1):
                total_bytes += max(member.size, 0)
                if total_bytes > MAX_UNPACKED_BYTES or count > MAX_MEMBERS:
                    raise _bad("it is too large when unpacked", member)
                _place(tar, member, root)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise Refused(f"the archive cannot be unpacked: {error}", code="BAD_ARCHIVE") from error


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    path = _inside(root, member.name, member)
    if path == root:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            path.mkdir()
        return
    if path.is_dir() and not path.is_symlink():
        raise _bad("a file stands where a folder is", member)
    path.unlink(missing_ok=True)
    if member.issym():
        path.symlink_to(member.linkname)
    elif member.islnk():
        source = _inside(root, member.linkname, member)
        if source.is_symlink() or not source.is_file():
            raise _bad("a hard link without its file", member)
        path.hardlink_to(source)
    elif member.isfile():
        content = tar.extractfile(member)
        with path.open("xb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
        path.chmod(member.mode & 0o755 | 0o600)
        os.utime(path, (member.mtime, member.mtime))


def _inside(root: Path, name: str, member: tarfile.TarInfo) -> Path:
    """The place of a member, on a way that passes no link."""
    parts = PurePosixPath(name).parts
    if len(name) > MAX_PATH_LENGTH or ".." in parts or name.startswith("/") or "\0" in name:
        raise _bad("a path that is too long or leads outside", member)
    path = root.joinpath(*parts)
    if path != root and path.parent.resolve() != path.parent:
        raise _bad("a path that passes a link", member)
    return path


def _bad(why: str, member: tarfile.TarInfo) -> Refused:
    return Refused(
        f"the archive cannot be unpacked: {why}", code="BAD_ARCHIVE", member=member.name[:MAX_SHOWN_VALUE_LENGTH]
    )


def pack(
    folder: Path, archive: Path, limit_bytes: int, only: str | None = None, *, skip: frozenset[str] = frozenset()
) -> int:
    """Pack a folder, or the one entry `only` of it, into a tar.gz; the same files give the same bytes.

    Folders named in `skip` are left out, wherever they are. Returns the size in bytes of the files packed. Raises
    TooLarge once the archive exceeds `limit_bytes`, Changed if the files changed meanwhile (a checkpoint must be
    whole), OSError.
    """
    before = _fingerprint(folder, only, skip)
    size_bytes = sum(size for _, size, _ in before.values())
    try:
        with archive.open("wb") as file:
            _write(folder, list(before), _Bounded(file, limit_bytes))
    except _Full:
        raise TooLarge("the archive is too large", limit_bytes=limit_bytes, size_bytes=size_bytes) from None
    except FileNotFoundError as error:
        raise Changed("a file went away while it was packed") from error
    if _fingerprint(folder, only, skip) != before:
        raise Changed("the files changed while they were packed")
    return size_bytes


def _write(folder: Path, names: list[str], file: "_Bounded") -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            tar.add(folder / name, arcname=name, recursive=False, filter=_plain)


def _fingerprint(folder: Path, only: str | None, skip: frozenset[str]) -> dict[str, tuple[int, int, int]]:
    """Of every file: mode, size and time of change, by path in the folder, sorted."""
    start = folder if only is None else folder / only
    found = [] if start == folder else [start]
    if start.is_dir() and not start.is_symlink():
        for root, folders, files in os.walk(start):
            folders[:] = [name for name in folders if name not in skip]
            found += [Path(root, name) for name in (*folders, *files)]
    marks = {}
    for path in sorted(found):
        try:
            seen = path.lstat()
        except FileNotFoundError:
            continue
        size = 0 if path.is_dir() else seen.st_size
        marks[str(path.relative_to(folder))] = (seen.st_mode, size, seen.st_mtime_ns)
    return marks


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """No owners; files, folders and links only."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(member.mtime)
    return member if member.isfile() or member.isdir() or member.issym() or member.islnk() else None


class _Full(Exception):
    """No room for more."""


class _Bounded:
    """A file that refuses to grow beyond a limit."""

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        self._file, self._room = file, limit_bytes

    def write(self, text: bytes) -> int:
        self._room -= len(text)
        if self._room < 0:
            raise _Full
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()
