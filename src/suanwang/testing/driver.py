"""The conformance kit of drivers: a translator that passes it is a driver.

    report = check_driver(make_driver, scratch)
    print(report.text())

Every case runs real jobs through the driver and looks at what they did, not at what the driver says of them alone. A
job leaves its traces in `scratch`, a folder that the kit and the jobs both see.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

from msgspec.structs import replace

from suanwang.agent.drivers.driver import AttemptKey, Driver, Materials, Observation
from suanwang.domain.job import Cause, Phase
from suanwang.errors import Refused, SuanwangError
from suanwang.protocol import MAX_BLOB_BYTES, Checkpoint, RunOrder
from suanwang.units import SECONDS_PER_HOUR

POLL_S = 0.05
ALIVE_SCRIPT = 'while true; do echo beat >> "$SUANWANG_KIT/{name}"; sleep 0.1; done'
SILENCE_S = 0.4


class DriverFaults(Protocol):
    """How to break things behind a driver's back; cases that need what a driver has not are skipped."""

    def lose_supervisor(self, key: AttemptKey) -> None:
        """Kill whatever watches over a running attempt, not the attempt itself."""
        ...

    def tear_exit_record(self, key: AttemptKey) -> None:
        """Leave half an exit record, as a crash in the middle of writing would."""
        ...


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case. `detail`: what was met instead; `advice`: what a driver does about it."""

    name: str
    outcome: Literal["passed", "failed", "skipped"]
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class DriverReport:
    driver: str
    cases: tuple[CaseResult, ...]

    @property
    def passed(self) -> bool:
        """No case failed, and at least one passed."""
        outcomes = {case.outcome for case in self.cases}
        return "failed" not in outcomes and "passed" in outcomes

    def text(self) -> str:
        """For people: one line for each case, with advice where it failed."""
        lines = [f"driver {self.driver}"]
        for case in self.cases:
            lines.append(f"  {case.outcome:7}  {case.name}{': ' + case.detail if case.detail else ''}")
            if case.outcome == "failed":
                lines.append(f"           {case.advice}")
        return "\n".join(lines)


class _Unmet(Exception):
    """What a case expects did not happen."""


class _Skip(Exception):
    """A case that does not apply here."""


class Bench:
    """What every case works with."""

    def __init__(
        self,
        make_driver: Callable[[], Driver],
        scratch: Path,
        stack: str,
        walltime_s: int,
        patience_s: float,
        faults: DriverFaults | None,
    ) -> None:
        self.make_driver, self.scratch, self.stack, self.faults = make_driver, scratch, stack, faults
        self.walltime_s, self.patience_s = walltime_s, patience_s
        self.driver = make_driver()
        self.pool = self.driver.probe()[0]

    def order(self, run: str, *, nodes: int = 1, setup: str = "", walltime_s: int = SECONDS_PER_HOUR) -> RunOrder:
        if len(self.pool.nodes) < nodes:
            raise _Skip(f"needs {nodes} nodes")
        return RunOrder(
            job_id=str(uuid4()),
            attempt=1,
            version=1,
            job_name="conformance",
            task_id="suanwang-conformance",
            pool_id=self.pool.pool_id,
            chip_id=self.pool.chip_id,
            stack=self.stack,
            node_names=tuple(node.name for node in self.pool.nodes[:nodes]),
            chips_per_node=1,
            cpus_per_node=1,
            memory_gib_per_node=0.1,
            walltime_s=walltime_s,
            setup=setup,
            run=run,
            envs={"SUANWANG_KIT": str(self.scratch)},
        )

    def start(self, order: RunOrder, materials: Materials | None = None) -> AttemptKey:
        self.driver.start(order, materials or Materials())
        return AttemptKey(order.job_id, order.attempt)

    def wait(self, key: AttemptKey, phase: Phase) -> Observation:
        """The first observation in a phase. Raises _Unmet if it does not come, or the attempt ends otherwise."""
        give_up_at = time.monotonic() + self.patience_s
        seen: Observation | None = None
        while time.monotonic() < give_up_at:
            seen = self.driver.observe().get(key)
            if seen is not None and (seen.phase is phase or seen.phase is Phase.ENDED):
                break
            time.sleep(POLL_S)
        if seen is None or seen.phase is not phase:
            raise _Unmet(f"{phase} expected, but seen: {seen}")
        return seen

    def ends(self, key: AttemptKey, cause: Cause) -> Observation:
        seen = self.wait(key, Phase.ENDED)
        _require(seen.cause is cause, f"cause {cause} expected, but seen: {seen}")
        _require(seen.ended_s is not None, f"an end has an instant: {seen}")
        in_order = seen.started_s is None or seen.ended_s is None or seen.started_s <= seen.ended_s
        _require(in_order, f"ended before it started: {seen}")
        return seen

    def traces(self, name: str) -> list[str]:
        """The lines that jobs left under a name."""
        path = self.scratch / name
        return path.read_text().splitlines() if path.exists() else []

    def await_trace(self, name: str) -> None:
        give_up_at = time.monotonic() + self.patience_s
        while not self.traces(name):
            _require(time.monotonic() < give_up_at, f"the job left no trace {name}")
            time.sleep(POLL_S)

    def require_silence(self, name: str) -> None:
        """Nothing of a job that left traces until now lives on."""
        before = len(self.traces(name))
        time.sleep(SILENCE_S)
        _require(len(self.traces(name)) == before, f"a process of the attempt lives on and writes {name}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Unmet(otherwise)


# -- cases -----------------------------------------------------------------------------------------------------------


def succeeds(bench: Bench) -> None:
    """Success is proved by the scheduler's record: COMPLETED with exit code 0, never the default."""
    key = bench.start(bench.order('echo ran >> "$SUANWANG_KIT/succeeds"; sleep 0.5'))
    running = bench.wait(key, Phase.RUNNING)
    _require(running.started_s is not None, f"a running attempt has an instant of start: {running}")
    ended = bench.ends(key, Cause.SUCCEEDED)
    _require(ended.exit_code == 0, f"exit code 0 expected: {ended}")
    _require(bench.traces("succeeds") == ["ran"], "the job must run once")


