"""A centre in one file: who it is, what it has, what it offers.

    centre: {id: zgc, name: Zhongguancun AI Centre, name_zh: 中关村智算中心, city: 北京,
             latitude: 39.98, longitude: 116.31, provider: {type: intelligent, pflops: 400}}
    driver: local
    pools:
      - {id: zgc-a100, chip: a100-sxm-80g, nodes: {count: 4, prefix: a, chips: 8, cpus: 64},
         offer: {fen_per_chip_hour: 2100, max_walltime: 24h, bills_lost_work: false}}

`read_centre_file` reads what the network is told; `agent.config` reads what the agent needs, by the readers below.
A section with the driver's own name (`slurm: {...}`), on top or in a pool, belongs to the driver.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.domain.centre import (
    MAX_CHIPS_PER_NODE,
    MAX_MEMORY_GIB_PER_NODE,
    MAX_NODES_PER_POOL,
    MAX_OWN_TENANTS,
    Node,
)
from suanwang.domain.product import MAX_FEN, MAX_PER, MAX_PRODUCTS, Unit
from suanwang.domain.ratecard import (
    NETWORK_TIMEZONE,
    WEEKDAYS,
    Prices,
    Rate,
    RateCard,
    check_prices,
    check_rates,
    is_timezone,
)
from suanwang.errors import InvalidInput
from suanwang.units import MIB_PER_GIB, MINUTES_PER_DAY, MINUTES_PER_HOUR, duration_s
from suanwang.wire import NewCentre, NewNodes, NewPool, NewProduct, NewRate

MAX_BYTES = 2**20
MAX_CPUS_PER_NODE = 65_536
MAX_FEN_PER_CHIP_HOUR = 10**9
MAX_NAME_LENGTH = 200
DEFAULT_DRIVER = "local"
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

_FILE = ("centre", "driver", "pools", "products", "agent")
_PRODUCT = ("id", "name", "unit", "fen", "per")
_CENTRE = ("id", "organisation", "name", "name_zh", "city", "latitude", "longitude", "timezone", "provider")
_POOL = ("id", "chip", "nodes", "offer")
_PRICES = ("fen_per_chip_hour", "preemptible_fen_per_chip_hour")
_RATE = ("days", "from", "until", *_PRICES)
_OFFER = (*_PRICES, "rates", "max_walltime", "bills_lost_work", "own_tenants_first")


def load_centre_file(text: str) -> Mapping[str, Any]:
    """The file as plain values. Raises InvalidInput."""
    return mapping("centre file", load_yaml(text, max_bytes=MAX_BYTES))


def read_centre_file(text: str, *, organisation_id: str | None = None) -> NewCentre:
    """What the network is told of a centre. `organisation_id` goes before the file's `centre.organisation`.

    Raises InvalidInput naming the path of the field.
    """
    file = load_centre_file(text)
    driver = read_driver(file)
    _require_known("", file, (*_FILE, driver))
    centre = mapping("centre", file.get("centre"))
    _require_known("centre", centre, _CENTRE)
    owner = organisation_id or centre.get("organisation")
    if owner is None:
        raise InvalidInput("centre.organisation", None, "the organisation that runs the centre, here or at the call")
    english = read_text("centre.name", centre.get("name"))
    return NewCentre(
        id=read_id("centre.id", centre.get("id")),
        organisation_id=read_id("centre.organisation", owner),
        name=english,
        name_zh=read_text("centre.name_zh", centre.get("name_zh", english)),
        city=read_text("centre.city", centre.get("city")),
        latitude=_degrees("centre.latitude", centre.get("latitude"), 90),
        longitude=_degrees("centre.longitude", centre.get("longitude"), 180),
        provider=dict(mapping("centre.provider", centre.get("provider", {}))),
        timezone=_timezone(centre.get("timezone", NETWORK_TIMEZONE)),
        pools=tuple(_pool(where, line, driver) for where, line in read_pool_lines(file)),
        products=_products(file.get("products", [])),
    )


def read_driver(file: Mapping[str, Any]) -> str:
    """The driver that the file names. Raises InvalidInput."""
    driver = file.get("driver", DEFAULT_DRIVER)
    if not isinstance(driver, str) or not driver:
        raise InvalidInput("driver", driver, "the name of a driver, like local or slurm")
    return driver


def read_pool_lines(file: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(path, entry) of every pool; their ids are good and differ. Raises InvalidInput."""
    lines = file.get("pools")
    if not isinstance(lines, list) or not lines:
        raise InvalidInput("pools", lines, "a list of one or more pools")
    found = [(f"pools[{i}]", mapping(f"pools[{i}]", line)) for i, line in enumerate(lines)]
    ids = [read_id(f"{where}.id", line.get("id")) for where, line in found]
    if len(set(ids)) != len(ids):
        raise InvalidInput("pools", " ".join(ids), "every pool has an id of its own")
    return found


