"""Worked cases: the facts of one decision as JSON, and the decision.

A key that is absent takes the value that satisfies the rule, so that a case names only what it is about. Conditions of
rates are no rules: absent, they do not hold. Real claims are not read here: what they leave out is not proved.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from suanwang.domain.voucher.answer import Assessment
from suanwang.domain.voucher.claim import assess
from suanwang.domain.voucher.days import start_of_day_s
from suanwang.domain.voucher.facts import Applicant, Contract, History, Part, Provider
from suanwang.domain.voucher.programme import Criterion, Programme, ProviderMode
from suanwang.domain.voucher.terms import Redemption, VoucherTerms, expire, redeem, terms_of, transfer
from suanwang.errors import InvalidInput
from suanwang.rulesfile.values import (
    MAX_DAYS,
    MAX_FEN,
    MAX_YEARS,
    Block,
    Read,
    at,
    bp,
    day,
    fen,
    flag,
    list_of,
    mapping,
    quantity,
    refuse_unknown,
    sequence,
    short_text,
    typed,
    whole,
    word_of,
    word_or_words,
)

ANY_DAY = date(2000, 1, 1)
"""The day of a case that names none: it is also the day of the grant, so no voucher has ended."""


@dataclass(frozen=True, slots=True)
class ClaimCase:
    applicant: Applicant
    contract: Contract
    history: History
    on: date | None


@dataclass(frozen=True, slots=True)
class RedeemCase:
    terms: VoucherTerms
    applicant: Applicant
    request: Redemption
    history: History


@dataclass(frozen=True, slots=True)
class ExpireCase:
    terms: VoucherTerms
    left_fen: int
    on_s: int


@dataclass(frozen=True, slots=True)
class TransferCase:
    terms: VoucherTerms
    left_fen: int
    on_s: int


Case = ClaimCase | RedeemCase | ExpireCase | TransferCase


def read_case(programme: Programme, row: Mapping[str, Any]) -> Case:
    """The typed inputs of a case: a row with `inputs` (JSON, as text or decoded), or the inputs themselves.

    Raises InvalidInput naming the key of what is unknown or of the wrong type.
    """
    if "inputs" in row and row.get("programme", programme.id) != programme.id:
        raise InvalidInput("programme", row["programme"], f"a case of {programme.id}")
    raw = row.get("inputs", row)
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise InvalidInput("inputs", raw, f"JSON ({error})") from None
    inputs = dict(mapping(raw, "inputs"))
    action = word_of(tuple(ACTIONS))(inputs.pop("action", row.get("action", "claim")), "action")
    return ACTIONS[action](programme, inputs)


def decide(programme: Programme, case: Case) -> Assessment:
    """The decision of a case."""
    match case:
        case ClaimCase(applicant, contract, history, on):
            return assess(programme, applicant, contract, history, on=on)
        case RedeemCase(terms, applicant, request, history):
            return redeem(programme, terms, applicant, request, history)
        case ExpireCase(terms, left_fen, on_s):
            return expire(terms, left_fen, on_s)
        case TransferCase(terms, left_fen, on_s):
            return transfer(terms, left_fen, on_s)


def _claim(programme: Programme, inputs: dict[str, Any]) -> ClaimCase:
    refuse_unknown(inputs, ("action", "contract", "entity", "history", "on"), "")
    entity = dict(_part(inputs, "entity"))
    # The model has both among its rules of eligibility; they are facts of the need.
    of_need = {key: entity.pop(key) for key in ("project_tags", "other_subsidy", "other_subsidies") if key in entity}
    return ClaimCase(
        _applicant(programme, entity),
        _contract(programme, of_need | dict(_part(inputs, "contract"))),
        _history(_part(inputs, "history")),
        _optional_day(inputs, "on"),
    )


def _redeem(programme: Programme, inputs: dict[str, Any]) -> RedeemCase:
    voucher = typed(inputs, REDEEM, "")
    bill_fen, requested_fen = voucher.get("bill_fen"), voucher.get("requested_fen")
    left_fen = voucher.get("voucher_left_fen", requested_fen if requested_fen is not None else bill_fen)
    if left_fen is None:
        raise InvalidInput("voucher_left_fen", None, "one of voucher_left_fen, requested_fen, bill_fen")
    terms, on_s = _terms(programme, voucher)
    request = Redemption(
        on_s=on_s,
        voucher_left_fen=left_fen,
        requested_fen=requested_fen,
        bill_fen=bill_fen,
        paid=voucher.get("paid", True),
        other_side_claimed=voucher.get("other_side_claimed", False),
    )
    return RedeemCase(
        terms, _applicant(programme, dict(_part(inputs, "entity"))), request, _history(_part(inputs, "history"))
    )


def _expire(programme: Programme, inputs: dict[str, Any]) -> ExpireCase:
    voucher = typed(inputs, VOUCHER, "")
    return ExpireCase(*_left(programme, voucher))


def _transfer(programme: Programme, inputs: dict[str, Any]) -> TransferCase:
    voucher = typed(inputs, {**VOUCHER, "to": (short_text, False)}, "")
    return TransferCase(*_left(programme, voucher))


def _left(programme: Programme, voucher: dict[str, Any]) -> tuple[VoucherTerms, int, int]:
    terms, on_s = _terms(programme, voucher)
    return terms, voucher.get("voucher_left_fen", 0), on_s


def _terms(programme: Programme, voucher: dict[str, Any]) -> tuple[VoucherTerms, int]:
    """Terms of the case's voucher, and the second of its day. Absent days are those on which it is valid."""
    granted_on = voucher.get("granted_on", voucher.get("on", ANY_DAY))
    on = voucher.get("on", granted_on)
    return terms_of(programme, voucher.get("rate_bp"), start_of_day_s(granted_on)), start_of_day_s(on)