def fails_with_its_exit_code(bench: Bench) -> None:
    """Map a non-zero exit code to FAILED and keep the code: retry rules depend on it."""
    ended = bench.ends(bench.start(bench.order("exit 7")), Cause.FAILED)
    _require(ended.exit_code == 7, f"exit code 7 expected: {ended}")


def fails_in_setup(bench: Bench) -> None:
    """Run `setup` first; its failure is SETUP_FAILED, and `run` does not start."""
    order = bench.order('echo ran >> "$SUANWANG_KIT/after-setup"', setup="exit 4")
    bench.ends(bench.start(order), Cause.SETUP_FAILED)
    _require(not bench.traces("after-setup"), "run started although setup failed")


def killed_from_outside(bench: Bench) -> None:
    """A job ended by a signal that the network did not send is KILLED, with the signal: its tenant is not to blame."""
    ended = bench.ends(bench.start(bench.order("kill -KILL $$")), Cause.KILLED)
    _require(ended.signal == 9, f"signal 9 expected: {ended}")


def stops(bench: Bench) -> None:
    """Stop is a request: TERM, then KILL, and CANCELLED only once nothing of the attempt lives."""
    order = bench.order("trap '' TERM\n" + ALIVE_SCRIPT.format(name="stops"))
    key = bench.start(order)
    bench.await_trace("stops")
    bench.driver.stop(key)
    bench.driver.stop(key)
    bench.ends(key, Cause.CANCELLED)
    bench.require_silence("stops")


def stops_what_never_was(bench: Bench) -> None:
    """Stopping an unknown attempt is no error, and keeps a start that comes late from running."""
    order = bench.order('echo ran >> "$SUANWANG_KIT/never"')
    bench.driver.stop(AttemptKey(order.job_id, order.attempt))
    with suppress(Refused):
        bench.start(order)
        bench.wait(AttemptKey(order.job_id, order.attempt), Phase.ENDED)
    _require(not bench.traces("never"), "the attempt ran although it had been stopped")


