"""SkyPilot task files as jobs: what is honoured, what is refused and why stands in docs/reference/task-file.md."""

from suanwang.taskfile.findings import Notice, TaskRefused
from suanwang.taskfile.task import TaskDefaults, TaskOverrides, TaskReading, read_task

__all__ = ["Notice", "TaskDefaults", "TaskOverrides", "TaskReading", "TaskRefused", "read_task"]
