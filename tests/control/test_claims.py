"""Claims, and what keeps a programme's money from those whom its rules do not mean."""

from dataclasses import replace

import msgspec
import pytest

from suanwang.control import network, voucher
from suanwang.control.network import Joining
from suanwang.control.prove import prove
from suanwang.domain.centre import Centre, Node, Offer, Pool
from suanwang.domain.ledger import budget, expired
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import InvalidInput, NotAllowed
from suanwang.store import centre, ledger
from suanwang.testing.network import SmallNetwork
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import ClaimAnswer, ContractPart, NewClaim, NewProgramme

RULES = """
id: p
name_zh: 测试
issuer_zh: 测试
jurisdiction: 北京
service: {kinds: [intelligent], uses: [training], contract_once: true}
providers: {mode: whitelist, list: [partners]}
rates: [{when: {}, rate_max_bp: 2000}]
caps: {per_entity_year_fen: 200000000}
redemption: {flow: offset}
voucher: {validity_months: 3}
"""
BUDGET_FEN = 1_000_000
CLAIM = NewClaim(
    programme_id="p",
    contract_id="C-1",
    signed_on="2023-11-01",
    term_days=100,
    parts=(ContractPart(kind="intelligent", amount_fen=100_000),),
)


async def programme(net: SmallNetwork, automatic_limit_fen: int, rules: str = RULES) -> None:
    officer = await net.add_agency("agency")
    new = NewProgramme(rules=rules, automatic_limit_fen=automatic_limit_fen)
    await voucher.add_programme(net.db, officer, new, net.call(officer), net.now_s)
    await voucher.fund(net.db, officer, "p", BUDGET_FEN, net.call(officer), net.now_s)


async def claim(net: SmallNetwork, tenant: Actor, contract_id: str, signed_on: str = "2023-11-01") -> ClaimAnswer:
    new = msgspec.structs.replace(CLAIM, contract_id=contract_id, signed_on=signed_on)
    return await voucher.claim(net.db, tenant, new, net.call(tenant), net.now_s)


async def test_a_contract_that_is_cut_into_many_is_still_decided_by_a_person(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 0, {"legal_person": True})
    await net.add_centre("east", provider={"on_list": ["partners"]})
    await programme(net, automatic_limit_fen=50_000)
    answers = [await claim(net, tenant, f"C-{number}") for number in range(4)]
    assert [(one.state, one.granted_fen) for one in answers] == [
        ("granted", 20_000),
        ("granted", 20_000),
        ("verified", 0),
        ("verified", 0),
    ]
    other = await net.add_tenant("other", 0, {"legal_person": True})
    assert (await claim(net, other, "D-1")).state == "granted"


@pytest.mark.parametrize("again", [" C-1", "c-1 ", "Ｃ－１", "C-1\u3000", "\tc-1"])
async def test_one_contract_has_one_id_however_it_is_typed(net: SmallNetwork, again: str) -> None:
    tenant = await net.add_tenant("acme", 0, {"legal_person": True})
    await net.add_centre("east", provider={"on_list": ["partners"]})
    await programme(net, automatic_limit_fen=10**8)
    assert (await claim(net, tenant, "C-1")).state == "granted"
    assert [one.code for one in (await claim(net, tenant, again)).refusals] == ["CONTRACT_ALREADY_CLAIMED"]
    assert (await claim(net, tenant, "C- 1")).state == "granted"


async def test_a_contract_of_the_future_is_refused(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 0, {"legal_person": True})
    await net.add_centre("east", provider={"on_list": ["partners"]})
    await programme(net, automatic_limit_fen=10**8)
    with pytest.raises(InvalidInput) as no:
        await claim(net, tenant, "C-1", "2023-11-16")
    assert no.value.facts["field"] == "signed_on"
    assert (await claim(net, tenant, "C-1", "2023-11-15")).state == "granted"


def joining(lists: list[str] | None) -> Joining:
    facts: dict[str, object] = {} if lists is None else {"on_list": lists}
    where = Centre("east", "East", "east", "北京", 39.9, 116.4, facts)
    return Joining(where, (Pool("east-pool", "east", "a100-sxm-80g", (Node("n0", 8, 64),), Offer(1_000, 86_400)),))


async def test_no_centre_puts_itself_on_a_list(net: SmallNetwork) -> None:
    """A list opens a programme's purse; what the administrator has said may be said again."""
    await net.add_centre("west")
    operator = Actor("operator", "west-org", Role.CENTRE_OPERATOR)

    async def join(actor: Actor, lists: list[str] | None) -> bool:
        return await network.join_centre(
            net.db, net.catalogue, actor, joining(lists), "west-org", net.call(actor), net.now_s
        )

    with pytest.raises(NotAllowed) as no:
        await join(operator, ["partners"])
    assert no.value.code == "LIST_IS_NOT_YOURS"
    async with net.db.transaction() as tx:
        assert [one.centre.id for one in await centre.centres(tx)] == ["west"]
    admin = replace(operator, role=Role.NETWORK_ADMIN)
    assert await join(admin, ["partners"])
    assert not await join(operator, ["partners"])
    assert not await join(operator, None)
    with pytest.raises(NotAllowed):
        await join(operator, ["partners", "others"])


@pytest.mark.parametrize(("said", "void_fen"), [("return_to_programme", 0), ("void", 20_000)])
async def test_what_is_left_at_the_end_goes_where_the_rules_say(net: SmallNetwork, said: str, void_fen: int) -> None:
    tenant = await net.add_tenant("acme", 0, {"legal_person": True})
    await net.add_centre("east", provider={"on_list": ["partners"]})
    await programme(net, 10**8, RULES.replace("validity_months: 3", f"validity_months: 3, on_expiry: {said}"))
    await claim(net, tenant, "C-1")
    assert await voucher.expire_vouchers(net.db, net.now_s) == 0
    net.now_s += 100 * SECONDS_PER_DAY
    assert await voucher.expire_vouchers(net.db, net.now_s) == 1
    assert await voucher.expire_vouchers(net.db, net.now_s) == 0
    async with net.db.transaction() as tx:
        assert await ledger.balance_fen(tx, budget("p")) == BUDGET_FEN - void_fen
        balances = {one.kind: one.amount_fen for one in await ledger.open_balances(tx, expired("p").kind)}
    assert sum(balances.values()) == void_fen
    assert (await prove(net.db, net.now_s)).hold


async def test_a_rule_that_no_flow_follows_is_refused(net: SmallNetwork) -> None:
    with pytest.raises(InvalidInput) as no:
        await programme(net, 0, RULES.replace("validity_months: 3", "validity_months: 3, divisible: false"))
    assert no.value.facts["field"] == "voucher.divisible"
