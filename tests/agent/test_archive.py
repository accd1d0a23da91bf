"""Archives from strangers do not reach outside; checkpoints are packed whole or not at all."""

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from suanwang.agent import archive
from suanwang.agent.archive import Changed, TooLarge, pack, unpack
from suanwang.errors import Refused


def tar_of(path: Path, *members: tuple[str, bytes, dict[str, Any]]) -> Path:
    """An archive of (name, content of a link or file, further fields)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content, fields in members:
            member = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(member, field, value)
            if member.isfile():
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    target = tmp_path / "outer" / "target"
    target.mkdir(parents=True)
    return target


FILE: dict[str, Any] = {}
LINK = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped", b"x", FILE)],
        [("/tmp/suanwang-escaped", b"x", FILE)],
        [("a/../../escaped", b"x", FILE)],
        [("link", b"", {**LINK, "linkname": ".."}), ("link/escaped", b"x", FILE)],
        [("link", b"", {**LINK, "linkname": "/tmp"}), ("link/suanwang-escaped", b"x", FILE)],
        [
            ("d", b"", {"type": tarfile.DIRTYPE}),
            ("d/l", b"", {**LINK, "linkname": ".."}),
            ("d/l/../../escaped", b"x", FILE),
        ],
        [("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "../secret"})],
        [("l", b"", {**LINK, "linkname": "../secret"}), ("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "l"})],
        [("n" * 2_000, b"x", FILE)],
        [("d/file", b"x", FILE), ("d", b"x", FILE)],
    ],
)
def test_nothing_lands_outside(target: Path, tmp_path: Path, members: list[tuple[str, bytes, dict[str, Any]]]) -> None:
    secret = target.parent / "secret"
    secret.write_text("secret")
    with pytest.raises(Refused) as refusal:
        unpack(tar_of(tmp_path / "archive", *members), target)
    assert refusal.value.code == "BAD_ARCHIVE"
    assert sorted(path.name for path in target.parent.iterdir()) == ["secret", "target"]
    assert secret.read_text() == "secret"
    assert not Path("/tmp/suanwang-escaped").exists()


def test_a_file_replaces_a_link_and_never_what_it_points_to(target: Path, tmp_path: Path) -> None:
    secret = target.parent / "secret"
    secret.write_text("secret")
    link = ("name", b"", {**LINK, "linkname": "../secret"})
    unpack(tar_of(tmp_path / "archive", link, ("name", b"mine", FILE)), target)
    assert secret.read_text() == "secret"
    assert (target / "name").read_text() == "mine"
    assert not (target / "name").is_symlink()


def test_devices_owners_and_set_id_bits_stay_behind(target: Path, tmp_path: Path) -> None:
    members: list[tuple[str, bytes, dict[str, Any]]] = [
        ("tool", b"#!/bin/sh\n", {"mode": 0o4755, "uid": 12_345}),
        ("null", b"", {"type": tarfile.CHRTYPE}),
        ("pipe", b"", {"type": tarfile.FIFOTYPE}),
        ("./", b"", {"type": tarfile.DIRTYPE}),
    ]
    unpack(tar_of(tmp_path / "archive", *members), target)
    assert [path.name for path in target.iterdir()] == ["tool"]
    seen = (target / "tool").stat()
    assert seen.st_mode & 0o7777 == 0o755
    assert seen.st_uid == os.getuid()


@pytest.mark.parametrize(
    "text",
    [b"", b"no archive", gzip.compress(b"no archive"), gzip.compress(b"x" * 4_000)[:-9]],
    ids=["empty", "text", "not tar", "cut off"],  # gzip writes the time of day: as a name it would differ by process
)
def test_what_is_no_archive_is_refused(target: Path, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "archive").write_bytes(text)
    with pytest.raises(Refused):
        unpack(tmp_path / "archive", target)


def test_bombs_are_refused(target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(Refused, match="too large"):
        unpack(tar_of(tmp_path / "big", ("zeros", b"0" * 1_001, FILE)), target)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(Refused, match="too large"):
        unpack(tar_of(tmp_path / "many", *((str(number), b"", FILE) for number in range(4))), target)
    assert not (target / "zeros").exists()


def make_checkpoint(folder: Path) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "model").write_bytes(b"weights")
    (folder / "deep" / "state").write_bytes(b"12345")
    (folder / "latest").symlink_to("model")
    return folder


def test_a_checkpoint_packs_and_unpacks(tmp_path: Path, target: Path) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    size_bytes = pack(folder, tmp_path / "one", 10_000)
    assert size_bytes == len("weights") + len("12345") + len("model")
    assert pack(folder, tmp_path / "two", 10_000) == size_bytes
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    unpack(tmp_path / "one", target)
    assert (target / "deep" / "state").read_bytes() == b"12345"
    assert (target / "latest").read_bytes() == b"weights"
    assert (target / "model").stat().st_mtime == int((folder / "model").stat().st_mtime)


def test_one_entry_packs_alone(tmp_path: Path, target: Path) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    assert pack(folder, tmp_path / "one", 10_000, "deep") == len("12345")
    unpack(tmp_path / "one", target)
    assert [path.name for path in target.iterdir()] == ["deep"]


def test_too_large_is_noticed_on_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "noise").write_bytes(os.urandom(200_000))
    with pytest.raises(TooLarge) as refusal:
        pack(folder, tmp_path / "one", 50_000)
    assert refusal.value.facts == {"limit_bytes": 50_000, "size_bytes": 200_000}
    assert (tmp_path / "one").stat().st_size <= 50_000


def test_a_checkpoint_that_changes_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    add = tarfile.TarFile.add

    def add_and_write(tar: tarfile.TarFile, name: Any, *rest: Any, **fields: Any) -> None:
        add(tar, name, *rest, **fields)
        (folder / "model").write_bytes(b"other weights")

    monkeypatch.setattr(tarfile.TarFile, "add", add_and_write)
    with pytest.raises(Changed):
        pack(folder, tmp_path / "one", 10_000)
