"""The folder of one attempt: where its files lie, and how they get there. Used by drivers that share a file system.

order.json      the order, for people and for recovery
work/           the working directory
checkpoint/     $SUANWANG_CHECKPOINT_DIR
progress.jsonl  $SUANWANG_PROGRESS_FILE
out.log         what the job printed
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from suanwang.agent.archive import pack, unpack
from suanwang.agent.drivers.driver import BAD_JOB, AttemptKey, LogSlice, Materials
from suanwang.agent.files import open_regular
from suanwang.agent.progress import entry_of
from suanwang.errors import InvalidInput, Refused
from suanwang.protocol import MAX_LOG_CHUNK_BYTES, RunOrder
from suanwang.skyenv import sky_environment

ORDER, WORK, CHECKPOINT, PROGRESS, LOG = "order.json", "work", "checkpoint", "progress.jsonl", "out.log"
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_NAME = re.compile(rf"({_JOB_ID.pattern})\.([0-9]{{1,9}})")

INHERITED_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""All that a job sees of the agent's own environment; never a token."""

VISIBLE_CHIPS_VARIABLE: Mapping[str, str] = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "corex": "CUDA_VISIBLE_DEVICES",
    "cann": "ASCEND_RT_VISIBLE_DEVICES",
    "rocm": "HIP_VISIBLE_DEVICES",
    "dtk": "HIP_VISIBLE_DEVICES",
    "neuware": "MLU_VISIBLE_DEVICES",
    "musa": "MUSA_VISIBLE_DEVICES",
    "xpu": "XPU_VISIBLE_DEVICES",
}
"""By software stack; SUANWANG_VISIBLE_CHIPS says the same for every stack."""

# One byte that is no UTF-8 stays one byte, so that offsets into the log stay true; NUL is no text for a database.
_ONE_BYTE_EACH = dict.fromkeys((*range(0xDC80, 0xDD00), 0), "?")


def folder_name(key: AttemptKey) -> str:
    """Raises InvalidInput for a job id that is no plain name."""
    if not _JOB_ID.fullmatch(key.job_id) or not 0 <= key.attempt < 10**9:
        allowed = "letters, digits, hyphens and underscores; attempts count from 0"
        raise InvalidInput("job_id", str(key), allowed, code=BAD_JOB)
    return str(key)


def key_of(name: str) -> AttemptKey | None:
    """The attempt of a folder's name; None for a folder that is not ours."""
    found = _NAME.fullmatch(name)
    return AttemptKey(found[1], int(found[2])) if found else None


def prepare(folder: Path, order: RunOrder, materials: Materials) -> bool:
    """Fill an attempt's folder; what is there already stays. Returns whether the job resumes from a checkpoint.

    A checkpoint that was never uploaded is taken from the folder of an earlier attempt beside this one; if there is
    none, the job begins anew. Raises Refused (BAD_ARCHIVE), OSError.
    """
    (folder / ORDER).write_bytes(msgspec.json.encode(order))
    if not (folder / WORK).exists():
        _fill(folder / WORK, _unpacked(materials.workdir))
    if not (folder / CHECKPOINT).exists():
        fill = _unpacked(materials.checkpoint)
        if fill is None and order.resume_from is not None:
            fill = _copied(_earlier_checkpoint(folder, order))
        _fill(folder / CHECKPOINT, fill)
    return order.resume_from is not None and any((folder / CHECKPOINT).iterdir())


