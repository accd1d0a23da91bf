"""The agent against a hub: orders become processes, what happens is reported, and nothing is believed dead unseen."""

import asyncio
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from suanwang.agent.drivers.driver import AttemptKey, Materials, Observation
from suanwang.agent.drivers.local import LocalDriver
from suanwang.agent.journal import FILE_NAME, Journal
from suanwang.agent.memory import MIN_PAUSE_S, Memory
from suanwang.agent.observer import Observer
from suanwang.domain.job import BlobWorkdir, Cause, GitWorkdir, Phase
from suanwang.errors import Failed
from suanwang.protocol import Checkpoint, PoolReport, Report, RunOrder
from tests.agent.conftest import RunningAgent
from tests.agent.fake_hub import FakeHub
from tests.agent.place import POOLS, LocalFaults, agent_config, local_driver, run_order, until


async def become(holds: Callable[[], Any], what: str = "it", patience_s: float = 20.0) -> Any:
    return await asyncio.to_thread(until, holds, what, patience_s)


async def ended(hub: FakeHub, key: AttemptKey) -> Report:
    report: Report = await become(lambda: hub.end(key), f"the end of {key}")
    return report


async def runs(hub: FakeHub, key: AttemptKey) -> Report:
    await become(lambda: (last := hub.last(key)) and last.phase is Phase.RUNNING, f"the start of {key}")
    report = hub.last(key)
    assert report is not None
    return report


def phases(hub: FakeHub, key: AttemptKey) -> list[Phase]:
    return list(dict.fromkeys(report.phase for report in hub.reports[key]))


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def test_an_order_becomes_a_process_and_its_end_a_report(running_agent: RunningAgent, hub: FakeHub) -> None:
    digest = hub.keep(archive(**{"hello.txt": "from the workdir"}))
    order = run_order("job", "cat hello.txt; sleep 0.3", setup="echo set up", workdir=BlobWorkdir(digest))
    async with running_agent():
        key = hub.order(order)
        report = await ended(hub, key)
    assert (report.cause, report.exit_code, report.signal) == (Cause.SUCCEEDED, 0, None)
    assert report.started_s is not None
    assert report.ended_s is not None
    assert time.time() - 30 < report.started_s <= report.ended_s <= time.time()
    assert phases(hub, key) == [Phase.STARTING, Phase.RUNNING, Phase.ENDED]
    first = hub.requests[0]
    assert first.inventory == (
        PoolReport(pool_id="pool", chip_id="a100-sxm-80g", nodes=local_driver(Path("/tmp/probe")).probe()[0].nodes),
    )
    assert all(request.inventory is None for request in hub.requests[1:])
    assert hub.requests[-1].unchanged_s is not None


