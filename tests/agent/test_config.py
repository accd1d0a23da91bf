"""The agent's part of a centre file."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from suanwang.agent.config import read_agent_config
from suanwang.agent.loop import make_driver
from suanwang.domain.centre import Node
from suanwang.errors import InvalidInput

CENTRE_FILE: dict[str, Any] = yaml.safe_load("""
centre: {id: zgc, name: Zhongguancun AI Centre, name_zh: 中关村智算中心, city: 北京, latitude: 39.98, longitude: 116.31}
driver: local
pools:
  - {id: zgc-a100, chip: a100-sxm-80g, nodes: {count: 2, prefix: a, chips: 8, cpus: 64}, offer: {max_walltime: 24h}}
  - id: zgc-cpu
    chip: cpu
    nodes: [{name: c1, chips: 4, cpus: 4}, {name: c2, chips: 2}]
agent: {state_dir: /srv/zgc, poll_s: 0.5, wait_s: 10, keep_runs: 2d}
""")


def test_a_centre_file_is_read() -> None:
    config = read_agent_config(CENTRE_FILE)
    assert (config.centre_id, config.driver, config.state_dir) == ("zgc", "local", Path("/srv/zgc"))
    assert config.pools[0].nodes == (Node("a1", 8, 64), Node("a2", 8, 64))
    assert config.pools[1].nodes == (Node("c1", 4, 4), Node("c2", 2, 1))
    assert (config.poll_s, config.wait_s, config.keep_runs_s) == (0.5, 10, 2 * 86_400)
    assert read_agent_config(CENTRE_FILE, state_dir=Path("/elsewhere")).state_dir == Path("/elsewhere")


def test_the_agent_section_may_be_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = read_agent_config({key: value for key, value in CENTRE_FILE.items() if key != "agent"})
    assert config.state_dir == tmp_path / ".local/state/suanwang/zgc"
    assert config.poll_s == 1.0


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["centre"], None, "centre"),
        (["centre", "id"], "../x", "centre.id"),
        (["driver"], 5, "driver"),
        (["pools"], [], "pools"),
        (["pools", 0, "id"], "zgc-cpu", "pools"),
        (["pools", 0, "chip"], None, "pools[0].chip"),
        (["pools", 0, "nodes"], "four", "pools[0].nodes"),
        (["pools", 0, "nodes", "count"], 0, "pools[0].nodes.count"),
        (["pools", 0, "nodes", "count"], True, "pools[0].nodes.count"),
        (["pools", 0, "nodes", "chips"], 2_000, "pools[0].nodes.chips"),
        (["pools", 1, "nodes", 1, "name"], "c1", "pools[1].nodes"),
        (["agent", "poll_s"], 0.01, "agent.poll_s"),
        (["agent", "poll_s"], float("nan"), "agent.poll_s"),
        (["agent", "keep_runs"], "soon", "agent.keep_runs"),
        (["agent", "pol_s"], 1, "agent.pol_s"),
    ],
)
def test_what_is_wrong_is_named(path: list[Any], value: object, field: str) -> None:
    broken = deepcopy(CENTRE_FILE)
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidInput) as refusal:
        read_agent_config(broken)
    assert refusal.value.facts["field"] == field


def test_an_unknown_driver_is_refused(tmp_path: Path) -> None:
    config = read_agent_config({**CENTRE_FILE, "driver": "abacus"}, state_dir=tmp_path)
    with pytest.raises(InvalidInput, match="abacus"):
        make_driver(config)