def _fill(target: Path, fill: Callable[[Path], object] | None) -> None:
    """Make a folder that is complete as soon as it has its name."""
    part = target.with_name(f"{target.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()
    if fill is not None:
        fill(part)
    part.rename(target)


def _unpacked(archive: Path | None) -> Callable[[Path], object] | None:
    return None if archive is None else lambda target: unpack(archive, target)


def _copied(source: Path | None) -> Callable[[Path], object] | None:
    return None if source is None else lambda target: shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _earlier_checkpoint(folder: Path, order: RunOrder) -> Path | None:
    keys = [key for path in folder.parent.iterdir() if (key := key_of(path.name)) is not None]
    for key in sorted(keys, reverse=True):
        if key.job_id == order.job_id and key.attempt < order.attempt:
            checkpoint = folder.parent / str(key) / CHECKPOINT
            if checkpoint.is_dir() and any(checkpoint.iterdir()):
                return checkpoint
    return None


def job_environment(
    order: RunOrder, folder: Path, inherited: Mapping[str, str], centre_id: str, resumed: bool
) -> dict[str, str]:
    """What every process of an attempt finds in its environment; node and stage come from `node_environment`."""
    return {
        **{name: inherited[name] for name in INHERITED_VARIABLES if name in inherited},
        "PYTHONUNBUFFERED": "1",
        **order.envs,
        "SUANWANG_JOB_ID": order.job_id,
        "SUANWANG_ATTEMPT": str(order.attempt),
        "SUANWANG_CENTRE": centre_id,
        "SUANWANG_CHIP": order.chip_id,
        "SUANWANG_PROGRESS_FILE": str(folder / PROGRESS),
        "SUANWANG_CHECKPOINT_DIR": str(folder / CHECKPOINT),
        **({"SUANWANG_RESUME": "1"} if resumed else {}),
    }


def node_environment(
    order: RunOrder,
    stage: Literal["setup", "run"],
    rank: int,
    ips: tuple[str, ...],
    chips: tuple[int, ...],
    centre_id: str,
) -> dict[str, str]:
    """What one node's processes find besides: SKYPILOT_* and the chips that are theirs."""
    visible = ",".join(map(str, chips))
    is_cpu = order.stack == "cpu"
    variables = {"SUANWANG_NODE": order.node_names[rank], "SUANWANG_VISIBLE_CHIPS": visible}
    if is_cpu:
        # A job that pays for cores sees no accelerator of the same machine.
        variables |= dict.fromkeys(VISIBLE_CHIPS_VARIABLE.values(), "")
    elif order.stack in VISIBLE_CHIPS_VARIABLE:
        variables[VISIBLE_CHIPS_VARIABLE[order.stack]] = visible
    return variables | sky_environment(
        stage,
        rank=rank,
        ips=ips,
        num_nodes=len(order.node_names),
        gpus_per_node=0 if is_cpu else order.chips_per_node,
        task_id=order.task_id,
        cluster_name=order.pool_id,
        centre_id=centre_id,
    )


def read_log(folder: Path, offset: int, limit: int) -> LogSlice:
    """Part of an attempt's log; empty without one. Raises OSError."""
    offset = max(offset, 0)
    try:
        with open_regular(folder / LOG) as file:
            size = file.seek(0, 2)
            file.seek(offset)
            text = file.read(max(0, min(limit, MAX_LOG_CHUNK_BYTES)))
    except FileNotFoundError:
        return LogSlice(offset, 0, "")
    if offset + len(text) < size:
        text = _whole_characters(text)
    return LogSlice(offset, size, text.decode("utf-8", "surrogateescape").translate(_ONE_BYTE_EACH))


def _whole_characters(text: bytes) -> bytes:
    """Without the beginning of a character that the next slice completes."""
    for back in range(1, min(4, len(text))):
        byte = text[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return text[:-back] if back < length else text
        if byte < 0x80:
            break
    return text


def pack_checkpoint(folder: Path, entry: str | None, archive: Path, limit_bytes: int) -> int:
    """See `Driver.pack_checkpoint`."""
    checkpoint = folder / CHECKPOINT
    name = None if entry is None else entry_of(checkpoint, entry)
    if entry is not None and (name is None or not (checkpoint / name).exists()):
        raise Refused(
            "the job named a checkpoint that is not in its checkpoint folder", code="BAD_CHECKPOINT", entry=entry
        )
    return pack(checkpoint, archive, limit_bytes, name)
