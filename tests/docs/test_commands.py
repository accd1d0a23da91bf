"""Every command in the docs runs as it stands there."""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.testing.processes import free_port
from tests.docs.commands import in_fences, in_sentences, problem_of

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[str]:
    found = BLOCK.findall((ROOT / name).read_text("utf-8"))
    assert found
    return found


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_the_tutorial_runs(short_folder: Path) -> None:
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(
        blocks("docs/tutorial/first-network.md")
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(short_folder),
        "SUANWANG_PORT": str(free_port()),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=short_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    logs = "".join(f"--- {log.name}\n{log.read_text()[-2_000:]}" for log in short_folder.glob("*.log"))
    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}\n{logs}"
    assert "hello from zgc with chips" in done.stdout
    proofs = re.search(r"(\d+) of (\d+) statements hold", done.stdout)
    assert proofs is not None
    assert int(proofs[1]) == int(proofs[2]) > 10
    # Three seconds of two chips at a yuan a second, or a little more: the voucher and the tenant bear half each.
    voucher, cash = (
        re.search(rf"^{part} part +(\d+\.\d\d)", done.stdout, re.MULTILINE) for part in ("voucher", "cash")
    )
    assert voucher is not None
    assert cash is not None
    assert voucher[1] == cash[1]
    assert 3 <= float(voucher[1]) <= 10


PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_documented_command_is_understood() -> None:
    seen, problems = 0, []
    for page in PAGES:
        text = page.read_text("utf-8")
        for command, whole in [(c, True) for c in in_fences(text)] + [(c, False) for c in in_sentences(text)]:
            seen += 1
            if problem := problem_of(command, whole=whole):
                problems.append(f"{page.name}: {command}: {problem}")
    assert problems == []
    assert seen > 40


def test_every_command_that_advises_another_names_one_that_exists() -> None:
    """What sentences of the program tell people to type."""
    said = {
        re.sub(r"\{\w+\}", "X", command): path.name
        for path in (ROOT / "src").rglob("*.py")
        for command in in_sentences(path.read_text("utf-8"))
    }
    assert len(said) > 10
    problems = {name: problem_of(name, whole=False) for name in said}
    assert {name: (said[name], problem) for name, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("suanwang job lst", "No such command"),
        ("suanwang submit task.yaml --wat", "No such option"),
        ("suanwang up --port many", "Invalid value for '--port'"),
        ("suanwang job show", "Missing"),
    ],
)
def test_a_command_that_is_not_there_is_seen(command: str, says: str) -> None:
    text = f"```bash\necho x | {command} > y  # comment\n```\n"
    assert in_fences(text) == [command]
    assert says in str(problem_of(command, whole=True))


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_script_of_the_readme_can_be_run(readme: str) -> None:
    for block in blocks(readme):
        for line in block.splitlines():
            words = line.split("#")[0].split()
            if words and words[0] not in ("suanwang", "cd", "export"):
                assert os.access(ROOT / words[0], os.X_OK), words[0]


def test_the_units_keep_jobs_and_database_alive() -> None:
    units = re.findall(
        r"^```ini\n(.*?)^```$", (ROOT / "docs/how-to/systemd.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    agent, hub = (configparser.ConfigParser() for _ in range(2))
    for reader, unit in zip((agent, hub), units, strict=True):
        reader.optionxform = str  # type: ignore[assignment]  # systemd minds the case
        reader.read_string(unit)
    assert (agent["Service"]["KillMode"], agent["Service"]["OOMPolicy"]) == ("process", "continue")
    assert hub["Service"]["KillMode"] == "mixed"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
