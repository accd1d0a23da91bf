"""A sweep on a real Ray cluster of this machine: the same lines as on its own processes."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from suanwang.testing.processes import free_port
from tests.replay.test_command import SAMPLE
from tests.replay.test_sweep import GRID, by_run, lines_of

pytest.importorskip("ray", reason="Ray is an optional extra")
ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """One node with two CPUs that asks for a token; `--block` keeps its processes below ours."""
    folder = Path(f"/tmp/sw-ray-{os.getpid()}")
    port = free_port()
    address = f"127.0.0.1:{port}"
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment |= token
    environment["PYTHONPATH"] = f"{ROOT / 'src'}:{environment.get('PYTHONPATH', '')}"
    command = [
        str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}",
        "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--num-cpus=2", "--object-store-memory=100000000",
        f"--temp-dir={folder}", "--disable-usage-stats", f"--ray-client-server-port={free_port()}",
    ]  # fmt: skip
    log = tmp_path_factory.mktemp("ray") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        ends = time.monotonic() + 90
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.2)
        yield address, token
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _gone, alive = psutil.wait_procs(children, timeout=20)
        for one in alive:
            one.kill()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "suanwang", "sweep", str(SAMPLE), *GRID, "--out", str(out), *more]


def test_on_ray_interrupted_and_taken_up_it_is_what_it_is_in_processes(
    cluster: tuple[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, token = cluster
    for name, value in token.items():
        monkeypatch.setenv(name, value)
    there, own = tmp_path / "ray", tmp_path / "own"
    on_ray = sweep(there, "--engine", "ray", "--address", address)
    process = subprocess.Popen(on_ray, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 90
    while not (there / "runs.jsonl").exists() or (there / "runs.jsonl").read_bytes().count(b"\n") < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    before = lines_of(there)
    assert 2 <= len(before) < 12
    assert f"interrupted: {len(before)} of 12 runs" in stderr
    ran = subprocess.run([*on_ray, "--json"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert lines_of(there)[: len(before)] == before
    other = subprocess.run([*sweep(own, "--jobs", "2"), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == json.loads(other.stdout)
    assert by_run(lines_of(there)) == by_run(lines_of(own))
    assert (there / "sweep.json").read_bytes() == (own / "sweep.json").read_bytes()


def test_a_cluster_that_asks_for_a_token_and_gets_none(
    cluster: tuple[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _token = cluster
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    refused = subprocess.run(
        sweep(tmp_path / "out", "--engine", "ray", "--address", address), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3
    assert "set RAY_AUTH_MODE=token" in refused.stderr
    assert "Traceback" not in refused.stderr
