"""CPU time: what a shared machine cannot hide. A rate falls when others take the cores, the work behind it hardly."""

from dataclasses import dataclass

import psutil

from suanwang.testing.processes import Processes


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds of CPU so far: of the hub, of its database with all backends, and where the whole machine's went."""

    hub_s: float
    database_s: float
    idle_s: float
    stolen_s: float
    """Taken by the hypervisor while something here wanted to run."""
    all_s: float

    def __sub__(self, before: "CpuTime") -> "CpuTime":
        return CpuTime(*(getattr(self, name) - getattr(before, name) for name in CpuTime.__slots__))


def cpu_time(processes: Processes) -> CpuTime:
    hub = psutil.Process(processes.running["hub"].pid).cpu_times()
    postmaster_pid = processes.database_pid()
    assert postmaster_pid is not None
    postmaster = psutil.Process(postmaster_pid)
    times = postmaster.cpu_times()
    database_s = times.user + times.system + times.children_user + times.children_system
    for backend in postmaster.children():
        try:
            times = backend.cpu_times()
        except psutil.NoSuchProcess:
            continue  # counted with the children that are over, next time
        database_s += times.user + times.system
    machine = psutil.cpu_times()
    return CpuTime(hub.user + hub.system, database_s, machine.idle, machine.steal, sum(machine[:8]))
