"""A network in one file: centres with pools, links between them, what their electricity costs and emits.

    centres:
      - id: north
        pools:
          - {id: north-a100, chip: a100-sxm-80g, nodes: {count: 4, chips: 8, cpus: 64}, fen_per_chip_hour: 2100}
    links:
      - {latency_ms: 25, mbit_per_s: 10000}

docs/reference/network-file.md says what every field means.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.centrefile import MAX_FEN_PER_CHIP_HOUR, mapping, read_id, read_nodes, read_text, read_whole
from suanwang.domain.centre import Offer, Pool
from suanwang.errors import InvalidInput
from suanwang.replay.energy import CARBON, PRICE, Rate, Tariff, read_series
from suanwang.replay.network import NO_LIMIT_S, Network
from suanwang.units import KWH_PER_MWH, duration_s

MAX_BYTES = 2**22
_FILE = ("name", "centres", "links", "energy")
_CENTRE = ("id", "pools", "carbon_zone", "price_zone", "g_per_kwh", "fen_per_kwh")
_POOL = ("id", "chip", "nodes", "fen_per_chip_hour", "max_walltime", "watts_per_chip")
_LINK = ("between", "latency_ms", "mbit_per_s")
_ENERGY = ("begins", "carbon", "price", "fen_per_usd")


def read_network_file(path: Path) -> Network:
    """Raises InvalidInput naming the path of the field. Files named in it lie beside it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InvalidInput("network", str(path), f"a YAML file that can be read ({broken})") from None
    return read_network(text, path.parent, path.stem)


def read_network(text: str, folder: Path, name: str) -> Network:
    """Raises InvalidInput naming the path of the field."""
    file = mapping("network file", load_yaml(text, max_bytes=MAX_BYTES))
    _require_known("", file, _FILE)
    centres = _entries("centres", file.get("centres"))
    ids = [read_id(f"{where}.id", centre.get("id")) for where, centre in centres]
    _require_distinct("centres", ids)
    energy = mapping("energy", file.get("energy", {}))
    _require_known("energy", energy, _ENERGY)
    pools: list[Pool] = []
    watts: dict[str, int] = {}
    for (where, centre), centre_id in zip(centres, ids, strict=True):
        _require_known(where, centre, _CENTRE)
        for at, line in _entries(f"{where}.pools", centre.get("pools")):
            pool = _pool(at, line, centre_id)
            pools.append(pool)
            if line.get("watts_per_chip") is not None:
                watts[pool.id] = read_whole(f"{at}.watts_per_chip", line["watts_per_chip"], 1, 1_000_000)
    _require_distinct("pools", [pool.id for pool in pools])
    return Network(
        name=read_text("name", file.get("name", name)),
        pools=tuple(pools),
        watts_per_chip=watts,
        transfer=_transfer(file.get("links", []), ids),
        tariffs={
            centre_id: _tariff(where, centre, energy, folder)
            for (where, centre), centre_id in zip(centres, ids, strict=True)
        },
    )


def _pool(where: str, line: Mapping[str, Any], centre_id: str) -> Pool:
    _require_known(where, line, _POOL)
    limit = line.get("max_walltime")
    return Pool(
        id=read_id(f"{where}.id", line.get("id")),
        centre_id=centre_id,
        chip_id=read_id(f"{where}.chip", line.get("chip")),
        nodes=read_nodes(f"{where}.nodes", line.get("nodes")),
        offer=Offer(
            read_whole(f"{where}.fen_per_chip_hour", line.get("fen_per_chip_hour", 0), 0, MAX_FEN_PER_CHIP_HOUR),
            NO_LIMIT_S if limit is None else duration_s(str(limit), f"{where}.max_walltime"),
        ),
    )


def _transfer(links: object, centres: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """Links hold both ways; one without `between` is for every pair that has none of its own."""
    if links == []:
        return {}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    otherwise: tuple[int, int] | None = None
    for where, link in _entries("links", links):
        _require_known(where, link, _LINK)
        latency_ms = read_whole(f"{where}.latency_ms", link.get("latency_ms", 0), 0, 1_000_000)
        terms = (latency_ms, read_whole(f"{where}.mbit_per_s", link.get("mbit_per_s"), 1, 1_000_000_000))
        ends = link.get("between")
        if ends is None:
            otherwise = terms
        elif not isinstance(ends, list) or len(ends) != 2 or not set(ends) <= set(centres) or ends[0] == ends[1]:
            raise InvalidInput(f"{where}.between", ends, f"two of {', '.join(centres)}")
        else:
            found[ends[0], ends[1]] = found[ends[1], ends[0]] = terms
    for pair in permutations(centres, 2):
        if pair not in found and otherwise is None:
            raise InvalidInput(
                "links", " - ".join(pair), "a link between them, or one without `between` for all others"
            )
        found.setdefault(pair, otherwise or (0, 0))
    return found


def _tariff(where: str, centre: Mapping[str, Any], energy: Mapping[str, Any], folder: Path) -> Tariff:
    return Tariff(
        g_per_kwh=_rate(where, centre, energy, folder, "carbon", CARBON, 1.0),
        fen_per_kwh=_rate(where, centre, energy, folder, "price", PRICE, _fen_per_usd(energy) / KWH_PER_MWH),
        begins_s=_begins_s(energy),
    )


def _rate(
    where: str, centre: Mapping[str, Any], energy: Mapping[str, Any], folder: Path, what: str,
    columns: tuple[str, ...], scale: float,
) -> Rate | None:  # fmt: skip
    """A constant rate, or the series of a zone."""
    constant = {"carbon": "g_per_kwh", "price": "fen_per_kwh"}[what]
    if (zone := centre.get(f"{what}_zone")) is None:
        value = centre.get(constant)
        return None if value is None else _number(f"{where}.{constant}", value)
    if what not in energy or (what == "price" and "fen_per_usd" not in energy):
        raise InvalidInput(f"{where}.{what}_zone", zone, f"a file under energy.{what} (and fen_per_usd for prices)")
    path = folder / read_text(f"energy.{what}", energy[what])
    return read_series(path, read_text(f"{where}.{what}_zone", zone), columns, scale)


def _fen_per_usd(energy: Mapping[str, Any]) -> float:
    return _number("energy.fen_per_usd", energy.get("fen_per_usd", 0))


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1_000_000:
        raise InvalidInput(where, value, "0 to 1000000")
    return float(value)


def _begins_s(energy: Mapping[str, Any]) -> int:
    begins = energy.get("begins")
    if begins is None:
        return 0
    try:
        moment = datetime.fromisoformat(str(begins))
    except ValueError:
        raise InvalidInput("energy.begins", begins, "a date, or a date and time, like 2023-01-01T00:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _entries(where: str, value: object) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, list) or not value:
        raise InvalidInput(where, value, "a list of one or more")
    return [(f"{where}[{at}]", mapping(f"{where}[{at}]", entry)) for at, entry in enumerate(value)]


def _require_known(where: str, line: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in line:
        if key not in known:
            raise InvalidInput(f"{where}.{key}".lstrip("."), line[key], f"known here: {', '.join(known)}")


def _require_distinct(where: str, ids: list[str]) -> None:
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InvalidInput(where, twice, "every id once")
