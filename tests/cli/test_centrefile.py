"""One file for the network and for the agent."""

from typing import Any

import pytest
import yaml

from suanwang.agent.config import read_agent_config
from suanwang.centrefile import load_centre_file, read_centre_file
from suanwang.errors import InvalidInput
from suanwang.wire import NewNodes

TEXT = """
centre:
  id: zgc
  organisation: zgc-org
  name: Zhongguancun AI Centre
  name_zh: 中关村智算中心
  city: 北京
  latitude: 39.98
  longitude: 116.31
  provider: {type: intelligent, pflops: 400}
driver: local
agent: {poll_s: 0.5}
pools:
  - id: zgc-a100
    chip: a100-sxm-80g
    nodes: {count: 4, prefix: a, chips: 8, cpus: 64}
    offer: {fen_per_chip_hour: 2100, max_walltime: 24h}
  - id: zgc-910b
    chip: ascend-910b3
    nodes: [{name: n1, chips: 8, cpus: 192}, {name: n2, chips: 4}]
    offer: {fen_per_chip_hour: 0, max_walltime: 3600, bills_lost_work: true}
    local: {settings: of the driver}
"""
DAY_S, HOUR_S = 86_400, 3_600  # house: what the file says


def test_both_forms_of_nodes() -> None:
    centre = read_centre_file(TEXT)
    assert (centre.id, centre.organisation_id, centre.name_zh) == ("zgc", "zgc-org", "中关村智算中心")
    assert centre.provider == {"type": "intelligent", "pflops": 400}
    counted, listed = centre.pools
    assert [node.name for node in counted.nodes] == ["a1", "a2", "a3", "a4"]
    assert {(node.chips, node.cpus) for node in counted.nodes} == {(8, 64)}
    assert listed.nodes == (NewNodes(name="n1", chips=8, cpus=192), NewNodes(name="n2", chips=4, cpus=1))
    assert (counted.max_walltime_s, counted.bills_lost_work) == (DAY_S, False)
    assert (listed.max_walltime_s, listed.bills_lost_work, listed.fen_per_chip_hour) == (HOUR_S, True, 0)


PRICES = """offer:
      fen_per_chip_hour: 2100
      preemptible_fen_per_chip_hour: 1300
      max_walltime: 24h
      rates:
        - {days: mon-fri, from: 22:00, until: "08:00", fen_per_chip_hour: 1400}
        - {days: [sat, sun], from: "08:00", until: 22:00, fen_per_chip_hour: 1200, preemptible_fen_per_chip_hour: 500}
"""
FLAT = "offer: {fen_per_chip_hour: 2100, max_walltime: 24h}\n"


def test_prices_by_the_time_of_the_week() -> None:
    centre = read_centre_file(TEXT.replace(FLAT, PRICES).replace("id: zgc\n", "id: zgc\n  timezone: Asia/Urumqi\n"))
    pool = centre.pools[0]
    assert (centre.timezone, pool.fen_per_chip_hour, pool.preemptible_fen_per_chip_hour) == (
        "Asia/Urumqi",
        2_100,
        1_300,
    )
    night, weekend = pool.rates
    assert (night.days, night.from_min, night.until_min) == ((0, 1, 2, 3, 4), 22 * 60, 8 * 60)
    assert (night.fen_per_chip_hour, night.preemptible_fen_per_chip_hour) == (1_400, None)
    assert (weekend.days, weekend.from_min, weekend.until_min) == ((5, 6), 8 * 60, 22 * 60)
    assert (weekend.fen_per_chip_hour, weekend.preemptible_fen_per_chip_hour) == (1_200, 500)
    assert read_centre_file(TEXT).timezone == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("mon-fri", "mon-fry", "pools[0].offer.rates[0].days"),
        ("[sat, sun]", "[sat, sat]", "pools[0].offer.rates[1].days"),
        ("from: 22:00", "from: 22", "pools[0].offer.rates[0].from"),
        ('until: "08:00"', 'until: "24:30"', "pools[0].offer.rates[0].until"),
        ('until: "08:00"', 'till: "08:00"', "pools[0].offer.rates[0].till"),
        ('[sat, sun], from: "08:00"', '[sat, sun], from: "07:00"', "pools[0].offer.rates[1]"),
        ("preemptible_fen_per_chip_hour: 500", "preemptible_fen_per_chip_hour: 1201", "pools[0].offer.rates[1]"),
        ("1200,", "-1,", "pools[0].offer.rates[1].fen_per_chip_hour"),
    ],
)
def test_prices_that_cannot_be(old: str, new: str, field: str) -> None:
    assert old in PRICES
    with pytest.raises(InvalidInput) as no:
        read_centre_file(TEXT.replace(FLAT, PRICES.replace(old, new)))
    assert no.value.facts["field"].startswith(field)