async def test_repeated_and_late_orders_change_nothing(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    hub.repeats_orders = True
    order = run_order("job", f"echo ran >> {tmp_path}/count")
    async with running_agent():
        key = hub.order(order)
        first = await ended(hub, key)
        hub.order(order)
        # An end that is ordered again is reported again, with the same facts.
        await become(lambda: (last := hub.last(key)) and last.sequence > first.sequence, "the end once more")
        last = hub.last(key)
    assert last is not None
    assert (last.cause, last.ended_s) == (first.cause, first.ended_s)
    assert (tmp_path / "count").read_text() == "ran\n"


async def test_a_newer_attempt_stops_the_older_and_waits_for_its_end(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    # The older one ignores TERM for its whole grace.
    script = f'trap "" TERM; while true; do echo $SUANWANG_ATTEMPT >> {tmp_path}/beats; sleep 0.05; done'
    async with running_agent():
        old = hub.order(run_order("job", script))
        await runs(hub, old)
        new = hub.order(run_order("job", f"echo 2 >> {tmp_path}/beats; sleep 0.3", attempt=2))
        assert (await ended(hub, new)).cause is Cause.SUCCEEDED
        assert (await ended(hub, old)).cause is Cause.CANCELLED
        late = hub.order(run_order("job", f"echo 0 >> {tmp_path}/beats", attempt=0))
        assert (await ended(hub, late)).cause is Cause.CANCELLED
    beats = (tmp_path / "beats").read_text().split()
    assert beats == sorted(beats)
    assert beats[-1] == "2"
    assert "0" not in beats


async def test_a_stop_is_confirmed_and_also_holds_for_what_is_unknown(
    running_agent: RunningAgent, hub: FakeHub
) -> None:
    async with running_agent():
        key = hub.order(run_order("job", "sleep 60"))
        await runs(hub, key)
        hub.stop(key)
        assert (await ended(hub, key)).cause is Cause.CANCELLED
        stranger = AttemptKey("stranger", 1)
        hub.stop(stranger)
        report = await ended(hub, stranger)
    assert report.cause is Cause.CANCELLED
    assert report.started_s is None


async def test_stop_and_run_in_one_reply_never_run(running_agent: RunningAgent, hub: FakeHub, tmp_path: Path) -> None:
    key = hub.order(run_order("job", f"touch {tmp_path}/ran"))
    hub.stop(key)
    async with running_agent():
        assert (await ended(hub, key)).cause is Cause.CANCELLED
    assert not (tmp_path / "ran").exists()


async def test_what_another_journal_began_is_looked_for_and_never_started(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    """The same state folder finds the process; an empty one finds nothing, and says so with a number that counts."""
    async with running_agent("old"):
        key = hub.order(run_order("job", f"echo ran >> {tmp_path}/count; sleep 2"))
        before = await runs(hub, key)
    hub.orders.clear()  # a hub sends an order as it is now
    hub.order(run_order("job", "false", reported=before.sequence, reported_s=before.observed_s))
    async with running_agent("new"):
        report = await ended(hub, key)
    assert (report.cause, report.ended_s) == (Cause.NODE_FAILED, before.observed_s)
    assert report.sequence > before.sequence
    assert (tmp_path / "count").read_text() == "ran\n"


async def test_a_silent_hub_changes_nothing_at_the_centre(running_agent: RunningAgent, hub: FakeHub) -> None:
    async with running_agent():
        key = hub.order(run_order("job", "sleep 0.5; exit 3"))
        await runs(hub, key)
        hub.silent = True
        await asyncio.sleep(0.9)
        assert hub.end(key) is None
        hub.silent = False
        report = await ended(hub, key)
    assert (report.cause, report.exit_code) == (Cause.FAILED, 3)


async def test_lost_answers_lose_no_report(running_agent: RunningAgent, hub: FakeHub) -> None:
    hub.loses_replies = 2
    async with running_agent():
        keys = [hub.order(run_order(f"job-{number}", "true")) for number in range(5)]
        for key in keys:
            assert (await ended(hub, key)).cause is Cause.SUCCEEDED


class Blind(LocalDriver):
    """A driver that sometimes cannot see, or says that there is nothing."""

    mode = "sees"

    def observe(self) -> Mapping[AttemptKey, Observation]:
        if self.mode == "fails":
            raise Failed("the scheduler does not answer")
        if self.mode == "hangs":
            time.sleep(1.0)
        return {} if self.mode == "empty" else super().observe()

    def find(self, key: AttemptKey) -> Observation | None:
        if self.mode == "fails":
            raise Failed("the scheduler does not answer")
        return super().find(key)


async def test_cannot_see_is_not_dead(running_agent: RunningAgent, hub: FakeHub, tmp_path: Path) -> None:
    driver = Blind(tmp_path / "state", "zgc", POOLS, grace_s=0.5)
    async with running_agent(driver=driver, lost_after_s=0.0):
        key = hub.order(run_order("job", f"echo ran >> {tmp_path}/count; sleep 2"))
        started = await runs(hub, key)
        for mode in ("fails", "empty"):
            driver.mode = mode
            await asyncio.sleep(0.6)
        frozen = [request.unchanged_s for request in hub.requests if request.unchanged_s is not None]
        driver.mode = "sees"
        report = await ended(hub, key)
    assert report.cause is Cause.SUCCEEDED
    assert report.started_s == started.started_s
    assert phases(hub, key) == [Phase.STARTING, Phase.RUNNING, Phase.ENDED]
    assert frozen
    assert (tmp_path / "count").read_text() == "ran\n"


async def test_nothing_starts_while_the_driver_cannot_see(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    driver = Blind(tmp_path / "state", "zgc", POOLS, grace_s=0.5)
    driver.mode = "fails"
    async with running_agent(driver=driver):
        key = hub.order(run_order("job", f"touch {tmp_path}/ran"))
        await asyncio.sleep(0.5)
        assert key not in hub.reports
        assert not (tmp_path / "ran").exists()
        assert all(request.unchanged_s is None for request in hub.requests)
        driver.mode = "sees"
        assert (await ended(hub, key)).cause is Cause.SUCCEEDED


async def test_a_slow_driver_does_not_block_the_hub(running_agent: RunningAgent, hub: FakeHub, tmp_path: Path) -> None:
    driver = Blind(tmp_path / "state", "zgc", POOLS, grace_s=0.5)
    async with running_agent(driver=driver, wait_s=0):
        key = hub.order(run_order("job", "echo hello; sleep 0.2"))
        await ended(hub, key)
        driver.mode = "hangs"
        await asyncio.sleep(0.2)
        asked = time.monotonic()
        request_id = hub.ask_log(key, 0, 100)
        await become(lambda: request_id in hub.chunks, "the log")
        assert hub.chunks[request_id].text == "hello\n"
        assert time.monotonic() - asked < 1.5  # A sync each second, and no wait for the driver besides.


async def test_an_attempt_lost_by_every_source_is_given_up(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    async with running_agent(lost_after_s=0.3):
        key = hub.order(run_order("job", "sleep 60"))
        await runs(hub, key)
        faults = LocalFaults(local_driver(tmp_path / "state"))
        supervisor = faults.supervisor(key)
        (tmp_path / "state/runs/job.1").rename(tmp_path / "elsewhere")
        # Its processes are still there: that is not lost, but unknown.
        await become(lambda: (last := hub.last(key)) and last.phase is Phase.UNKNOWN, "doubt")
        await asyncio.sleep(0.6)
        assert hub.end(key) is None
        hub.stop(key)  # Ends the processes by their mark.
        report = await ended(hub, key)
    assert report.cause in (Cause.CANCELLED, Cause.NODE_FAILED)
    assert not Path(f"/proc/{supervisor}").exists() or "Z" in Path(f"/proc/{supervisor}/stat").read_text()


async def test_a_killed_supervisor_is_a_failed_node(running_agent: RunningAgent, hub: FakeHub, tmp_path: Path) -> None:
    async with running_agent():
        key = hub.order(run_order("job", f"while true; do echo beat >> {tmp_path}/beats; sleep 0.05; done"))
        await runs(hub, key)
        await become((tmp_path / "beats").exists)
        LocalFaults(local_driver(tmp_path / "state")).lose_supervisor(key)
        assert (await ended(hub, key)).cause is Cause.NODE_FAILED
        beats = (tmp_path / "beats").read_text()
        await asyncio.sleep(0.3)
    assert (tmp_path / "beats").read_text() == beats


async def test_what_cannot_run_here_is_given_back(running_agent: RunningAgent, hub: FakeHub) -> None:
    async with running_agent():
        nowhere = hub.order(run_order("nowhere", node_names=("b9",)))
        no_blob = hub.order(run_order("no-blob", workdir=BlobWorkdir("0" * 64)))
        bad_blob = hub.order(run_order("bad-blob", workdir=BlobWorkdir(hub.keep(b"not an archive"))))
        bad_name = hub.order(run_order("../evil"))
        bad_ref = hub.order(run_order("bad-ref", workdir=GitWorkdir("https://example.org/x.git", "--upload-pack=x")))
        reports = [await ended(hub, key) for key in (nowhere, no_blob, bad_blob, bad_name, bad_ref)]
    assert [report.cause for report in reports] == [
        Cause.NEVER_STARTED,
        Cause.NEVER_STARTED,
        # The job's own: no other centre would do better.
        Cause.SETUP_FAILED,
        Cause.SETUP_FAILED,
        Cause.SETUP_FAILED,
    ]
    assert "--upload-pack" in reports[4].detail
    assert all(report.started_s is None and report.detail for report in reports)
    assert "b9" in reports[0].detail


async def test_chips_in_use_are_waited_for(running_agent: RunningAgent, hub: FakeHub, tmp_path: Path) -> None:
    script = f'echo "$CUDA_VISIBLE_DEVICES" >> {tmp_path}/chips; sleep 0.5'
    async with running_agent():
        keys = [hub.order(run_order(f"job-{number}", script, chips_per_node=5)) for number in range(2)]
        reports = [await ended(hub, key) for key in keys]
    assert [report.cause for report in reports] == [Cause.SUCCEEDED, Cause.SUCCEEDED]
    assert (tmp_path / "chips").read_text().splitlines() == ["0,1,2,3,4"] * 2
    first, second = sorted(reports, key=lambda report: report.started_s or 0)
    assert first.ended_s is not None
    assert second.started_s is not None
    assert first.ended_s <= second.started_s


CHECKPOINTING = """
step=$(cat "$SUANWANG_CHECKPOINT_DIR/step" 2>/dev/null || echo 0)
echo "resume=$SUANWANG_RESUME from $step"
while [ $step -lt 40 ]; do
  step=$((step + 1))
  if [ $((step % 10)) = 0 ]; then
    echo $step > "$SUANWANG_CHECKPOINT_DIR/.new" && mv "$SUANWANG_CHECKPOINT_DIR/.new" "$SUANWANG_CHECKPOINT_DIR/step"
    line="{\\"step\\": $step, \\"total_steps\\": 40, \\"loss\\": 0.25, \\"checkpoint\\": true}"
    echo "$line" >> "$SUANWANG_PROGRESS_FILE"
  fi
  [ "$step" = "$DIE_AT" ] && kill -KILL $$
  sleep 0.02
done
"""


async def test_a_checkpoint_is_uploaded_and_another_centre_resumes_from_it(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    async with running_agent("here"):
        key = hub.order(run_order("job", CHECKPOINTING, envs={"DIE_AT": "25"}))
        end = await ended(hub, key)
    assert end.cause is Cause.KILLED
    assert end.progress is not None
    assert (end.progress.step, end.progress.total_steps, end.progress.metrics) == (20, 40, {"loss": 0.25})
    saved = end.checkpoint
    assert saved is not None
    # The end waited for the upload, so that its report names the newest checkpoint.
    assert saved.step == 20
    assert saved.blob_sha256 in hub.blobs
    assert saved.size_bytes == len("20\n")
    assert end.started_s is not None
    assert end.started_s <= saved.kept_until_s <= int(time.time())
    async with running_agent("there"):
        again = hub.order(run_order("job", CHECKPOINTING, attempt=2, resume_from=saved, envs={"DIE_AT": "0"}))
        assert (await ended(hub, again)).cause is Cause.SUCCEEDED
    assert "resume=1 from 20" in (tmp_path / "there/runs/job.2/out.log").read_text()


async def test_without_an_upload_the_same_centre_resumes(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    hub.refuses_blobs = True
    async with running_agent():
        key = hub.order(run_order("job", CHECKPOINTING + "sleep 60", envs={"DIE_AT": "0"}))
        await become(lambda: (last := hub.last(key)) and last.checkpoint, "a checkpoint without an upload")
        last = hub.last(key)
        assert last is not None
        assert last.checkpoint is not None
        assert last.checkpoint.blob_sha256 is None
        # The upload is tried again, and reported when it succeeds.
        hub.refuses_blobs = False
        await become(lambda: _uploaded(hub.last(key), 40), "the upload")
        hub.stop(key)
        await ended(hub, key)
        stuck = Checkpoint(step=40, kept_until_s=0, size_bytes=3)
        again = hub.order(run_order("job", CHECKPOINTING, attempt=2, resume_from=stuck, envs={"DIE_AT": "0"}))
        assert (await ended(hub, again)).cause is Cause.SUCCEEDED
    assert "resume=1 from 40" in (tmp_path / "state/runs/job.2/out.log").read_text()


def _uploaded(report: Report | None, step: int) -> bool:
    saved = report.checkpoint if report is not None else None
    return saved is not None and saved.step == step and saved.blob_sha256 is not None


async def test_progress_is_throttled_and_its_last_line_reported(running_agent: RunningAgent, hub: FakeHub) -> None:
    script = """for step in $(seq 1 30); do echo "{\\"step\\": $step}" >> "$SUANWANG_PROGRESS_FILE"; sleep 0.02; done"""
    async with running_agent(progress_s=60.0):
        key = hub.order(run_order("job", script))
        end = await ended(hub, key)
    assert end.progress is not None
    assert end.progress.step == 30
    assert len(hub.reports[key]) <= 4


async def test_logs_are_read_from_afar(running_agent: RunningAgent, hub: FakeHub) -> None:
    async with running_agent():
        key = hub.order(run_order("job", "echo 算网; sleep 0.8; echo end"))
        await runs(hub, key)
        early = hub.ask_log(key, 0, 1_000)
        await become(lambda: early in hub.chunks, "the log so far")
        assert not hub.chunks[early].ended
        await ended(hub, key)
        late = [hub.ask_log(key, 7, 1_000), hub.ask_log(key, 0, 4), hub.ask_log(AttemptKey("stranger", 1), 0, 10)]
        await become(lambda: all(one in hub.chunks for one in late), "the logs")
    whole, part, none = (hub.chunks[one] for one in late)
    assert (whole.text, whole.size, whole.ended) == ("end\n", 11, True)
    assert (part.text, part.size, part.ended) == ("算", 11, False)  # No half character.
    assert (none.text, none.ended) == ("", True)


async def test_a_stale_attempt_is_stopped_and_other_refusals_are_not(running_agent: RunningAgent, hub: FakeHub) -> None:
    hub.refusals = {AttemptKey("stale", 1): "STALE_ATTEMPT", AttemptKey("odd", 1): "UNKNOWN_ATTEMPT"}
    driver_state = "state"
    async with running_agent(driver_state):
        stale = hub.order(run_order("stale", "sleep 60"))
        odd = hub.order(run_order("odd", "sleep 60"))
        await become(lambda: _sent(hub, stale, Phase.ENDED), "the end of the stale attempt")
        assert not _sent(hub, odd, Phase.ENDED)
        hub.refusals = {}
        hub.stop(odd)
        await ended(hub, odd)


def _sent(hub: FakeHub, key: AttemptKey, phase: Phase) -> bool:
    sent = [report for request in list(hub.requests) for report in request.reports]
    return any((one.job_id, one.attempt) == key and one.phase is phase for one in sent)


async def test_a_lost_journal_finds_its_attempts_again(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    async with running_agent():
        key = hub.order(
            run_order("job", f'echo ran >> {tmp_path}/count; until [ -e "{tmp_path}/go" ]; do sleep 0.05; done')
        )
        before = await runs(hub, key)
    for path in (tmp_path / "state").glob(f"{FILE_NAME}*"):
        path.unlink()
    await asyncio.sleep(1.0)
    async with running_agent():
        await become(lambda: (last := hub.last(key)) and last.sequence > before.sequence, "a report of the new journal")
        (tmp_path / "go").touch()
        report = await ended(hub, key)
    assert (report.cause, report.started_s) == (Cause.SUCCEEDED, before.started_s)
    assert (tmp_path / "count").read_text() == "ran\n"
    assert len({request.agent_id for request in hub.requests}) == 2


async def test_a_hub_that_went_back_gets_everything_again(running_agent: RunningAgent, hub: FakeHub) -> None:
    async with running_agent():
        keys = [hub.order(run_order(f"job-{number}", "true")) for number in range(3)]
        for key in keys:
            await ended(hub, key)
        # Restored from a copy of before: it knows one order and no report.
        with hub.changed:
            hub.orders, hub.reports = hub.orders[:1], {}
        await become(lambda: hub.requests[-1].version == 1, "the older version")
        hub.order(run_order("job-1", "true"))
        assert (await ended(hub, keys[1])).cause is Cause.SUCCEEDED


async def test_old_folders_are_cleaned_and_orders_still_not_repeated(
    running_agent: RunningAgent, hub: FakeHub, tmp_path: Path
) -> None:
    order = run_order("job", f"echo ran >> {tmp_path}/count")
    async with running_agent(keep_runs_s=0):
        key = hub.order(order)
        end = await ended(hub, key)
        await become(lambda: not (tmp_path / "state/runs/job.1").exists(), "the clean-up")
        hub.order(order)
        await become(lambda: (last := hub.last(key)) and last.sequence > end.sequence, "the end once more")
    assert (tmp_path / "count").read_text() == "ran\n"


class Instant:
    """A trivial driver: every attempt has succeeded as soon as it is started."""

    name = "instant"

    def __init__(self) -> None:
        self._seen: dict[AttemptKey, Observation] = {}

    def probe(self) -> tuple[PoolReport, ...]:
        return ()

    def start(self, order: RunOrder, materials: Materials) -> None:
        now_s = int(time.time())
        self._seen[AttemptKey(order.job_id, order.attempt)] = Observation(
            phase=Phase.ENDED, started_s=now_s, ended_s=now_s, cause=Cause.SUCCEEDED, exit_code=0
        )

    def observe(self) -> Mapping[AttemptKey, Observation]:
        return dict(self._seen)

    def find(self, key: AttemptKey) -> Observation | None:
        return self._seen.get(key)

    def stop(self, key: AttemptKey) -> None:
        raise NotImplementedError

    def read_log(self, key: AttemptKey, offset: int, limit: int) -> Any:
        raise NotImplementedError

    def read_progress(self, key: AttemptKey, offset: int, now_s: int) -> Any:
        from suanwang.agent.progress import ProgressSlice

        return ProgressSlice(offset)

    def pack_checkpoint(self, key: AttemptKey, entry: str | None, archive: Path, limit_bytes: int) -> int:
        raise NotImplementedError

    def forget(self, key: AttemptKey) -> None:
        del self._seen[key]


async def test_a_thousand_orders_take_seconds(running_agent: RunningAgent, hub: FakeHub) -> None:
    keys = [hub.order(run_order(f"job-{number}")) for number in range(1_000)]
    began = time.monotonic()
    async with running_agent(driver=Instant()):
        await become(lambda: all(hub.end(key) for key in keys), "a thousand ends")
        took_s = time.monotonic() - began
    assert took_s < 5.0, f"{took_s:.1f} s"
    # Batches, not a sync for each order.
    assert len(hub.requests) < 100


@pytest.mark.parametrize("turns", range(5))
async def test_news_at_the_very_end_do_not_keep_an_agent_going(tmp_path: Path, hub: FakeHub, turns: int) -> None:
    """Whether the end comes so many turns of the event loop after a piece of news, or with it."""
    config = agent_config(tmp_path, poll_s=60)
    with Journal(tmp_path) as journal:
        memory = Memory(config, hub, Instant(), journal, asyncio.TaskGroup())
        looking = asyncio.create_task(Observer(memory).look_often())
        await asyncio.sleep(10 * MIN_PAUSE_S)
        memory.look_now.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        looking.cancel()
        await asyncio.wait({looking}, timeout=5.0)
        assert looking.cancelled()


def test_the_record_of_an_attempt_is_for_its_owner_alone(tmp_path: Path) -> None:
    driver = local_driver(tmp_path)
    driver.start(run_order("job", envs={"SECRET": "s3cret"}), Materials())
    until(lambda: driver.observe()[AttemptKey("job", 1)].phase is Phase.ENDED)
    folder = tmp_path / "runs/job.1"
    assert folder.stat().st_mode & 0o077 == 0
    assert json.loads((folder / "order.json").read_text())["envs"] == {"SECRET": "s3cret"}
