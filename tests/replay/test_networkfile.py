"""The network file: what is wrong is named by the path of its field."""

from pathlib import Path

import pytest

from suanwang.errors import InvalidInput
from suanwang.replay.networkfile import read_network, read_network_file
from suanwang.replay.policyfile import POLICIES, choose_policy
from tests.replay.conftest import Write, log

POOL = "{id: p, chip: x, nodes: {count: 2, chips: 8}}"
CENTRE = f"{{id: a, pools: [{POOL}]}}"
OTHER = "{id: b, pools: [{id: q, chip: x, nodes: [{name: n, chips: 4, cpus: 9}]}]}"


def test_what_is_not_said(tmp_path: Path) -> None:
    network = read_network(f"centres: [{CENTRE}, {OTHER}]", tmp_path, "file")
    assert network.name == "file"
    assert [(each.id, each.centre_id, each.chips, each.offer.fen_per_chip_hour) for each in network.pools] == [
        ("p", "a", 16, 0), ("q", "b", 4, 0),
    ]  # fmt: skip
    assert network.transfer == {}
    assert network.watts_per_chip == {}
    assert network.alone("b") == network.pools[1:]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "network file"),
        ("centres: []", "centres"),
        ("centres: [{id: a}]", "centres[0].pools"),
        (
            "centres: [{id: a, pools: [{id: p, chip: x, nodes: {count: 0, chips: 8}}]}]",
            "centres[0].pools[0].nodes.count",
        ),
        (f"centres: [{CENTRE}, {CENTRE}]", "centres"),
        (f"centres: [{CENTRE}, {OTHER.replace('q', 'p')}]", "pools"),
        (f"centres: [{CENTRE}]\nplaces: 1", "places"),
        (f"centres: [{CENTRE.replace('}]}', ', watts: 5}]}')}]", "centres[0].pools[0].watts"),
        (f"centres: [{CENTRE.replace('}]}', ', max_walltime: soon}]}')}]", "centres[0].pools[0].max_walltime"),
        (f"centres: [{CENTRE}, {OTHER}]\nlinks: [{{between: [a, z], mbit_per_s: 1}}]", "links[0].between"),
        (f"centres: [{CENTRE}, {OTHER}]\nlinks: [{{between: [a, b]}}]", "links[0].mbit_per_s"),
        (f"centres: [{CENTRE[:-1]}, carbon_zone: Z}}]", "centres[0].carbon_zone"),
        (f"centres: [{CENTRE[:-1]}, fen_per_kwh: cheap}}]", "centres[0].fen_per_kwh"),
        (f"centres: [{CENTRE}]\nenergy: {{begins: soon}}", "energy.begins"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_network(text, tmp_path, "file")
    assert caught.value.facts["field"] == field


def test_every_pair_has_a_link_or_none_has(tmp_path: Path) -> None:
    third = OTHER.replace("id: b", "id: c").replace("id: q", "id: r")
    centres = f"centres: [{CENTRE}, {OTHER}, {third}]\n"
    with pytest.raises(InvalidInput, match="a - c"):
        read_network(centres + "links: [{between: [a, b], mbit_per_s: 1}]", tmp_path, "file")
    found = read_network(
        centres + "links: [{between: [a, b], mbit_per_s: 1}, {mbit_per_s: 9, latency_ms: 3}]", tmp_path, "f"
    )
    assert found.transfer["b", "a"] == (0, 1)
    assert found.transfer["c", "a"] == (3, 9)


def test_series_of_real_zones(tmp_path: Path) -> None:
    carbon = log("energy/carbon_intensity_hourly_2021_2024.parquet")
    price = log("energy/electricity_price_hourly_2020_2024.parquet")
    text = (
        f"centres: [{CENTRE[:-1]}, carbon_zone: AU-NSW, price_zone: AT}}]\n"
        f"energy: {{begins: 2022-06-01, carbon: {carbon}, price: {price}, fen_per_usd: 710}}"
    )
    tariff = read_network(text, tmp_path, "file").tariffs["a"]
    assert tariff.begins_s == 1_654_041_600
    assert tariff.g_per_kwh is not None
    assert tariff.fen_per_kwh is not None


def test_policies(write: Write, tmp_path: Path) -> None:
    assert choose_policy() == ("easy", POLICIES["easy"])
    name, policy = choose_policy(str(write("deep.yaml", "order: sjf\nreservation_depth: 4\n")), placement="first_fit")
    assert (name, policy.order, policy.reservation_depth, policy.placement) == ("deep", "sjf", 4, "first_fit")
    assert choose_policy("fifo", depth=3)[1].reservation_depth == 3
    for text, field in (
        ("order: best", "order"),
        ("speed: 1", "speed"),
        ("reservation_depth: -1", "reservation_depth"),
    ):
        with pytest.raises(InvalidInput) as caught:
            choose_policy(str(write("bad.yaml", text)))
        assert caught.value.facts["field"] == f"bad.yaml: {field}"
    with pytest.raises(InvalidInput, match="conservative"):
        choose_policy(str(tmp_path / "absent"))


def test_the_file_of_the_example_is_good() -> None:
    network = read_network_file(Path(__file__).parents[2] / "examples/replay/network.yaml")
    assert {each.centre_id for each in network.pools} == {"beijing", "guiyang", "shanghai"}