def test_cabinets_and_own_tenants() -> None:
    text = TEXT.replace("cpus: 64}", "cpus: 64, nodes_per_cabinet: 2}").replace(
        "cpus: 192}", "cpus: 192, cabinet: row-1}"
    )
    text = text.replace("max_walltime: 24h}", "max_walltime: 24h, own_tenants_first: [acme, qinghe]}")
    counted, listed = read_centre_file(text).pools
    assert [node.cabinet for node in counted.nodes] == ["a-cabinet1", "a-cabinet1", "a-cabinet2", "a-cabinet2"]
    assert [node.cabinet for node in listed.nodes] == ["row-1", ""]
    assert (counted.own_tenants_first, listed.own_tenants_first) == (("acme", "qinghe"), ())


def test_the_agent_reads_the_same_nodes() -> None:
    config = read_agent_config(load_centre_file(TEXT))
    offered = read_centre_file(TEXT)
    assert (config.centre_id, config.driver, config.poll_s) == ("zgc", "local", 0.5)
    for mine, theirs in zip(config.pools, offered.pools, strict=True):
        assert (mine.id, mine.chip_id) == (theirs.id, theirs.chip)
        assert [(n.name, n.chips, n.cpus) for n in mine.nodes] == [(n.name, n.chips, n.cpus) for n in theirs.nodes]


def test_the_organisation_of_the_call_goes_first() -> None:
    assert read_centre_file(TEXT, organisation_id="other").organisation_id == "other"


REMOVED = object()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("centre", "organisation"), REMOVED, "centre.organisation"),
        (("centre", "id"), "no spaces here", "centre.id"),
        (("centre", "name"), "", "centre.name"),
        (("centre", "city"), REMOVED, "centre.city"),
        (("centre", "latitude"), 91, "centre.latitude"),
        (("centre", "longitude"), "116.31", "centre.longitude"),
        (("centre", "colour"), "red", "centre.colour"),
        (("centre", "provider"), [], "centre.provider"),
        (("driver",), 7, "driver"),
        (("slurm",), {}, "slurm"),
        (("pools",), [], "pools"),
        (("pools", 1, "id"), "zgc-a100", "pools"),
        (("pools", 0, "price"), 3, "pools[0].price"),
        (("pools", 0, "nodes", "count"), 0, "pools[0].nodes.count"),
        (("pools", 0, "nodes", "chips"), True, "pools[0].nodes.chips"),
        (("pools", 1, "nodes", 1, "name"), "n1", "pools[1].nodes"),
        (("pools", 1, "nodes", 1, "chips"), 0, "pools[1].nodes[1].chips"),
        (("pools", 0, "offer"), REMOVED, "pools[0].offer"),
        (("pools", 0, "offer", "fen_per_chip_hour"), 21.5, "pools[0].offer.fen_per_chip_hour"),
        (("pools", 0, "offer", "max_walltime"), "soon", "pools[0].offer.max_walltime"),
        (("pools", 0, "offer", "max_walltime"), REMOVED, "pools[0].offer.max_walltime"),
        (("pools", 0, "offer", "bills_lost_work"), "yes, please", "pools[0].offer.bills_lost_work"),
        (("pools", 0, "offer", "own_tenants_first"), "acme", "pools[0].offer.own_tenants_first"),
        (("pools", 0, "offer", "own_tenants_first"), ["No One"], "pools[0].offer.own_tenants_first[0]"),
        (("pools", 0, "nodes", "nodes_per_cabinet"), 5, "pools[0].nodes.nodes_per_cabinet"),
        (("pools", 1, "nodes", 0, "cabinet"), "", "pools[1].nodes[0].cabinet"),
        (("pools", 0, "offer", "discount"), 3, "pools[0].offer.discount"),
    ],
)
def test_refusals_name_the_path(path: tuple[Any, ...], value: Any, field: str) -> None:
    file = yaml.safe_load(TEXT)
    place = file
    for step in path[:-1]:
        place = place[step]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(InvalidInput) as refused:
        read_centre_file(yaml.safe_dump(file))
    assert refused.value.facts["field"] == field


@pytest.mark.parametrize("text", ["", "- 1", "a: &a [*a]", "centre: {id: x"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_centre_file(text)
