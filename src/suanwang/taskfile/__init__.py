"""SkyPilot task files as jobs: what is honoured, what is refused and why stands in docs/reference/task-file.md."""

from suanwang.taskfile.findings import TaskRefused
from suanwang.taskfile.task import TaskDefaults, TaskOverrides, TaskReading, read_task
from suanwang.wire import Notice

__all__ = ["Notice", "TaskDefaults", "TaskOverrides", "TaskReading", "TaskRefused", "read_task"]