def _pool(where: str, line: Mapping[str, Any], driver: str) -> NewPool:
    _require_known(where, line, (*_POOL, driver))
    terms = mapping(f"{where}.offer", line.get("offer"))
    _require_known(f"{where}.offer", terms, _OFFER)
    bills_lost_work = terms.get("bills_lost_work", False)
    if not isinstance(bills_lost_work, bool):
        raise InvalidInput(f"{where}.offer.bills_lost_work", bills_lost_work, "true or false")
    prices = _prices(f"{where}.offer", terms)
    nodes = read_nodes(f"{where}.nodes", line.get("nodes"))
    return NewPool(
        id=read_id(f"{where}.id", line.get("id")),
        chip=read_id(f"{where}.chip", line.get("chip")),
        nodes=tuple(
            NewNodes(name=node.name, chips=node.chips, cpus=node.cpus, memory_gib=_gib(node), cabinet=node.cabinet)
            for node in nodes
        ),
        fen_per_chip_hour=prices.fen_per_chip_hour,
        preemptible_fen_per_chip_hour=prices.preemptible_fen,
        rates=_rates(f"{where}.offer", terms.get("rates", []), prices),
        max_walltime_s=_walltime_s(f"{where}.offer.max_walltime", terms.get("max_walltime")),
        bills_lost_work=bills_lost_work,
        own_tenants_first=_own_tenants(f"{where}.offer.own_tenants_first", terms.get("own_tenants_first", [])),
    )


def _prices(where: str, line: Mapping[str, Any]) -> Prices:
    fen, preemptible_fen = (line.get(name) for name in _PRICES)
    prices = Prices(
        read_whole(f"{where}.{_PRICES[0]}", fen, 0, MAX_FEN_PER_CHIP_HOUR),
        None
        if preemptible_fen is None
        else read_whole(f"{where}.{_PRICES[1]}", preemptible_fen, 0, MAX_FEN_PER_CHIP_HOUR),
    )
    check_prices(where, prices)
    return prices


def _rates(where: str, value: object, plain: Prices) -> tuple[NewRate, ...]:
    """Prices at times of the week. Raises InvalidInput, for two that overlap too, naming both."""
    if not isinstance(value, list):
        raise InvalidInput(f"{where}.rates", value, "a list of days, from, until and a price")
    rates = []
    for i, entry in enumerate(value):
        at = f"{where}.rates[{i}]"
        line = mapping(at, entry)
        _require_known(at, line, _RATE)
        begin, end = (_minute(f"{at}.{name}", line.get(name)) for name in ("from", "until"))
        rates.append(Rate(_days(f"{at}.days", line.get("days", list(WEEKDAYS))), begin, end, _prices(at, line)))
    check_rates(where, RateCard(NETWORK_TIMEZONE, plain, tuple(rates)))
    return tuple(
        NewRate(
            days=rate.days,
            from_min=rate.from_min,
            until_min=rate.until_min,
            fen_per_chip_hour=rate.prices.fen_per_chip_hour,
            preemptible_fen_per_chip_hour=rate.prices.preemptible_fen,
        )
        for rate in rates
    )


def _days(where: str, value: object) -> tuple[int, ...]:
    """`mon-fri`, `sat`, or a list of such."""
    found: list[int] = []
    for text in value if isinstance(value, list) else [value]:
        first, _, last = str(text).partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise InvalidInput(where, value, "days from mon to sun, like mon-fri or [sat, sun]")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found += [(begin + i) % len(WEEKDAYS) for i in range((end - begin) % len(WEEKDAYS) + 1)]
    if not found or len(set(found)) != len(found):
        raise InvalidInput(where, value, "every day once")
    return tuple(sorted(found))


def _minute(where: str, value: object) -> int:
    """`22:00` -> 1320. YAML itself reads it so where it stands without quotes."""
    if isinstance(value, int) and not isinstance(value, bool) and MINUTES_PER_HOUR <= value <= MINUTES_PER_DAY:
        return value
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    minute = -1 if found is None else int(found[1]) * MINUTES_PER_HOUR + int(found[2])
    if not 0 <= minute <= MINUTES_PER_DAY:
        raise InvalidInput(where, value, 'a time of the day from "00:00" to "24:00"')
    return minute