def _applicant(programme: Programme, entity: dict[str, Any]) -> Applicant:
    rules = programme.eligibility
    named = _renamed(entity, {"type": "entity_type", "is_legal_person": "legal_person"}, "entity")
    # Every other word that is true is a mark: programmes relax caps for applicants by words of their own.
    other = {key: flag(value, at("entity", key)) for key, value in named.items() if key not in APPLICANT}
    facts = typed({key: value for key, value in named.items() if key in APPLICANT}, APPLICANT, "entity")
    marks = (*facts.pop("marks", ()), *(key for key, holds in other.items() if holds))
    satisfying = {
        "registered_in": next(iter(rules.registered_in), None),
        "entity_type": next(iter(rules.entity_types), None),
        "legal_person": True,
    }
    return Applicant(**{**satisfying, **facts, "marks": marks})


def _contract(programme: Programme, contract: dict[str, Any]) -> Contract:
    service, rules = programme.service, programme.eligibility
    named = _renamed(contract, {"use": "uses", "other_subsidy": "other_subsidies"}, "contract")
    if named.get("other_subsidies") is True:
        named["other_subsidies"] = list(rules.not_in_other_subsidy)
    elif named.get("other_subsidies") is False:
        named["other_subsidies"] = []
    one = [mapping(named.pop("provider"), "contract.provider")] if "provider" in named else [{}]
    providers = sequence(named.pop("providers", one), "contract.providers")
    facts = typed(named, CONTRACT, "contract")
    if "parts" not in facts:
        raise InvalidInput("contract.parts", None, "the parts of the contract")
    first_days = [first for first in (service.signed_on_or_after, programme.valid_from) if first is not None]
    satisfying = {
        "id": "contract",
        "signed_on": max(first_days, default=None),
        "term_days": service.max_term_days,
        "uses": service.uses[:1],
        "project_tags": rules.project_tags[:1],
        "used": True,
    }
    return Contract(
        **{
            **satisfying,
            **facts,
            "providers": tuple(
                _provider(programme, mapping(one, f"contract.providers[{i}]"), f"contract.providers[{i}]")
                for i, one in enumerate(providers)
            ),
        }
    )


