"""The agent is killed with SIGKILL at random points and started again: every order runs exactly once."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from suanwang.agent.drivers.driver import AttemptKey
from suanwang.domain.job import Cause, Phase
from tests.agent.fake_hub import FakeHub, HubSocket
from tests.agent.place import run_order, until

ROOT = Path(__file__).parents[2]


class AgentProcess:
    """A real agent that can be killed and started again."""

    def __init__(self, state_dir: Path, socket: Path) -> None:
        self._command = [sys.executable, "-m", "tests.agent.agent_process", str(state_dir), str(socket)]
        self._log = state_dir.with_suffix(".log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "SUANWANG_TOKEN": "secret"},
            stderr=self._log,
        )

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=20)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGKILL)
        self._log.close()


@pytest.fixture
def agent(tmp_path: Path, hub: FakeHub) -> Iterator[AgentProcess]:
    # A socket's path is short.
    with tempfile.TemporaryDirectory() as folder:
        socket = HubSocket(hub, Path(folder) / "hub")
        agent = AgentProcess(tmp_path / "state", Path(folder) / "hub")
        try:
            yield agent
        finally:
            agent.close()
            socket.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_every_order_runs_exactly_once(agent: AgentProcess, hub: FakeHub, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    hub.repeats_orders = seed == 2
    script = 'echo ran >> "$COUNT/$SUANWANG_JOB_ID"; sleep 0.$DELAY'
    count = tmp_path / "count"
    count.mkdir()
    keys: list[AttemptKey] = []
    for round_ in range(5):
        agent.start()
        for number in range(3):
            envs = {"COUNT": str(count), "DELAY": str(rng.randrange(10))}
            keys.append(hub.order(run_order(f"job-{round_}-{number}", script, envs=envs)))
        if round_ % 2:
            # From before the journal is open to well after the starts; Python alone takes 0.2 s to start.
            time.sleep(rng.uniform(0.2, 0.8))
        else:
            # Around the start of a supervisor, which takes some 40 ms from its plan to its mark.
            until((tmp_path / f"state/runs/job-{round_}-1.1/plan.json").exists, "a plan")
            time.sleep(rng.uniform(0.0, 0.06))
        agent.end(signal.SIGKILL)
    agent.start()
    until(lambda: all(hub.end(key) for key in keys), "the end of all jobs")
    ends = {key: hub.end(key) for key in keys}
    ran = {key.job_id: (count / key.job_id).read_text().splitlines() for key in keys}
    assert ran == {key.job_id: ["ran"] for key in keys}
    assert {end.cause for end in ends.values() if end} == {Cause.SUCCEEDED}
    for key in keys:
        reports = hub.reports[key]
        assert len({report.started_s for report in reports if report.started_s is not None}) == 1
        assert [report.sequence for report in reports] == sorted(report.sequence for report in reports)
        assert reports[-1].ended_s is not None
    assert len({request.agent_id for request in hub.requests}) == 1
    assert agent.end(signal.SIGTERM) == 0


def test_sigterm_ends_the_agent_and_not_its_jobs(agent: AgentProcess, hub: FakeHub, tmp_path: Path) -> None:
    agent.start()
    key = hub.order(run_order("long", f'until [ -e "{tmp_path}/go" ]; do sleep 0.05; done; env'))
    until(lambda: (last := hub.last(key)) and last.phase is Phase.RUNNING, "the start")
    assert agent.end(signal.SIGTERM) == 0
    (tmp_path / "go").touch()
    until((tmp_path / "state/runs/long.1/exit.json").exists, "the end of the job without an agent")
    assert hub.end(key) is None
    agent.start()
    until(lambda: hub.end(key), "the report")
    end = hub.end(key)
    assert end is not None
    assert end.cause is Cause.SUCCEEDED
    log = (tmp_path / "state/runs/long.1/out.log").read_text()
    assert "SUANWANG_CENTRE=zgc" in log
    assert "SUANWANG_TOKEN" not in log


def test_two_agents_do_not_share_a_folder(agent: AgentProcess, hub: FakeHub, tmp_path: Path) -> None:
    agent.start()
    until(lambda: hub.requests, "the first sync")
    second = AgentProcess(tmp_path / "state", Path("/nowhere"))
    second.start()
    try:
        assert second._process is not None
        assert second._process.wait(timeout=20) != 0
    finally:
        second.close()
    assert "another agent works with" in (tmp_path / "state.log").read_text()
    assert agent.end(signal.SIGTERM) == 0
