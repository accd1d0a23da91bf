"""The embedded server: first and later starts, crashes, concurrency, and whose files are where."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import suanwang
from suanwang.errors import Unreachable
from suanwang.store import embedded, embedded_place
from suanwang.store.embedded import keep_running, running, start, stop

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="about a server that root starts")
SMALL = {"shared_buffers": "16MB"}
NEW_ENOUGH = "import sys; print(sys.version_info >= (3, 11))"


@pytest.fixture
def folder(short_folder: Path) -> Iterator[Path]:
    """A server's folder; whatever runs in it is ended afterwards."""
    place = short_folder / "pg"
    yield place
    stop(place, mode="immediate")


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def kill(folder: Path) -> int:
    """kill -9 of the postmaster, without waiting for anything."""
    pid = running(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


async def until(true: Callable[[], bool], timeout_s: float = 20) -> float:
    """Seconds until it is true."""
    before = time.monotonic()
    while not true():
        assert time.monotonic() - before < timeout_s
        await asyncio.sleep(0.01)
    return time.monotonic() - before


def log_of(home: Path) -> str:
    return (home / "server.log").read_text()


async def test_first_start_makes_a_durable_database_without_tcp(folder: Path) -> None:
    url = start(folder)
    assert await fetch(url, "SHOW fsync") == "on"
    assert await fetch(url, "SHOW synchronous_commit") == "on"
    assert await fetch(url, "SHOW shared_buffers") == "256MB"
    assert await fetch(url, "SHOW max_connections") == "60"
    assert await fetch(url, "SHOW listen_addresses") == ""
    assert await fetch(url, "SHOW server_version_num") >= "180000"  # type: ignore[operator]
    assert await fetch(url, "SELECT datcollate || ' ' || datlocprovider::text FROM pg_database LIMIT 1") == "C b"


async def test_warm_call_is_quick_and_changes_nothing(folder: Path) -> None:
    url, pid = start(folder, settings=SMALL), running(folder)
    taken_s = []
    for _ in range(20):
        before = time.perf_counter()
        assert start(folder, settings={"shared_buffers": "32MB"}) == url
        taken_s.append(time.perf_counter() - before)
    assert running(folder) == pid
    assert await fetch(url, "SHOW shared_buffers") == "16MB"
    assert min(taken_s) < 0.01


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
async def test_stop_ends_the_server_and_what_was_committed_stays(folder: Path, mode: str) -> None:
    url = start(folder, settings=SMALL)
    await fetch(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    stop(folder, mode=mode)  # type: ignore[arg-type]
    assert running(folder) is None
    stop(folder)
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await fetch(url, "SELECT 1")
    assert start(folder, settings=SMALL) == url
    assert await fetch(url, "SELECT answer FROM kept") == 42


async def test_nothing_runs_where_nothing_was_started(folder: Path) -> None:
    assert running(folder) is None
    stop(folder)
    assert not folder.exists()


async def test_every_committed_row_survives_kill_9(folder: Path) -> None:
    url = start(folder, settings=SMALL)
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE row_of (n int)")
    for n in range(50):
        await connection.execute("INSERT INTO row_of VALUES ($1)", n)
    killed = kill(folder)
    assert start(folder, settings=SMALL) == url
    connection.terminate()
    assert running(folder) not in {killed, None}
    assert await fetch(url, "SELECT count(*) FROM row_of") == 50


@contextmanager
def zombie() -> Iterator[int]:
    """The number of a process that is dead and not yet buried."""
    child = subprocess.Popen(["/bin/sh", "-c", "exit"])
    while "Z" not in Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2]:
        time.sleep(0.01)
    yield child.pid
    child.wait()


def name_in_locks(folder: Path, pid: int) -> None:
    """Let the locks that a killed server left behind name this process."""
    for lock in (folder / "data" / "postmaster.pid", folder / "run" / ".s.PGSQL.5432.lock"):
        _, _, rest = lock.read_text().partition("\n")
        lock.write_text(f"{pid}\n{rest}")


async def test_zombie_counts_as_dead(folder: Path) -> None:
    url = start(folder, settings=SMALL)
    kill(folder)
    with zombie() as pid:
        name_in_locks(folder, pid)
        assert running(folder) is None
        assert start(folder, settings=SMALL, timeout_s=20) == url
        assert running(folder) not in {pid, None}


def test_number_that_passed_to_a_stranger_is_not_our_server(folder: Path) -> None:
    url = start(folder, settings=SMALL)
    kill(folder)
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        name_in_locks(folder, stranger.pid)
        assert running(folder) is None
        stop(folder)
        assert stranger.poll() is None
        assert start(folder, settings=SMALL, timeout_s=20) == url
        stranger.kill()


async def test_start_waits_for_backends_of_the_killed_server(folder: Path) -> None:
    url = start(folder, settings=SMALL)
    connection = await asyncpg.connect(url)
    backend = connection.get_server_pid()
    os.kill(backend, signal.SIGSTOP)  # holds the shared memory and cannot notice that its server is gone
    kill(folder)
    coming = asyncio.create_task(asyncio.to_thread(start, folder, settings=SMALL))
    try:
        for _ in range(300):
            if "still in use" in log_of(folder):
                break
            await asyncio.sleep(0.1)
        assert "still in use" in log_of(folder)
        assert not coming.done()
    finally:
        os.kill(backend, signal.SIGCONT)
    assert await coming == url
    connection.terminate()
    assert await fetch(url, "SELECT 1") == 1


async def test_concurrent_starts_make_one_server(folder: Path) -> None:
    code = f"from pathlib import Path; from suanwang.store.embedded import start; print(start(Path({str(folder)!r})))"
    with ThreadPoolExecutor(4) as pool:
        threads = [pool.submit(start, folder) for _ in range(2)]
        others = [pool.submit(subprocess.check_output, [sys.executable, "-c", code], text=True) for _ in range(2)]
        urls = {t.result() for t in threads} | {o.result().strip() for o in others}
    assert len(urls) == 1
    assert log_of(folder).count("starting PostgreSQL") == 1


async def test_first_start_that_was_killed_leaves_no_half_database(folder: Path) -> None:
    draft = folder / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    assert await fetch(start(folder, settings=SMALL), "SELECT 1") == 1
    assert not draft.exists()


async def test_wrong_setting_is_told_at_once_with_the_end_of_the_log(folder: Path) -> None:
    before = time.monotonic()
    with pytest.raises(Unreachable, match="no_such_setting") as told:
        start(folder, settings={"no_such_setting": "1"})
    assert time.monotonic() - before < 20
    assert str(folder / "server.log") in str(told.value)
    assert running(folder) is None
    assert start(folder, settings=SMALL)


async def test_files_of_another_release_are_refused(folder: Path) -> None:
    start(folder, settings=SMALL)
    stop(folder)
    (folder / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Unreachable, match="incompatible"):
        start(folder, settings=SMALL)


@pytest.mark.parametrize("name", ["x" * 120, "a,b", "空 格 & 100%"])
async def test_any_path_will_do(short_folder: Path, name: str) -> None:
    folder = short_folder / name
    try:
        url = start(folder, settings=SMALL)
        await fetch(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        kill(folder)
        assert start(folder, settings=SMALL) == url
        assert await fetch(url, "SELECT answer FROM kept") == 42
    finally:
        stop(folder, mode="immediate")
        if (folder / "socket").exists():
            shutil.rmtree((folder / "socket").read_text().strip())


async def test_socket_folder_that_is_no_longer_private_is_left(short_folder: Path) -> None:
    folder = short_folder / ("x" * 120)
    start(folder, settings=SMALL)
    stop(folder)
    first = Path((folder / "socket").read_text().strip())
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    first.chmod(0o777)
    start(folder, settings=SMALL)
    stop(folder)
    second = Path((folder / "socket").read_text().strip())
    assert second != first
    shutil.rmtree(first)
    shutil.rmtree(second)


async def test_keep_running_brings_the_server_back_within_a_second(folder: Path) -> None:
    url, done = start(folder, settings=SMALL), asyncio.Event()
    watch = asyncio.create_task(keep_running(folder, done, settings=SMALL))
    for _ in range(2):
        killed = kill(folder)
        taken_s = await until(lambda killed=killed: running(folder) not in {killed, None})  # type: ignore[misc]
        assert taken_s < 2  # 0.3 s on an idle machine
        assert start(folder) == url  # waits until the new one answers
    done.set()
    await asyncio.wait_for(watch, 5)
    stop(folder)
    assert running(folder) is None


async def test_keep_running_goes_on_after_a_start_that_failed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    start(folder, settings=SMALL)
    stop(folder)
    release = folder / "data" / "PG_VERSION"
    release.write_text("16\n")
    done = asyncio.Event()
    watch = asyncio.create_task(keep_running(folder, done, settings=SMALL))
    await until(lambda: "incompatible" in caplog.text)
    release.write_text("18\n")
    await until(lambda: running(folder) is not None)
    done.set()
    await watch


async def test_large_log_is_set_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(folder, settings=SMALL)
    stop(folder)
    monkeypatch.setattr(embedded, "MAX_LOG_BYTES", 1_000)
    start(folder, settings=SMALL)
    assert "initdb" not in log_of(folder)
    assert "syncing data to disk" in (folder / "server.log.1").read_text()


# -- whose files are where


@needs_root
async def test_root_gives_the_database_to_a_system_user(folder: Path) -> None:
    url = start(folder, settings=SMALL)
    owner = (folder / "data").stat().st_uid
    assert pwd.getpwuid(owner).pw_name in {"postgres", "nobody"}
    assert Path(f"/proc/{running(folder)}").stat().st_uid == owner
    assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o700
    assert (folder / "server.log").stat().st_uid == 0
    with pytest.raises(asyncpg.PostgresError):
        await fetch(url.replace("/postgres?", "/none?"), "SELECT 1")


@needs_root
async def test_copy_that_root_made_is_given_back_to_the_system_user(folder: Path, short_folder: Path) -> None:
    url = start(folder, settings=SMALL)
    await fetch(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    stop(folder)
    shutil.copytree(folder, short_folder / "copy")
    url = start(short_folder / "copy", settings=SMALL)
    try:
        assert await fetch(url, "SELECT answer FROM kept") == 42
    finally:
        stop(short_folder / "copy", mode="immediate")


@needs_root
async def test_folder_below_a_closed_one_has_its_database_elsewhere(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelter = short_folder / "shelter"
    monkeypatch.setattr(embedded_place, "SHELTER", shelter)
    closed = short_folder / "closed"
    closed.mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        url = start(closed / "pg", settings=SMALL)
    finally:
        os.umask(before)
    try:
        home = Path((closed / "pg" / "elsewhere").read_text().strip())
        assert home.parent == shelter
        assert await fetch(url, "SHOW data_directory") == str(home / "data")
        assert start(closed / "pg") == url
        kill(closed / "pg")
        assert start(closed / "pg") == url
    finally:
        stop(closed / "pg")
    assert running(closed / "pg") is None


def copy_wheel(target: Path) -> Path:
    """A copy of the wheel's package and of its libraries, as pip would install them; returns the install tree."""
    package = embedded_place._installed().parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, target / part.name, symlinks=True)
    return target / package.name / "pginstall18"


@needs_root
async def test_binaries_that_the_system_user_cannot_reach_are_copied_once(
    folder: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = short_folder / "closed"
    install = copy_wheel(closed)
    closed.chmod(0o700)
    monkeypatch.setattr(embedded_place, "SHELTER", short_folder / "shelter")
    monkeypatch.setattr(embedded_place, "_installed", lambda: install)
    url = start(folder, settings=SMALL)
    (copy,) = (short_folder / "shelter").iterdir()
    assert Path(f"/proc/{running(folder)}/cmdline").read_text().startswith(f"{copy}/")
    assert await fetch(url, "SELECT count(*) > 100 FROM pg_timezone_names") is True  # reads the share folder
    made = copy.stat().st_mtime_ns
    stop(folder)
    start(folder, settings=SMALL)
    assert copy.stat().st_mtime_ns == made
    stop(folder)
    copy.chmod(0o777)
    with pytest.raises(Unreachable, match="only root can write"):
        start(folder, settings=SMALL)


@needs_root
async def test_root_does_not_work_in_the_folder_of_another_user(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, 65_534, 65_534)
    with pytest.raises(Unreachable, match="belongs to user 65534"):
        start(folder)


def python_for_others() -> str | None:
    """An interpreter that a user without rights may run; root's own may be below its closed home."""
    for candidate in (sys.executable, *(f"/usr/bin/python3{minor}" for minor in (".11", ".12", ".13", ""))):
        try:
            said = subprocess.run(
                [candidate, "-c", NEW_ENOUGH], check=False, user=65_534, capture_output=True, text=True, cwd="/"
            )
        except OSError:
            continue
        if said.stdout.strip() == "True":
            return candidate
    return None


@needs_root
async def test_ordinary_user_runs_the_server_itself(short_folder: Path) -> None:
    python = python_for_others()
    if python is None:
        pytest.skip("no Python 3.11 that an ordinary user may run")
    theirs = short_folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65_534, 65_534)
    shutil.copytree(Path(suanwang.__file__).parent, short_folder / "source" / "suanwang")
    copy_wheel(short_folder / "source")
    code = f"from pathlib import Path\nfrom suanwang.store.embedded import *\nprint({{}}(Path({str(theirs)!r}) / 'pg'))"
    call: dict[str, Any] = {
        "user": 65_534,
        "group": 65_534,
        "extra_groups": [],
        "cwd": "/",
        "env": {"PYTHONPATH": str(short_folder / "source"), "PATH": os.environ["PATH"]},
    }
    try:
        url = subprocess.check_output([python, "-c", code.format("start")], text=True, **call).strip()
        assert await fetch(url, "SELECT 1") == 1  # root passes through the user's closed folders
        assert (theirs / "pg" / "data").stat().st_uid == 65_534
        assert stat.S_IMODE((theirs / "pg").stat().st_mode) == 0o700
    finally:
        subprocess.check_call([python, "-c", code.format("stop")], **call)
    assert running(theirs / "pg") is None


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
async def test_folder_without_permission_is_told(short_folder: Path) -> None:
    with pytest.raises(Unreachable, match="belongs to you"):
        start(Path("/proc/1/pg"))


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_database_of_its_own(database_url: str, postgres_url: str, turn: int) -> None:
    await fetch(database_url, f"CREATE TABLE left_behind AS SELECT {turn} AS turn")
    assert await fetch(database_url, "SELECT turn FROM left_behind") == turn
    assert await fetch(postgres_url, "SELECT count(*) FROM pg_database WHERE datname LIKE 'test_%'") == 1
