"""Every command in the docs runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.testing.processes import free_port

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


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_of_the_readme_exists(readme: str) -> None:
    for block in blocks(readme):
        for line in block.splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["suanwang"]:
                names = [word for word in words[1:3] if word.isalpha() and word.islower()]
                subprocess.run(
                    [sys.executable, "-m", "suanwang", *names, "--help"], check=True, capture_output=True, timeout=30
                )
            elif words:
                assert os.access(ROOT / words[0], os.X_OK), words[0]


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
