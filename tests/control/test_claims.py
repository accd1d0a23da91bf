"""Claims: what is granted at once, and which contracts are the same."""

from uuid import UUID

import pytest

from suanwang.control import voucher
from suanwang.control.prove import prove
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import InvalidInput, Refused
from suanwang.testing.network import SmallNetwork
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import ClaimAnswer, ContractPart, NewClaim, NewProgramme

OFFICER = Actor("officer", "agency", Role.PROGRAMME_OFFICER)
RULES = """
id: p
rates: [{when: {}, rate_max_bp: 10000}]
redemption: {flow: offset, after_payment: false}
caps: {year_basis: BASIS}
"""
FACTS: dict[str, object] = {"legal_person": True}


async def programme(net: SmallNetwork, basis: str = "natural", limit_fen: int = 5_000) -> None:
    await net.add_agency("agency")
    new = NewProgramme(rules=RULES.replace("BASIS", basis), automatic_limit_fen=limit_fen)
    await voucher.add_programme(net.db, OFFICER, new, net.call(OFFICER), net.now_s)
    await voucher.fund(net.db, OFFICER, "p", 10**9, net.call(OFFICER), net.now_s)


async def claim(
    net: SmallNetwork, tenant: Actor, contract: str, fen: int, signed_on: str = "2023-11-01", **facts: object
) -> ClaimAnswer:
    part = ContractPart(kind="intelligent", amount_fen=fen)
    new = NewClaim(programme_id="p", contract_id=contract, signed_on=signed_on, term_days=9, parts=(part,), facts=facts)
    return await voucher.claim(net.db, tenant, new, net.call(tenant), net.now_s)


def codes(given: ClaimAnswer) -> list[str]:
    return [refusal.code for refusal in given.refusals]


async def test_the_automatic_limit_is_for_the_sum_of_a_tenant(net: SmallNetwork) -> None:
    acme, other = await net.add_tenant("acme", 0, FACTS), await net.add_tenant("other", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    states = [(await claim(net, acme, f"C-{i}", 2_000)).state for i in range(3)]
    assert states == ["granted", "granted", "verified"]
    assert (await claim(net, acme, "C-small", 1_000)).state == "granted"
    assert (await claim(net, acme, "C-smaller", 1)).state == "verified"
    assert (await claim(net, other, "D-1", 5_000)).state == "granted"
    assert (await prove(net.db, net.now_s)).hold


async def test_what_an_officer_granted_counts_too(net: SmallNetwork) -> None:
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    waits = await claim(net, acme, "C-1", 9_000)
    assert waits.state == "verified"
    await voucher.decide(net.db, OFFICER, UUID(waits.claim_id), 4_500, net.call(OFFICER), net.now_s)
    assert [(await claim(net, acme, f"C-{fen}", fen)).state for fen in (501, 500)] == ["verified", "granted"]


@pytest.mark.parametrize(("basis", "days", "state"), [("natural", 48, "granted"), ("rolling12", 48, "verified")])
async def test_the_limit_is_new_in_the_programme_s_next_year(
    net: SmallNetwork, basis: str, days: int, state: str
) -> None:
    """From the middle of November 48 days lead into January."""
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net, basis)
    assert (await claim(net, acme, "C-1", 5_000)).state == "granted"
    net.now_s += days * SECONDS_PER_DAY
    assert (await claim(net, acme, "C-2", 5_000)).state == state


@pytest.mark.parametrize("again", ["C-1 ", " C-1", "c-1", "Ｃ－１", "C-1\u3000", "\tC-1\n"])
async def test_a_contract_written_otherwise_is_the_same_contract(net: SmallNetwork, again: str) -> None:
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    assert (await claim(net, acme, "C-1", 100)).state == "granted"
    assert codes(await claim(net, acme, again, 100)) == ["CONTRACT_ALREADY_CLAIMED"]
    async with net.db.transaction() as tx:
        shown = [row["contract_id"] for row in await tx.fetch("select contract_id from claim order by submitted_s, id")]
    assert sorted(shown) == sorted(["C-1", " ".join(again.split())])


async def test_pieces_of_one_contract_are_one_contract(net: SmallNetwork) -> None:
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    assert (await claim(net, acme, "C-1", 100, split_of="Whole 7")).state == "granted"
    assert codes(await claim(net, acme, "C-2", 100, split_of="whole  7")) == ["CONTRACT_ALREADY_CLAIMED"]


@pytest.mark.parametrize("number", ["", "  ", "C-1\u200b", "C" * 201])
async def test_a_number_that_cannot_be_read_is_none(net: SmallNetwork, number: str) -> None:
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    with pytest.raises(InvalidInput, match="contract_id"):
        await claim(net, acme, number, 100)


async def test_a_contract_that_is_signed_tomorrow_is_refused(net: SmallNetwork) -> None:
    """It is the morning of 15 November in China."""
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net)
    given = await claim(net, acme, "C-1", 100, signed_on="2023-11-16")
    assert codes(given) == ["SIGNED_IN_FUTURE"]
    assert given.refusals[0].facts["field"] == "contract.signed_on"
    assert [advice.facts["needed"] for advice in given.advice] == ["2023-11-15"]
    assert (await claim(net, acme, "C-1", 100, signed_on="2023-11-15")).state == "granted"


async def test_an_officer_cannot_grant_one_contract_twice(net: SmallNetwork) -> None:
    acme = await net.add_tenant("acme", 0, FACTS)
    await net.add_centre("east")
    await programme(net, limit_fen=0)
    first, second = await claim(net, acme, "C-1", 100), await claim(net, acme, "C-1 ", 100)
    await voucher.decide(net.db, OFFICER, UUID(first.claim_id), 100, net.call(OFFICER), net.now_s)
    with pytest.raises(Refused) as refused:
        await voucher.decide(net.db, OFFICER, UUID(second.claim_id), 100, net.call(OFFICER), net.now_s)
    assert refused.value.facts["refusals"] == ["CONTRACT_ALREADY_CLAIMED"]
