"""The shipped kit judges the local driver, and drivers that lie."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from suanwang.agent.drivers.driver import AttemptKey, Materials, Observation
from suanwang.agent.drivers.local import LocalDriver
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import RunOrder
from suanwang.testing import driver as kit
from tests.agent.place import POOLS, LocalFaults, local_driver


def test_the_local_driver_is_a_driver(tmp_path: Path) -> None:
    state, scratch = tmp_path / "state", tmp_path / "scratch"
    scratch.mkdir()
    report = kit.check_driver(
        lambda: local_driver(state), scratch, stack="cuda", walltime_s=1, faults=LocalFaults(local_driver(state))
    )
    assert report.passed, report.text()
    assert [case.name for case in report.cases if case.outcome != "passed"] == []
    assert len(report.cases) == len(kit.CASES)


class Optimist(LocalDriver):
    """Takes every end for a success, and starts whatever it is told to, as often as it is told."""

    def observe(self) -> Mapping[AttemptKey, Observation]:
        return {
            key: replace(seen, cause=Cause.SUCCEEDED, exit_code=0) if seen.phase is Phase.ENDED else seen
            for key, seen in super().observe().items()
        }

    def start(self, order: RunOrder, materials: Materials) -> None:
        again = 1 + sum(key.job_id.startswith(order.job_id) for key in super().observe())
        super().start(structs.replace(order, job_id=f"{order.job_id}-{again}"), materials)
        super().start(order, materials)


def test_the_kit_fails_a_driver_that_lies(tmp_path: Path) -> None:
    cases = (kit.fails_with_its_exit_code, kit.starts_once, kit.sets_the_environment, kit.knows_nothing_of_strangers)
    report = kit.check_driver(lambda: Optimist(tmp_path / "state", "zgc", POOLS, grace_s=0.5), tmp_path, cases=cases)
    outcomes = {case.name: case.outcome for case in report.cases}
    assert outcomes == {
        "fails with its exit code": "failed",
        "starts once": "failed",
        "sets the environment": "failed",
        "knows nothing of strangers": "passed",
    }
    assert not report.passed
    assert "Map a non-zero exit code to FAILED" in report.text()
