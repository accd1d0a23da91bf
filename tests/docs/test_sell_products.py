"""The page on prices and products: its commands do what it says, on a hub of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.centrefile import read_centre_file
from suanwang.testing.processes import free_port
from tests.docs.test_commands import blocks

PAGE = "docs/how-to/sell-products.md"
HUB = """set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
export SUANWANG_HOME=$PWD/network
suanwang up --port $SUANWANG_PORT > hub.log 2>&1 &
until suanwang whoami > /dev/null 2>&1; do sleep 0.3; done
suanwang organisation add zgc-org --name Zhongguancun --kind centre
suanwang organisation add acme --name Acme --kind tenant
suanwang token issue --organisation acme --role tenant_admin --save-profile acme
suanwang account top-up acme 100
"""
LAST = (
    "suanwang order show 1 --profile acme --json > order.json\nsuanwang account --profile acme --json > account.json\n"
)


def test_the_file_of_the_page_is_read() -> None:
    found = re.search(r"<<'YAML'\n(.*?)^YAML$", blocks(PAGE)[0], re.MULTILINE | re.DOTALL)
    assert found is not None
    centre = read_centre_file(found[1], organisation_id="zgc-org")
    assert [len(pool.rates) for pool in centre.pools] == [2]
    assert {product.unit for product in centre.products} == {"million-tokens", "gib-month", "gib", "hour"}


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
    done = subprocess.run(
        ["bash", "-c", HUB + "\n".join(blocks(PAGE)) + LAST],
        cwd=short_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    receipt = json.loads((short_folder / "order.json").read_text())
    assert (receipt["order"]["state"], receipt["order"]["charged_fen"]) == ("closed", 375)
    assert [use["amount_fen"] for use in receipt["uses"]] == [375]
    assert json.loads((short_folder / "account.json").read_text())["cash_fen"] == 10_000 - 375
    assert "Mon, Tue, Wed, Thu, Fri 22:00-08:00" in done.stdout
    proofs = re.search(r"(\d+) of (\d+) statements hold", done.stdout)
    assert proofs is not None
    assert proofs[1] == proofs[2]
