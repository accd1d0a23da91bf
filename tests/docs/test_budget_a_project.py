"""The page on projects: its commands do what it says, on a hub of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.testing.processes import free_port
from tests.docs.test_commands import blocks
from tests.docs.test_sell_products import HUB
from tests.docs.test_sell_products import PAGE as CENTRE_PAGE

PAGE = "docs/how-to/budget-a-project.md"
TASK = """cat > task.yaml <<'YAML'
resources: {accelerators: "A100:1", labels: {suanwang/walltime: 1h}}
run: echo done
YAML
export SUANWANG_PROFILE=acme
"""
LAST = """suanwang project show vision --json > project.json
suanwang project budget vision --budget-yuan 30 --hard
suanwang submit task.yaml --project vision --json > refused.json 2>&1 && exit 9
suanwang job list
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_runs(short_folder: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(short_folder),
        "SUANWANG_PORT": str(free_port()),
        "LANG": "C.UTF-8",
        **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
    }
    script = "\n".join([HUB, blocks(CENTRE_PAGE)[0], TASK, *blocks(PAGE), LAST])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=short_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    found = json.loads((short_folder / "project.json").read_text())
    assert (found["budget_fen"], found["hard"], found["alert_percent"]) == (800_000, True, [50, 90])
    assert 0 < found["held_fen"] == 800_000 - found["left_fen"] <= 2_100
    assert "BUDGET_EXCEEDED" in (short_folder / "refused.json").read_text()
