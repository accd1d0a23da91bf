"""Centres, their pools of like-for-like nodes, and the chips in them."""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from suanwang.domain.ratecard import Prices, RateCard, check_prices, check_rates
from suanwang.errors import InvalidInput
from suanwang.units import MIB_PER_GIB


@dataclass(frozen=True, slots=True)
class Chip:
    """One model of chip. `id` is the catalogue's name, `aliases` are how tenants and schedulers write it."""

    id: str
    name: str
    stack: str
    """Software stack: cuda, cann, rocm, cpu, ..."""
    domestic: bool | None
    fp16_tflops: float | None
    """Dense peak, as published; basis: peak."""
    memory_gb: float | None
    aliases: tuple[str, ...] = ()


LIKENESS = 0.7
"""From this part of common letters on, a name may be another mistyped: `A10O` is near A100, `H9000` near nothing."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The chips that exist."""

    chips: tuple[Chip, ...]
    _by_id: dict[str, Chip] = field(init=False, repr=False, compare=False)
    _by_name: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named: dict[str, set[str]] = {}
        for chip in self.chips:
            for name in _names(chip):
                named.setdefault(name, set()).add(chip.id)
        object.__setattr__(self, "_by_id", {chip.id: chip for chip in self.chips})
        object.__setattr__(self, "_by_name", {name: frozenset(ids) for name, ids in named.items()})

    def matching(self, written: str, field: str = "accelerators") -> frozenset[str]:
        """Ids of the chips that a tenant may mean by `written`; case, spaces and dashes do not matter.

        Raises InvalidInput with the nearest names if there is none.
        """
        found = self._by_name.get(_plain(written))
        if found is None:
            names = {_plain(name): name for chip in self.chips for name in (*chip.aliases, chip.id)}
            near = [names[plain] for plain in get_close_matches(_plain(written), names, n=3, cutoff=LIKENESS)]
            hint = f"did you mean {', '.join(near)}?" if near else "`suanwang centre list` shows what centres offer"
            raise InvalidInput(field, written, hint, code="UNKNOWN_CHIP")
        return found

    def chip(self, chip_id: str) -> Chip:
        """Raises InvalidInput if the catalogue has no such id."""
        if chip_id in self._by_id:
            return self._by_id[chip_id]
        raise InvalidInput("chip", chip_id, "an id of the chip catalogue, like a100-sxm-80g", code="UNKNOWN_CHIP")


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _names(chip: Chip) -> frozenset[str]:
    return frozenset(_plain(name) for name in (chip.id, chip.name, *chip.aliases))


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a pool. `chips` may be 0 in a CPU pool."""

    name: str
    chips: int
    cpus: int
    memory_mib: int | None = None
    """None: the centre does not say, and every job is taken to find enough."""
    cabinet: str = ""
    """Nodes of one cabinet have fast links among them; a node without a cabinet has them with none."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a centre gives to the network from a pool, and on which terms."""

    fen_per_chip_hour: int
    max_walltime_s: int
    bills_lost_work: bool = False
    """Whether work lost to a failure of the centre is billed; the network's default is that it is not."""
    own_tenants_first: tuple[str, ...] = ()
    """The centre's own tenants, whose jobs go before all others that want the pool, whatever the queue's order."""
    preemptible_fen_per_chip_hour: int | None = None
    """Of jobs that may be told to leave; None: what others pay."""
    rate_card: RateCard | None = None
    """Prices by the time of the week; those above are in force now. None: they are until the centre changes them."""
    until_s: int | None = None
    """With a rate card: until when the prices above are in force, at least."""

    @property
    def one_price(self) -> bool:
        return self.preemptible_fen_per_chip_hour is None

    def price_fen(self, *, preemptible: bool) -> int:
        """Of a chip-hour, to a job that may be told to leave or may not."""
        if preemptible and self.preemptible_fen_per_chip_hour is not None:
            return self.preemptible_fen_per_chip_hour
        return self.fen_per_chip_hour

    def at(self, at_s: int) -> "Offer":
        """The offer with the prices that are in force at an instant."""
        if self.rate_card is None:
            return self
        return replace(self._at(self.rate_card.prices_at(at_s)), until_s=self.rate_card.next_change_s(at_s))

    def levels(self) -> "tuple[Offer, ...]":
        """The offer with each of the prices that may ever be in force."""
        if self.rate_card is None:
            return (self,)
        return tuple(self._at(prices) for prices in self.rate_card.levels)

    def _at(self, prices: Prices) -> "Offer":
        return replace(
            self, fen_per_chip_hour=prices.fen_per_chip_hour, preemptible_fen_per_chip_hour=prices.preemptible_fen
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """Like-for-like nodes of one centre under one offer. In a CPU pool (`chip` "cpu") a chip is one CPU core."""

    id: str
    centre_id: str
    chip_id: str
    nodes: tuple[Node, ...]
    offer: Offer

    @property
    def chips(self) -> int:
        return sum(node.chips for node in self.nodes)

    @property
    def chips_per_node(self) -> int:
        return max((node.chips for node in self.nodes), default=0)


@dataclass(frozen=True, slots=True)
class Centre:
    """An AI computing centre 智算中心. Coordinates in degrees."""

    id: str
    name: str
    name_zh: str
    city: str
    latitude: float
    longitude: float
    provider_facts: dict[str, object]
    """What voucher rules ask of a provider: in_city_plan, matching_partner, in_cluster, type, pflops, racks, lists."""


MAX_NODES_PER_POOL = 100_000
MAX_NODE_NAME_LENGTH = 200
MAX_CHIPS_PER_NODE = 1_024
MAX_MEMORY_GIB_PER_NODE = 2**20
MAX_OWN_TENANTS = 1_000


def check_pool(pool: Pool) -> None:
    """Refuse a pool that cannot be: no nodes, twice the same node, negative prices.

    Raises InvalidInput.
    """
    where = f"pools[{pool.id}]"
    if not pool.nodes:
        raise InvalidInput(f"{where}.nodes", 0, "a pool has at least one node")
    if len(pool.nodes) > MAX_NODES_PER_POOL:
        raise InvalidInput(f"{where}.nodes", len(pool.nodes), f"at most {MAX_NODES_PER_POOL} nodes in one pool")
    names = [node.name for node in pool.nodes]
    for name in names:
        if not 1 <= len(name) <= MAX_NODE_NAME_LENGTH or not name.isprintable():
            raise InvalidInput(f"{where}.nodes", name, f"names of 1 to {MAX_NODE_NAME_LENGTH} printable characters")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{where}.nodes", twice, "node names are unique within a pool")
    for node in pool.nodes:
        if not 0 < node.chips <= MAX_CHIPS_PER_NODE:
            raise InvalidInput(f"{where}.nodes[{node.name}].chips", node.chips, f"1 to {MAX_CHIPS_PER_NODE}")
        if node.memory_mib is not None and not 0 < node.memory_mib <= MAX_MEMORY_GIB_PER_NODE * MIB_PER_GIB:
            allowed = f"more than 0, at most {MAX_MEMORY_GIB_PER_NODE} GiB"
            raise InvalidInput(f"{where}.nodes[{node.name}].memory_mib", node.memory_mib, allowed)
        if len(node.cabinet) > MAX_NODE_NAME_LENGTH or not node.cabinet.isprintable():
            allowed = f"at most {MAX_NODE_NAME_LENGTH} printable characters"
            raise InvalidInput(f"{where}.nodes[{node.name}].cabinet", node.cabinet, allowed)
    prices = Prices(pool.offer.fen_per_chip_hour, pool.offer.preemptible_fen_per_chip_hour)
    check_prices(f"{where}.offer", prices)
    if pool.offer.rate_card is not None:
        check_rates(f"{where}.offer", pool.offer.rate_card)
    if pool.offer.max_walltime_s <= 0:
        raise InvalidInput(f"{where}.offer.max_walltime_s", pool.offer.max_walltime_s, "more than 0 seconds")
    owners = len(pool.offer.own_tenants_first)
    if owners > MAX_OWN_TENANTS:
        raise InvalidInput(f"{where}.offer.own_tenants_first", owners, f"at most {MAX_OWN_TENANTS} tenants")