def _products(value: object) -> tuple[NewProduct, ...]:
    """What is sold besides chip-hours; their ids are good and differ."""
    if not isinstance(value, list) or len(value) > MAX_PRODUCTS:
        raise InvalidInput("products", value, f"a list of at most {MAX_PRODUCTS} products")
    found = []
    for i, entry in enumerate(value):
        where = f"products[{i}]"
        line = mapping(where, entry)
        _require_known(where, line, _PRODUCT)
        product_id = read_id(f"{where}.id", line.get("id"))
        unit = line.get("unit")
        if unit not in list(Unit):
            raise InvalidInput(f"{where}.unit", unit, f"one of {', '.join(Unit)}")
        found.append(
            NewProduct(
                id=product_id,
                name=read_text(f"{where}.name", line.get("name", product_id)),
                unit=Unit(unit),
                fen=read_whole(f"{where}.fen", line.get("fen"), 1, MAX_FEN),
                per=read_whole(f"{where}.per", line.get("per", 1), 1, MAX_PER),
            )
        )
    ids = [product.id for product in found]
    if len(set(ids)) != len(ids):
        raise InvalidInput("products", " ".join(ids), "every product has an id of its own")
    return tuple(found)


def _own_tenants(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_OWN_TENANTS:
        raise InvalidInput(where, value, f"a list of at most {MAX_OWN_TENANTS} ids of organisations")
    return tuple(read_id(f"{where}[{i}]", tenant_id) for i, tenant_id in enumerate(value))


def _timezone(value: object) -> str:
    if not isinstance(value, str) or not is_timezone(value):
        raise InvalidInput("centre.timezone", value, "a time zone like Asia/Shanghai")
    return value


def _walltime_s(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidInput(where, value, 'the longest time of one attempt, like "24h"')
    return duration_s(str(value), where)


def _degrees(where: str, value: object, most: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -most <= value <= most:
        raise InvalidInput(where, value, f"degrees from -{most} to {most}")
    return float(value)


def _require_known(where: str, line: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in line:
        if key not in known:
            raise InvalidInput(f"{where}.{key}".lstrip("."), line[key], f"known here: {', '.join(known)}")


def read_nodes(where: str, value: object) -> tuple[Node, ...]:
    """Nodes as a centre file writes them: a list of `{name, chips, cpus}`, or `{count, prefix, chips, cpus}`.
    `memory_gib` of a node may be added; where it is not, jobs are not matched by memory. So may its `cabinet`, or
    `nodes_per_cabinet` to the second form.

    The second form makes names of the prefix and numbers from 1. Raises InvalidInput naming the field under `where`.
    """
    if isinstance(value, Mapping):
        count = read_whole(f"{where}.count", value.get("count"), 1, MAX_NODES_PER_POOL)
        prefix = read_id(f"{where}.prefix", value.get("prefix", "node"))
        per_cabinet = read_whole(f"{where}.nodes_per_cabinet", value.get("nodes_per_cabinet", 0), 0, count)
        return tuple(
            _node(where, value, f"{prefix}{at + 1}", f"{prefix}-cabinet{at // per_cabinet + 1}" if per_cabinet else "")
            for at in range(count)
        )
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_NODES_PER_POOL:
        raise InvalidInput(where, value, "a list of nodes, or count, prefix, chips and cpus")
    nodes = []
    for i, entry in enumerate(value):
        line = mapping(f"{where}[{i}]", entry)
        cabinet = "" if line.get("cabinet") is None else read_id(f"{where}[{i}].cabinet", line["cabinet"])
        nodes.append(_node(f"{where}[{i}]", line, read_id(f"{where}[{i}].name", line.get("name")), cabinet))
    names = [node.name for node in nodes]
    if len(set(names)) != len(names):
        raise InvalidInput(where, " ".join(names), "node names are unique within a pool")
    return tuple(nodes)


def _node(where: str, line: Mapping[str, Any], name: str, cabinet: str) -> Node:
    chips = read_whole(f"{where}.chips", line.get("chips"), 1, MAX_CHIPS_PER_NODE)
    cpus = read_whole(f"{where}.cpus", line.get("cpus", 1), 1, MAX_CPUS_PER_NODE)
    memory_mib = None
    if line.get("memory_gib") is not None:
        memory_mib = read_whole(f"{where}.memory_gib", line["memory_gib"], 1, MAX_MEMORY_GIB_PER_NODE) * MIB_PER_GIB
    return Node(name, chips, cpus, memory_mib, cabinet)


def _gib(node: Node) -> int | None:
    """As the file has it: whole GiB."""
    return None if node.memory_mib is None else node.memory_mib // MIB_PER_GIB


def mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(where, value, "a mapping")
    return value


def read_text(where: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH or not value.isprintable():
        raise InvalidInput(where, value, f"a text of 1 to {MAX_NAME_LENGTH} characters on one line")
    return value


def read_id(where: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidInput(where, value, "letters, digits, dots, hyphens and underscores, at most 63")
    return value


def read_whole(where: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(where, value, f"{least} to {most}")
    return value