def starts_once(bench: Bench) -> None:
    """`start` comes again after crashes: look for the attempt by its name before starting it."""
    order = bench.order('echo ran >> "$SUANWANG_KIT/once"; sleep 0.5')
    threads = [threading.Thread(target=lambda: bench.start(order)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.start(order)
    bench.ends(AttemptKey(order.job_id, order.attempt), Cause.SUCCEEDED)
    bench.start(order)
    time.sleep(SILENCE_S)
    _require(bench.traces("once") == ["ran"], f"the job ran {len(bench.traces('once'))} times")


def adopts(bench: Bench) -> None:
    """Keep nothing in the driver object that the scheduler or the attempt's folder does not keep."""
    order = bench.order('echo ran >> "$SUANWANG_KIT/adopts"; sleep 0.8')
    key = bench.start(order)
    started = bench.wait(key, Phase.RUNNING).started_s
    bench.driver = bench.make_driver()
    _require(bench.wait(key, Phase.RUNNING).started_s == started, "the new driver sees another start")
    bench.start(order)
    bench.ends(key, Cause.SUCCEEDED)
    _require(bench.traces("adopts") == ["ran"], f"the job ran {len(bench.traces('adopts'))} times")


def keeps_to_walltime(bench: Bench) -> None:
    """Pass the walltime on; reaching it is TIMED_OUT, whatever exit code the job makes of it."""
    order = bench.order("trap 'exit 0' TERM\n" + ALIVE_SCRIPT.format(name="walltime"), walltime_s=bench.walltime_s)
    key = bench.start(order)
    ended = bench.ends(key, Cause.TIMED_OUT)
    ran_s = (ended.ended_s or 0) - (ended.started_s or 0)
    _require(ran_s >= bench.walltime_s - 1, f"ended after {ran_s} s of {bench.walltime_s}")
    bench.require_silence("walltime")


def reads_logs_by_offset(bench: Bench) -> None:
    """Slices of a log fit together at any limit: no character is torn, no byte lost; standard error belongs to it."""
    key = bench.start(bench.order("echo 算网 log; echo 世界 >&2; printf '\\xff\\n'; echo end"))
    bench.ends(key, Cause.SUCCEEDED)
    offset, text = 0, ""
    for _ in range(100):
        part = bench.driver.read_log(key, offset, 7)
        text, offset = text + part.text, offset + len(part.text.encode())
        if offset >= part.size:
            break
    lines = text.splitlines()
    _require({"算网 log", "世界", "?", "end"} <= set(lines), f"the log reads {lines}")
    beyond = bench.driver.read_log(key, offset + 1_000, 7)
    _require(not beyond.text and beyond.size == offset, f"beyond the end there is nothing: {beyond}")


def fails_as_a_gang(bench: Bench) -> None:
    """When one node of several fails the whole attempt ends, with the code of the one that failed."""
    script = 'if [ "$SKYPILOT_NODE_RANK" = 1 ]; then sleep 0.3; exit 5; fi\n' + ALIVE_SCRIPT.format(name="gang")
    key = bench.start(bench.order(script, nodes=2))
    ended = bench.ends(key, Cause.FAILED)
    _require(ended.exit_code == 5, f"exit code 5 expected: {ended}")
    bench.require_silence("gang")


def sets_the_environment(bench: Bench) -> None:
    """SKYPILOT_* and SUANWANG_* variables on every node; two attempts never share a chip."""
    script = (
        'echo "$SKYPILOT_NODE_RANK $SKYPILOT_NUM_NODES $(echo "$SKYPILOT_NODE_IPS" | wc -l) $SKYPILOT_TASK_ID"'
        ' >> "$SUANWANG_KIT/environment"; sleep 0.5'
    )
    key = bench.start(bench.order(script, nodes=2))
    bench.ends(key, Cause.SUCCEEDED)
    expected = ["0 2 2 suanwang-conformance", "1 2 2 suanwang-conformance"]
    _require(sorted(bench.traces("environment")) == expected, f"seen: {bench.traces('environment')}")


def keeps_chips_apart(bench: Bench) -> None:
    """Chips of one node are given to one attempt at a time, and free again after its end."""
    if bench.pool.nodes[0].chips < 2:
        raise _Skip("needs two chips on a node")
    script = 'echo "$SUANWANG_VISIBLE_CHIPS" >> "$SUANWANG_KIT/chips"; sleep 0.5'
    keys = [bench.start(bench.order(script)) for _ in range(2)]
    for key in keys:
        bench.ends(key, Cause.SUCCEEDED)
    together = bench.traces("chips")
    _require(len(set(together)) == 2, f"two attempts at once saw chips {together}")
    bench.ends(bench.start(bench.order(script)), Cause.SUCCEEDED)
    _require(bench.traces("chips")[2] in together, "chips of ended attempts are not given again")


def carries_checkpoints(bench: Bench) -> None:
    """Progress lines are read, a checkpoint is packed, and another attempt finds it in its checkpoint folder."""
    script = (
        'echo weights > "$SUANWANG_CHECKPOINT_DIR/model"\n'
        'echo \'{"step": 3, "loss": 0.5, "checkpoint": true}\' >> "$SUANWANG_PROGRESS_FILE"\n'
        'printf \'{"step": 4\' >> "$SUANWANG_PROGRESS_FILE"'
    )
    order = bench.order(script)
    key = bench.start(order)
    bench.ends(key, Cause.SUCCEEDED)
    read = bench.driver.read_progress(key, 0, int(time.time()))
    _require(read.progress is not None and read.progress.step == 3, f"the last whole line counts: {read}")
    _require(read.checkpoint is not None and read.checkpoint.step == 3, f"the line speaks of a checkpoint: {read}")
    archive = bench.scratch / "checkpoint.tar.gz"
    size_bytes = bench.driver.pack_checkpoint(key, None, archive, MAX_BLOB_BYTES)
    _require(size_bytes == len("weights\n"), f"{size_bytes} bytes packed")
    script = 'echo "$SUANWANG_RESUME $(cat "$SUANWANG_CHECKPOINT_DIR/model")" >> "$SUANWANG_KIT/resumed"'
    saved = Checkpoint(step=3, kept_until_s=0, size_bytes=size_bytes)
    again = replace(bench.order(script), attempt=2, resume_from=saved)
    bench.ends(bench.start(again, Materials(checkpoint=archive)), Cause.SUCCEEDED)
    _require(bench.traces("resumed") == ["1 weights"], f"seen: {bench.traces('resumed')}")
    # The same without an archive: from the earlier attempt at this centre.
    here = replace(again, job_id=order.job_id)
    bench.ends(bench.start(here), Cause.SUCCEEDED)
    _require(bench.traces("resumed")[1:] == ["1 weights"], f"seen at the same centre: {bench.traces('resumed')}")


def forgets(bench: Bench) -> None:
    """Forgetting cleans up an ended attempt, refuses a live one, and is no error for an unknown one."""
    live = bench.start(bench.order("sleep 30"))
    bench.wait(live, Phase.RUNNING)
    try:
        bench.driver.forget(live)
    except SuanwangError:
        pass
    _require(live in bench.driver.observe(), "a live attempt was forgotten")
    bench.driver.stop(live)
    bench.ends(live, Cause.CANCELLED)
    bench.driver.forget(live)
    bench.driver.forget(live)
    _require(live not in bench.driver.observe(), "still shown")


def knows_nothing_of_strangers(bench: Bench) -> None:
    """An attempt that was never ordered is absent from every source, and has an empty log."""
    key = AttemptKey(str(uuid4()), 1)
    _require(key not in bench.driver.observe(), "shown by observe")
    _require(bench.driver.find(key) is None, "found")
    _require(bench.driver.read_log(key, 0, 10).text == "", "has a log")


def survives_a_torn_record(bench: Bench) -> None:
    """Half an exit record proves nothing: never success, and no end while the attempt lives."""
    if bench.faults is None:
        raise _Skip("no faults given")
    key = bench.start(bench.order("sleep 1"))
    bench.wait(key, Phase.RUNNING)
    bench.faults.tear_exit_record(key)
    seen = bench.driver.observe()[key]
    _require(seen.phase is not Phase.ENDED, f"ended on half a record: {seen}")
    bench.ends(key, Cause.SUCCEEDED)  # The supervisor lives and writes the whole record in the end.


def notices_a_lost_supervisor(bench: Bench) -> None:
    """A supervisor that is gone without a record is NODE_FAILED, after everything that it left has been ended."""
    if bench.faults is None:
        raise _Skip("no faults given")
    key = bench.start(bench.order(ALIVE_SCRIPT.format(name="lost")))
    bench.await_trace("lost")
    bench.faults.lose_supervisor(key)
    bench.ends(key, Cause.NODE_FAILED)
    bench.require_silence("lost")


CASES: tuple[Callable[[Bench], None], ...] = (
    succeeds,
    fails_with_its_exit_code,
    fails_in_setup,
    killed_from_outside,
    stops,
    stops_what_never_was,
    starts_once,
    adopts,
    keeps_to_walltime,
    reads_logs_by_offset,
    fails_as_a_gang,
    sets_the_environment,
    keeps_chips_apart,
    carries_checkpoints,
    forgets,
    knows_nothing_of_strangers,
    survives_a_torn_record,
    notices_a_lost_supervisor,
)


def check_driver(
    make_driver: Callable[[], Driver],
    scratch: Path,
    *,
    stack: str = "cpu",
    walltime_s: int = 2,
    patience_s: float = 30.0,
    faults: DriverFaults | None = None,
    cases: tuple[Callable[[Bench], None], ...] = CASES,
) -> DriverReport:
    """Judge a driver by real jobs.

    `make_driver` gives a new driver object over the same scheduler each time. `scratch`: an empty folder that jobs can
    write to. `walltime_s`: the shortest that the scheduler can keep. `patience_s`: how long it may take to start or to
    end a job. An error that the driver raises fails the case like an answer that is wrong.
    """
    results = []
    for case in cases:
        name, advice = case.__name__.replace("_", " "), (case.__doc__ or "").strip()
        bench = Bench(make_driver, scratch, stack, walltime_s, patience_s, faults)
        try:
            case(bench)
            results.append(CaseResult(name, "passed"))
        except _Skip as why:
            results.append(CaseResult(name, "skipped", str(why)))
        except _Unmet as unmet:
            results.append(CaseResult(name, "failed", str(unmet), advice))
        except Exception as error:
            results.append(CaseResult(name, "failed", f"{type(error).__name__}: {error}", advice))
        finally:
            _end_all(bench)
    return DriverReport(make_driver().name, tuple(results))


def _end_all(bench: Bench) -> None:
    """Leave nothing running behind a case that failed half-way."""
    with suppress(SuanwangError, OSError):
        for key, seen in bench.driver.observe().items():
            if seen.phase is not Phase.ENDED:
                bench.driver.stop(key)
