"""Which centres the rules of a programme accept: by what centres state of themselves, and by the lists of its agency.

A centre states facts (where it is, what it has) in its own file. Whether it is on a list is never its own word: the
officers of the agency that pays keep its lists, and every change stays on record with its time and who made it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from suanwang.domain.tenant import Actor, OrganisationKind, Role
from suanwang.domain.voucher import Programme, Provider, provider_findings
from suanwang.errors import InvalidInput, NotAllowed
from suanwang.rulesfile import programme_of
from suanwang.store import answer, centre, event, provider, voucher
from suanwang.store import organisation as organisations
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database, from_json
from suanwang.store.event import NewEvent
from suanwang.store.voucher import VoucherRecord
from suanwang.wire import NewListing

MEMBERSHIPS = ("in_city_plan", "matching_partner")
"""Criteria of rules that are lists by another name: being in the plan of a city, being a partner of its marketplace."""
DECIDED_BY_OFFICERS = ("listed", "on_list", *MEMBERSHIPS)
STATED = ("in_cluster", "pflops", "racks", "related", "type")


def check_stated(facts: Mapping[str, object]) -> None:
    """What a centre says of itself in its file. Raises InvalidInput naming what is unknown or not its to say."""
    for name, value in facts.items():
        if name in DECIDED_BY_OFFICERS:
            allowed = "nothing: officers of the agency keep its lists (`suanwang provider-list add`)"
            raise InvalidInput(f"centre.provider.{name}", value, allowed, code="NOT_YOURS_TO_SAY")
        if name not in STATED:
            raise InvalidInput(f"centre.provider.{name}", value, f"known are {', '.join(STATED)}")
    try:
        msgspec.convert(facts, Provider)
    except msgspec.ValidationError as error:
        raise InvalidInput("centre.provider", str(error), "the types of the programme model") from None


@dataclass(frozen=True, slots=True)
class Providers:
    """The centres as programmes see them, at one moment."""

    stated: Mapping[str, Provider]
    lists: Mapping[tuple[str, str], frozenset[str]]
    """(agency, centre) -> names of the lists that it is on."""
    accepted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Programme -> centres, as far as it was asked: the rules of a programme never change."""

    def provider(self, programme: Programme, agency_id: str, centre_id: str) -> Provider:
        """A centre as the facts of a claim name it."""
        lists = self.lists.get((agency_id, centre_id), frozenset())
        return replace(
            self.stated[centre_id],
            id=centre_id,
            listed=not lists.isdisjoint(programme.providers.list or ()),
            in_city_plan="in_city_plan" in lists,
            matching_partner="matching_partner" in lists,
        )

    async def with_centres(self, tx: Connection, records: Iterable[VoucherRecord]) -> list[VoucherRecord]:
        """Vouchers with the centres where each pays now, by the rules that it was issued under."""
        found = list(records)
        unknown = sorted({record.programme_id for record in found} - self.accepted.keys())
        if unknown:
            for row in await voucher.programmes_of(tx, unknown):
                programme = programme_of(from_json(row["rules"], dict[str, Any]))
                self.accepted[row["id"]] = tuple(
                    centre_id
                    for centre_id in self.stated
                    if not any(provider_findings(programme, self.provider(programme, row["agency_id"], centre_id)))
                )
        return [replace(record, centre_ids=self._of_contract(record)) for record in found]

    def _of_contract(self, record: VoucherRecord) -> tuple[str, ...]:
        accepted = self.accepted[record.programme_id]
        if not record.asked_centres:
            return accepted
        return tuple(centre_id for centre_id in accepted if centre_id in record.asked_centres)


async def read_providers(tx: Connection) -> Providers:
    """As the transaction sees them."""
    lists: dict[tuple[str, str], set[str]] = {}
    for one in await provider.listings(tx):
        lists.setdefault((one.agency_id, one.centre_id), set()).add(one.list)
    stated = {record.centre.id: _stated(record.centre.provider_facts) for record in await centre.centres(tx)}
    return Providers(stated, {place: frozenset(names) for place, names in lists.items()})


def _stated(facts: Mapping[str, object]) -> Provider:
    """Facts of old files may have types that are refused today: what cannot be read is not proved."""
    try:
        return msgspec.convert({name: facts[name] for name in STATED if name in facts}, Provider)
    except msgspec.ValidationError:
        return Provider()


async def change_list(db: Database, actor: Actor, new: NewListing, call: Call, now_s: int) -> bool:
    """An officer puts a centre on a list of the agency, or takes it off. False if it was so already.

    Vouchers pay at a centre for jobs submitted while it is on the list; what a job has set aside stays set aside.

    Raises NotAllowed (another agency's list), InvalidInput (no programme of the agency names the list), NotFound.
    """
    agency_id = new.agency_id or actor.organisation_id
    if actor.role is Role.PROGRAMME_OFFICER and agency_id != actor.organisation_id:
        raise NotAllowed("an officer keeps the lists of its own agency", agency=agency_id)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, bool, now_s)
        if repeated is not None:
            return repeated
        if (await organisations.organisation(tx, agency_id)).kind is not OrganisationKind.AGENCY:
            raise InvalidInput("agency_id", agency_id, "the agency whose list it is")
        await organisations.lock(tx, [agency_id])
        await centre.centre(tx, new.centre_id)
        if new.listed:
            await _require_named(tx, agency_id, new.list)
        changed = await provider.append(tx, agency_id, new.list, new.centre_id, new.listed, actor.token_id, now_s)
        if changed:
            kind = "provider_listed" if new.listed else "provider_unlisted"
            body = {"agency": agency_id, "list": new.list}
            await event.append(tx, now_s, actor.token_id, [NewEvent(kind, centre_id=new.centre_id, body=body)])
        await answer.remember(tx, call, changed)
    return changed


async def _require_named(tx: Connection, agency_id: str, name: str) -> None:
    """A list that no rules name would change nothing, and nobody would notice a slip of the pen."""
    known: dict[str, None] = {}
    for row in await voucher.programmes(tx):
        if row["agency_id"] == agency_id:
            rules = programme_of(from_json(row["rules"], dict[str, Any])).providers
            known |= dict.fromkeys(rules.list or ())
            known |= dict.fromkeys(one for one in MEMBERSHIPS if any(getattr(asked, one) for asked in rules.any_of))
    if name not in known:
        raise InvalidInput("list", name, f"lists that programmes of {agency_id} name: {', '.join(known) or 'none'}")
