"""Task files read in tests: a job with its notices, or the problems that refuse it."""

from textwrap import dedent
from typing import Any

import pytest
from hypothesis import strategies as st

from suanwang.domain.job import JobSpec, Variant, check
from suanwang.taskfile import Notice, TaskDefaults, TaskOverrides, TaskRefused, read_task

SHA256 = "5f" * 32
TIMED = TaskOverrides(walltime_s=60)
"""So that NO_WALLTIME does not stand in every answer."""
PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
"""What `str.isprintable` calls printable."""


def task(text: str, overrides: TaskOverrides = TIMED, **defaults: Any) -> tuple[JobSpec, dict[str, Notice]]:
    """The job of a file and its notices by code."""
    reading = read_task(dedent(text), overrides=overrides, defaults=TaskDefaults(**defaults))
    check(reading.spec)
    notices = {notice.code: notice for notice in reading.notices}
    assert all(notice.message and notice.field for notice in reading.notices)
    return reading.spec, notices


def resources(text: str) -> tuple[Variant, ...]:
    """The variants of `resources: {text}`."""
    return task(f"run: train\nresources: {{{text}}}\n")[0].variants


def problems(text: str, overrides: TaskOverrides = TIMED) -> list[tuple[str, str]]:
    """Why a file is refused: (field, code) in order."""
    with pytest.raises(TaskRefused) as caught:
        read_task(dedent(text), overrides=overrides)
    found = caught.value.facts["problems"]
    assert all({"field", "code", "message", "allowed"} <= set(problem) for problem in found)
    assert all(problem["message"] in caught.value.message for problem in found)
    return [(problem["field"], problem["code"]) for problem in found]


def allowed(text: str) -> str:
    """What the one problem of a file says is allowed."""
    with pytest.raises(TaskRefused) as caught:
        read_task(dedent(text), overrides=TIMED)
    (problem,) = caught.value.facts["problems"]
    return str(problem["allowed"])
