"""From files and options to what is asked of the hub: task files, their local folders, lines of many jobs."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from suanwang.domain.job import JobSpec, Objective
from suanwang.errors import InvalidInput, Refused
from suanwang.i18n import _
from suanwang.protocol import MAX_BLOB_BYTES
from suanwang.taskfile import TaskOverrides, TaskReading, read_task
from suanwang.wire import JobRequest

NOT_PACKED = frozenset({".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules"})
"""Folders that are made again where they are needed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job to ask for, and the local folder that goes with it."""

    request: JobRequest
    workdir: Path | None = None


def overrides_of(
    *,
    walltime_s: int | None = None,
    env: list[tuple[str, str]] | None = None,
    objective: str | None = None,
    voucher: str | None = None,
    project: str | None = None,
    max_cost_fen: int | None = None,
    use: str | None = None,
) -> TaskOverrides:
    """What was said on the command line goes before what is in the file."""
    return TaskOverrides(
        walltime_s=walltime_s,
        envs=dict(env or ()),
        objective=None if objective is None else Objective(objective),
        voucher=voucher,
        project=project,
        max_cost_fen=max_cost_fen,
        use=use,
    )


def read_file(path: Path, said: TaskOverrides) -> TaskReading:
    """Raises TaskRefused, InvalidInput."""
    return read_task(text_of(path), overrides=said)


def text_of(path: Path) -> str:
    """Raises InvalidInput if the file is not text."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(str(path), f"byte {error.start}", _("text in UTF-8")) from None


def request_of(path: Path, said: TaskOverrides, *, count: int = 1) -> Wanted:
    """The request for one task file. The hub reads the text; here only its local folder matters.

    A relative workdir is meant from the current folder, as SkyPilot means it. Raises TaskRefused, InvalidInput.
    """
    reading = read_file(path, said)
    request = JobRequest(
        task=text_of(path),
        count=count,
        walltime_s=said.walltime_s,
        envs=dict(said.envs),
        objective=said.objective,
        voucher=said.voucher,
        project=said.project,
        max_cost_fen=said.max_cost_fen,
        use=said.use,
    )
    local = [notice.facts["path"] for notice in reading.notices if notice.code == "LOCAL_WORKDIR"]
    return Wanted(request, Path(local[0]).expanduser() if local else None)


def read_many(path: Path) -> list[Wanted]:
    """One `JobRequest` as JSON on every line. Raises InvalidInput naming the line."""
    found = []
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(Wanted(msgspec.json.decode(line, type=JobRequest)))
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"{path.name}:{number}", line, f"{error}") from None
    if not found:
        raise InvalidInput(str(path), "", _("at least one line"))
    return found


def pack_folder(folder: Path, limit_bytes: int = MAX_BLOB_BYTES) -> bytes:
    """A folder as tar.gz; the same files give the same bytes. Raises Refused if it is none, or too large."""
    from suanwang.agent.archive import TooLarge, pack

    if not folder.is_dir():
        message = f"the workdir {folder} is no folder here"
        raise Refused(message, code="NO_WORKDIR", folder=str(folder))
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "workdir.tar.gz"
        try:
            pack(folder, archive, limit_bytes, skip=NOT_PACKED)
        except TooLarge:
            mib = limit_bytes // 2**20
            message = f"the folder {folder} packs to more than {mib} MiB; leave files out, or fetch them in setup"
            raise Refused(message, code="WORKDIR_TOO_LARGE", folder=str(folder.resolve()), limit_mib=mib) from None
        return archive.read_bytes()


def with_workdir(wanted: Wanted, sha256: str) -> Wanted:
    return replace(wanted, request=msgspec.structs.replace(wanted.request, workdir_sha256=sha256))


def summary(spec: JobSpec) -> str:
    """What a job asks for, in short: `2 x (8 A100 | 8 H20)`."""
    ways = " | ".join(f"{variant.chips_per_node} {variant.chip}" for variant in spec.variants)
    nodes = f"{spec.num_nodes} x " if spec.num_nodes > 1 else ""
    return f"{nodes}({ways})" if nodes and len(spec.variants) > 1 else f"{nodes}{ways}"
