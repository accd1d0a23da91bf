"""What `setup` and `run` take for granted and a centre may not have. Warnings: scripts are read, not understood."""

import re
from dataclasses import dataclass
from itertools import islice

from suanwang.taskfile.findings import Findings

MAX_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class _Habit:
    code: str
    pattern: re.Pattern[str]
    message: str
    unless: re.Pattern[str] | None = None
    """The script brings itself what the habit needs."""


_HABITS = (
    _Habit(
        "SUDO_USED",
        re.compile(r"\bsudo\b"),
        "jobs run under an ordinary account, where sudo fails: put system packages into a container image",
    ),
    _Habit(
        "CONDA_ASSUMED",
        re.compile(
            r"\bconda (?:activate|create|deactivate|env|info|init|install|list|run|update)\b|\bsource activate\b"
        ),
        "conda is there only if the image or the centre has it: use python -m venv or pip, or an image with conda",
        unless=re.compile(r"(?:mini|ana)(?:conda|forge)3?-|micromamba", re.IGNORECASE),
    ),
    _Habit(
        "CUDA_ONLY_WHEEL",
        re.compile(
            r"\+cu1\d{2}\b|/whl/(?:nightly/|test/)?cu1\d{2}\b|\bflash[-_]attn\b|\bcupy-cuda1\d\w?\b|\btensorrt\b"
            r"|\bnvidia-(?!smi\b)[a-z][a-z0-9-]*"
        ),
        "this package is made for NVIDIA CUDA: on another chip setup fails or falls back to the CPU",
    ),
    _Habit(
        "CUDA_ONLY_COMMAND",
        re.compile(r"\bnvidia-smi\b|\bnvcc\b"),
        "this command comes with NVIDIA's software: on another chip it is not found",
    ),
)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


def note_habits(setup: str, run: str, findings: Findings) -> None:
    """One notice for each habit in each script; its facts tell the lines, counted from 1 within the script."""
    scripts = {"setup": _COMMENT.sub("", setup), "run": _COMMENT.sub("", run)}
    for habit in _HABITS:
        if habit.unless is not None and any(habit.unless.search(script) for script in scripts.values()):
            continue
        for where, script in scripts.items():
            if not habit.pattern.search(script):
                continue
            lines, found = _hits(habit.pattern, script)
            shown = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
            findings.note(habit.code, where, f"{shown}: {habit.message}", lines=lines, found=found)


def _hits(pattern: re.Pattern[str], script: str) -> tuple[list[int], list[str]]:
    """The first lines that match, and what matched in them, each once."""
    matches = ((number, pattern.search(line)) for number, line in enumerate(script.split("\n"), start=1))
    first = list(islice(((number, match[0]) for number, match in matches if match), MAX_LINES_SHOWN))
    return [number for number, _ in first], list(dict.fromkeys(found for _, found in first))
