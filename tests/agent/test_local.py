"""The local driver and its supervisor: what the kit does not ask of every driver."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suanwang.agent.drivers import local, runner
from suanwang.agent.drivers.driver import AttemptKey, Materials, Observation
from suanwang.agent.drivers.local import LocalDriver
from suanwang.domain.job import Cause, GitWorkdir, Phase
from suanwang.errors import Failed, InvalidInput
from suanwang.protocol import RunOrder
from tests.agent.place import LocalFaults, local_driver, run_order, until

KEY = AttemptKey("job", 1)


@pytest.fixture
def driver(tmp_path: Path) -> LocalDriver:
    return local_driver(tmp_path)


def start(driver: LocalDriver, order: RunOrder) -> AttemptKey:
    driver.start(order, Materials())
    return AttemptKey(order.job_id, order.attempt)


def end(driver: LocalDriver, key: AttemptKey) -> Observation:
    until(lambda: (seen := driver.observe().get(key)) and seen.phase is Phase.ENDED, f"the end of {key}")
    return driver.observe()[key]


def run(driver: LocalDriver, order: RunOrder) -> tuple[Observation, str]:
    """The end of a job, and what it printed."""
    key = start(driver, order)
    seen = end(driver, key)
    return seen, driver.read_log(key, 0, 100_000).text


def test_a_job_sees_no_token_and_its_own_chips(driver: LocalDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUANWANG_TOKEN", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    other = start(driver, run_order("other", "sleep 60", chips_per_node=2))
    _, log = run(driver, run_order("job", "env", chips_per_node=3, envs={"MINE": "1", "SKYPILOT_NODE_RANK": "9"}))
    environment = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    assert "SUANWANG_TOKEN" not in environment
    assert environment["CUDA_VISIBLE_DEVICES"] == environment["SUANWANG_VISIBLE_CHIPS"] == "2,3,4"
    assert (environment["MINE"], environment["SKYPILOT_NODE_RANK"]) == ("1", "0")
    assert environment["SUANWANG_CHIP"] == "a100-sxm-80g"
    assert "SUANWANG_RESUME" not in environment
    driver.stop(other)
    assert end(driver, other).cause is Cause.CANCELLED


@pytest.mark.parametrize(
    ("stack", "cuda", "ascend", "gpus"),
    [("cann", None, "0", "1"), ("cpu", "", "", "0"), ("birensupa", None, None, "1")],
)
def test_chips_are_named_as_their_stack_wants(
    driver: LocalDriver, stack: str, cuda: str | None, ascend: str | None, gpus: str
) -> None:
    _, log = run(driver, run_order("job", "env", stack=stack))
    environment = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    assert environment.get("CUDA_VISIBLE_DEVICES") == cuda
    assert environment.get("ASCEND_RT_VISIBLE_DEVICES") == ascend
    assert environment["SKYPILOT_NUM_GPUS_PER_NODE"] == gpus
    assert environment["SUANWANG_VISIBLE_CHIPS"] == "0"


def test_chips_are_held_across_drivers_until_the_end(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", "sleep 60", chips_per_node=8))
    for one in (driver, local_driver(tmp_path)):
        with pytest.raises(Failed) as failure:
            one.start(run_order("other"), Materials())
        assert failure.value.code == "CHIPS_IN_USE"
    start(driver, run_order("elsewhere", "true", node_names=("a2",)))
    end(driver, AttemptKey("elsewhere", 1))
    driver.stop(key)
    end(driver, key)
    seen, _ = run(driver, run_order("other"))
    assert seen.cause is Cause.SUCCEEDED


@pytest.mark.parametrize(
    "change",
    [
        {"pool_id": "nowhere"},
        {"node_names": ()},
        {"node_names": ("a1", "a1")},
        {"chips_per_node": 9},
        {"job_id": "../up"},
        {"workdir": GitWorkdir("https://example.org/x.git", "--upload-pack=evil")},
    ],
)
def test_what_never_can_run_is_refused(driver: LocalDriver, change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        driver.start(run_order(**{"job_id": "job", **change}), Materials())  # type: ignore[arg-type]
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_walltime_is_announced_to_those_who_listen(driver: LocalDriver) -> None:
    script = 'trap "echo warned" USR1; sleep 60 & while true; do wait; done'
    quiet = start(driver, run_order("quiet", "sleep 60", walltime_s=2))
    seen, log = run(driver, run_order("job", script, walltime_s=2))
    assert seen.cause is Cause.TIMED_OUT
    assert log == "warned\n"
    assert end(driver, quiet).cause is Cause.TIMED_OUT  # Not killed by the announcement.


def test_faults_of_the_program_are_its_own(driver: LocalDriver) -> None:
    seen, _ = run(driver, run_order("job", "kill -SEGV $$"))
    assert (seen.cause, seen.signal, seen.exit_code) == (Cause.FAILED, signal.SIGSEGV, None)


def test_a_supervisor_told_to_end_from_outside_ends_its_job_as_killed(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", "sleep 60"))
    os.kill(LocalFaults(driver).supervisor(key), signal.SIGTERM)
    seen = end(driver, key)
    assert (seen.cause, seen.signal) == (Cause.KILLED, signal.SIGTERM)


def test_long_scripts_and_long_values(driver: LocalDriver) -> None:
    seen, log = run(driver, run_order("job", "# " + "x" * 200_000 + "\necho ${#LONG}", envs={"LONG": "y" * 100_000}))
    assert (seen.cause, log) == (Cause.SUCCEEDED, "100000\n")
    # Linux takes no single value above 128 KiB: that is the tenant's.
    seen, _ = run(driver, run_order("too-long", "true", envs={"LONG": "y" * 200_000}))
    assert seen.cause is Cause.FAILED
    assert "could not start" in seen.detail


def test_nothing_outlives_the_attempt(driver: LocalDriver, tmp_path: Path) -> None:
    # A daemon without the attempt's mark in its environment, in a session of its own, ignoring TERM.
    beat = f"trap '' TERM; while true; do echo beat >> {tmp_path}/beats; /bin/sleep 0.05; done"
    seen, _ = run(driver, run_order("job", f'setsid env -i bash -c "{beat}" & sleep 0.3; echo $! > {tmp_path}/pid'))
    assert seen.cause is Cause.SUCCEEDED
    beats = (tmp_path / "beats").read_text()
    time.sleep(0.3)
    assert (tmp_path / "beats").read_text() == beats


def test_a_log_keeps_its_head_and_its_tail(driver: LocalDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LOG_HEAD_BYTES", 1_000)
    monkeypatch.setattr(local, "LOG_TAIL_BYTES", 500)
    seen, log = run(driver, run_order("job", "echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last"))
    assert seen.cause is Cause.SUCCEEDED
    assert len(log) < 1_700
    assert log.startswith("first\n")
    assert log.endswith("\nlast\n")
    cut = 5_000_000 + len("first\n\nlast\n") - 1_500
    assert f"[suanwang: {cut} bytes of output cut here]" in log


def test_nodes_of_a_gang_do_not_mix_their_lines(driver: LocalDriver) -> None:
    script = "for i in $(seq 50); do printf 'rank%s ' $SKYPILOT_NODE_RANK; printf 'line%s\\n' $i; done"
    _, log = run(driver, run_order("job", script, node_names=("a1", "a2")))
    expected = {f"({node}) rank{rank} line{i}" for rank, node in enumerate(("a1", "a2")) for i in range(1, 51)}
    assert set(log.splitlines()) == expected


def test_setup_ends_everywhere_before_run_begins(driver: LocalDriver) -> None:
    setup = "sleep 0.$((SKYPILOT_SETUP_NODE_RANK * 4)); echo done >> setups"
    _, log = run(driver, run_order("job", "wc -l < setups", setup=setup, node_names=("a1", "a2")))
    assert sorted(log.split()) == ["(a1)", "(a2)", "2", "2"]


def repository(folder: Path) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    folder.mkdir()
    (folder / "hello.txt").write_text("from git")
    for command in ("init -q -b main", "add .", "commit -q -m first", "tag v1"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True, env={**os.environ, **identity})
    return f"file://{folder}"


def test_a_git_workdir_is_cloned(driver: LocalDriver, tmp_path: Path) -> None:
    url = repository(tmp_path / "repository")
    for number, ref in enumerate((None, "v1")):
        seen, log = run(driver, run_order(f"job-{number}", "cat hello.txt", workdir=GitWorkdir(url, ref)))
        assert (seen.cause, log) == (Cause.SUCCEEDED, "from git")
    seen, log = run(driver, run_order("bad-ref", "true", workdir=GitWorkdir(url, "nowhere")))
    assert seen.cause is Cause.SETUP_FAILED
    assert "nowhere" in log


def torn(driver: LocalDriver, age_s: float) -> AttemptKey:
    """An attempt whose supervisor is gone and left half a record, so long ago."""
    key = start(driver, run_order("job", "sleep 60"))
    faults = LocalFaults(driver)
    supervisor = faults.supervisor(key)
    faults.tear_exit_record(key)
    os.kill(supervisor, signal.SIGKILL)
    written_s = time.time() - age_s
    os.utime(driver.runs / str(key) / runner.EXIT, (written_s, written_s))
    until(lambda: not is_running(supervisor))
    return key


def is_running(pid: int) -> bool:
    seen = runner.process(pid)
    return seen is not None and seen.state not in "ZX"


def test_a_job_that_writes_its_own_end_still_runs(driver: LocalDriver) -> None:
    forged = json.dumps(runner.exit_record(1, 2, runner.Ending(Cause.SUCCEEDED, exit_code=0)))
    key = start(driver, run_order("job", f"echo '{forged}' > $SUANWANG_RUN_FOLDER/exit.json; sleep 1; exit 3"))
    until((driver.runs / str(key) / runner.EXIT).exists, "the forged record")
    assert driver.observe()[key].phase is Phase.RUNNING
    seen = end(driver, key)
    assert (seen.cause, seen.exit_code) == (Cause.FAILED, 3)


def test_a_torn_record_may_become_whole_for_a_while(driver: LocalDriver) -> None:
    key = torn(driver, age_s=0)
    assert driver.observe()[key].phase is Phase.UNKNOWN
    ending = runner.exit_record(1, 2, runner.Ending("failed", 9))
    runner.write_record(driver.runs / str(key) / runner.EXIT, ending)
    seen = driver.observe()[key]
    assert (seen.phase, seen.cause, seen.exit_code) == (Phase.ENDED, Cause.FAILED, 9)
    assert local._end_processes(driver.runs / str(key))


def test_a_torn_record_is_never_a_success(driver: LocalDriver) -> None:
    key = torn(driver, age_s=60)
    seen = end(driver, key)
    assert seen.cause is Cause.NODE_FAILED
    assert not runner.processes_of(driver.runs / str(key))


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"cause": "victory", "ended_s": 1}', "\x00" * 50])
def test_records_that_prove_nothing(driver: LocalDriver, tmp_path: Path, record: str) -> None:
    key = start(driver, run_order("job", "sleep 60"))
    (tmp_path / "runs/job.1/exit.json").write_text(record)
    assert driver.observe()[key].phase is Phase.RUNNING
    (tmp_path / "runs/job.1/exit.json").unlink()
    driver.stop(key)
    assert end(driver, key).cause is Cause.CANCELLED


def test_a_start_before_the_last_boot_is_a_failed_node(driver: LocalDriver, tmp_path: Path) -> None:
    # As after a power cut: the machine is another one, and this very process has the number of the supervisor.
    key = start(driver, run_order("job", "true"))
    end(driver, key)
    folder = tmp_path / "runs/job.1"
    (folder / "exit.json").unlink()
    myself = runner.process(os.getpid())
    assert myself is not None
    record = json.loads((folder / "start.json").read_text())
    record |= {"pid": os.getpid(), "start_ticks": myself.start_ticks, "boot_id": "another life"}
    (folder / "start.json").write_text(json.dumps(record))
    os.utime(folder / "lock", (record["started_s"] + 5, record["started_s"] + 5))
    until(lambda: not runner.processes_of(folder))
    seen = end(local_driver(tmp_path), key)
    assert (seen.cause, seen.ended_s) == (Cause.NODE_FAILED, record["started_s"] + 5)


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    seen = runner.process(child)
    assert seen is not None
    until(lambda: (now := runner.process(child)) is not None and now.state == "Z", "the end of true")
    assert not runner.is_alive(child, seen.start_ticks)
    os.waitpid(child, 0)
    assert runner.process(child) is None
    assert not runner.is_alive(os.getpid(), seen.start_ticks)  # Another process by its number.


def test_a_supervisor_as_zombie_is_gone(driver: LocalDriver) -> None:
    """As when its parent, the agent, does not collect it."""
    key = start(driver, run_order("job", "sleep 60"))
    driver._children.clear()
    supervisor = LocalFaults(driver).supervisor(key)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: (seen := runner.process(supervisor)) is not None and seen.state == "Z", "a zombie")
    assert end(driver, key).cause is Cause.NODE_FAILED
    os.waitpid(supervisor, 0)


def test_a_second_supervisor_exits_at_once(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", f"echo ran >> {tmp_path}/count; sleep 0.5"))
    again = [sys.executable, "-I", "-S", runner.__file__, str(tmp_path / "runs/job.1")]
    assert subprocess.run(again, check=False, timeout=10).returncode == 0
    assert end(driver, key).cause is Cause.SUCCEEDED
    assert subprocess.run(again, check=False, timeout=10).returncode == 0
    assert (tmp_path / "count").read_text() == "ran\n"


def test_a_supervisor_that_cannot_start_is_a_failure_that_may_pass(driver: LocalDriver, tmp_path: Path) -> None:
    folder = tmp_path / "runs/job.1"
    folder.mkdir()
    (folder / runner.PLAN).write_text("{}")
    with pytest.raises(Failed, match="did not start") as failure:
        driver.start(run_order("job"), Materials())
    assert failure.value.code == "NO_SUPERVISOR"
    assert KEY not in driver.observe()
    driver.stop(KEY)
    assert driver.observe()[KEY].cause is Cause.CANCELLED


def test_a_stop_during_setup(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", f"touch {tmp_path}/ran", setup="sleep 60"))
    driver.stop(key)
    assert end(driver, key).cause is Cause.CANCELLED
    assert not (tmp_path / "ran").exists()


def test_a_stop_whose_signal_is_lost_is_still_found(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", "sleep 60"))
    (tmp_path / "runs/job.1/stop").touch()
    assert end(driver, key).cause is Cause.CANCELLED


def test_folders_that_a_job_locked_are_removed(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", "mkdir -p a/b; touch a/b/c; chmod 000 a/b; chmod 500 a"))
    end(driver, key)
    driver.forget(key)
    assert list((tmp_path / "runs").iterdir()) == list((tmp_path / "trash").iterdir()) == []


def test_a_runs_folder_that_is_away_is_not_an_empty_one(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", "sleep 60"))
    (tmp_path / "runs").rename(tmp_path / "away")
    with pytest.raises(OSError, match="runs"):
        driver.observe()
    (tmp_path / "away").rename(tmp_path / "runs")
    assert driver.observe()[key].phase is Phase.RUNNING
    driver.stop(key)
    end(driver, key)


def test_the_agent_needs_neither_database_nor_numbers() -> None:
    """It is installed alone, with msgspec, httpx and pyyaml."""
    code = (
        "import sys; import suanwang.agent.loop, suanwang.agent.config, suanwang.testing.driver\n"
        "heavy = {'numpy', 'numba', 'asyncpg', 'litestar', 'suanwang.store', 'suanwang.control', 'suanwang.api'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    seen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == ""


def test_the_supervisor_needs_the_standard_library_alone() -> None:
    code = (
        f"import sys, runpy; runpy.run_path({runner.__file__!r}); print(*(m for m in sys.modules if 'suanwang' in m))"
    )
    seen = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == ""


def test_an_image_that_is_not_used_is_not_passed_over_in_silence(driver: LocalDriver) -> None:
    seen, log = run(driver, run_order("job", "echo hello", image="docker:ubuntu"))
    assert seen.cause is Cause.SUCCEEDED
    assert "docker:ubuntu is not used" in log
    assert log.endswith("hello\n")


def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_agent(driver: LocalDriver, tmp_path: Path) -> None:
    key = start(driver, run_order("job", 'mkfifo "$SUANWANG_PROGRESS_FILE"; sleep 60'))
    until((tmp_path / "runs/job.1/progress.jsonl").exists)
    with pytest.raises(OSError, match="not a regular file"):
        driver.read_progress(key, 0, 1)
    driver.stop(key)
    assert end(driver, key).cause is Cause.CANCELLED


def test_chips_of_an_attempt_with_a_torn_record_are_not_free(driver: LocalDriver) -> None:
    key = start(driver, run_order("job", "sleep 60", chips_per_node=8))
    LocalFaults(driver).tear_exit_record(key)
    with pytest.raises(Failed, match="still in use"):
        driver.start(run_order("other"), Materials())
    driver.stop(key)
    assert end(driver, key).cause is Cause.CANCELLED