def _provider(programme: Programme, provider: Mapping[str, Any], path: str) -> Provider:
    named = _renamed(provider, {"whitelisted": "listed", "in_whitelist": "listed", "on_list": "listed"}, path)
    facts = typed(named, PROVIDER, path)
    satisfying: dict[str, Any] = {}
    if programme.providers.mode is ProviderMode.WHITELIST:
        satisfying["listed"] = "id" not in facts or facts["id"] in (programme.providers.list or ())
    for criterion in programme.providers.any_of:
        needed = {name: getattr(criterion, name) for name in Criterion.__slots__}
        asked = {name.removeprefix("min_"): value for name, value in needed.items() if value is not None}
        if all(
            facts[name] >= value if f"min_{name}" in needed else facts[name] == value
            for name, value in asked.items()
            if name in facts
        ):
            satisfying = asked
            break
    return Provider(**{**satisfying, **facts})


def _history(history: Mapping[str, Any]) -> History:
    return History(**typed(history, HISTORY, "history"))


def _part(inputs: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = inputs.get(key)
    return {} if value is None else mapping(value, key)


def _optional_day(inputs: Mapping[str, Any], key: str) -> date | None:
    found: date | None = typed({key: inputs.get(key)}, {key: (day, False)}, "").get(key)
    return found


def _renamed(raw: Mapping[str, Any], names: Mapping[str, str], path: str) -> dict[str, Any]:
    """The same facts under the model's names; people write some of them in other words."""
    renamed: dict[str, Any] = {}
    for key, value in raw.items():
        name = names.get(key, key)
        if name in renamed:
            raise InvalidInput(at(path, key), value, f"{name} once")
        renamed[name] = value
    return renamed


def _part_of_contract(value: Any, path: str) -> Part:
    facts = typed(mapping(value, path), {"kind": (short_text, False), "amount_fen": (fen, False)}, path)
    if len(facts) != 2:
        raise InvalidInput(path, value, "kind and amount_fen")
    return Part(**facts)


_words: Read = word_or_words(short_text)
_years: Read = whole(0, MAX_YEARS, "years")

APPLICANT: Block = {
    "registered_in": (short_text, True),
    "entity_type": (short_text, True),
    "legal_person": (flag, False),
    "size": (short_text, True),
    "startup": (flag, False),
    "marks": (_words, False),
    "years_since_dishonesty": (_years, True),
    "years_since_blacklisted": (_years, True),
    "cap_uplift": (flag, False),
}
CONTRACT: Block = {
    "id": (short_text, False),
    "parts": (list_of(_part_of_contract), False),
    "signed_on": (day, False),
    "term_days": (whole(1, MAX_DAYS, "days"), False),
    "uses": (_words, False),
    "chip_domestic": (flag, False),
    "filed_multimodal_model_service": (flag, False),
    "project_tags": (_words, False),
    "other_subsidies": (_words, False),
    "split_of": (short_text, True),
    "used": (flag, False),
}
PROVIDER: Block = {
    "id": (short_text, False),
    "listed": (flag, False),
    "in_city_plan": (flag, False),
    "matching_partner": (flag, False),
    "in_cluster": (short_text, True),
    "type": (short_text, True),
    "pflops": (quantity, False),
    "racks": (whole(0, MAX_FEN, "racks"), False),
    "related": (flag, False),
}
HISTORY: Block = {
    "claimed_year_fen": (fen, False),
    "claimed_total_fen": (fen, False),
    "redeemed_year_fen": (fen, False),
    "redeemed_total_fen": (fen, False),
    "claimed_contracts": (_words, False),
    "programme_left_fen": (whole(-MAX_FEN, MAX_FEN, "fen"), True),
    "other_side_claimed": (flag, False),
}
VOUCHER: Block = {
    "granted_on": (day, False),
    "on": (day, False),
    "voucher_left_fen": (fen, False),
    "rate_bp": (bp, False),
}
REDEEM: Block = {
    **VOUCHER,
    "requested_fen": (fen, False),
    "bill_fen": (fen, False),
    "paid": (flag, False),
    "other_side_claimed": (flag, False),
    "entity": (mapping, False),
    "history": (mapping, False),
}
ACTIONS: Mapping[str, Callable[[Programme, dict[str, Any]], Case]] = {
    "claim": _claim,
    "redeem": _redeem,
    "expire": _expire,
    "transfer": _transfer,
}
