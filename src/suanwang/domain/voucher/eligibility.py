"""Who and what is eligible: every refusal that the facts alone decide, each with the smallest change that turns it."""

from collections.abc import Iterator, Sequence
from datetime import date

from suanwang.domain.voucher.answer import Change, Finding, RefusalCode, finding
from suanwang.domain.voucher.facts import Applicant, Contract, History, Provider, contract_key
from suanwang.domain.voucher.programme import Criterion, Issued, Programme, ProviderMode, Rate, When


def entity_findings(programme: Programme, applicant: Applicant, contract: Contract) -> Iterator[Finding]:
    code, rules = RefusalCode, programme.eligibility
    honest_years, blacklist_years = rules.no_dishonesty_years, programme.anti_abuse.blacklist_years
    if rules.registered_in and applicant.registered_in not in rules.registered_in:
        places = list(rules.registered_in)
        change = Change("applicant.registered_in", applicant.registered_in, places)
        yield finding(code.ENTITY_NOT_ELIGIBLE, "eligibility.registered_in", places, change)
    if rules.entity_types and not _is_type(applicant.entity_type, rules.entity_types):
        types = list(rules.entity_types)
        change = Change("applicant.entity_type", applicant.entity_type, types)
        yield finding(code.ENTITY_NOT_ELIGIBLE, "eligibility.entity_types", types, change)
    if rules.requires_legal_person and not applicant.legal_person:
        change = Change("applicant.legal_person", False, True)
        yield finding(code.ENTITY_NOT_ELIGIBLE, "eligibility.requires_legal_person", True, change)
    if rules.project_tags and not set(rules.project_tags).intersection(contract.project_tags):
        tags = list(rules.project_tags)
        change = Change("contract.project_tags", list(contract.project_tags), tags)
        yield finding(code.ENTITY_NOT_ELIGIBLE, "eligibility.project_tags", tags, change)
    for rule, field, years, limit_years in (
        ("eligibility.no_dishonesty_years", "years_since_dishonesty", applicant.years_since_dishonesty, honest_years),
        ("anti_abuse.blacklist_years", "years_since_blacklisted", applicant.years_since_blacklisted, blacklist_years),
    ):
        if limit_years is not None and years is not None and years < limit_years:
            yield finding(code.DISHONESTY_RECORD, rule, limit_years, Change(f"applicant.{field}", years, limit_years))
    stacked = [scope for scope in contract.other_subsidies if scope in rules.not_in_other_subsidy]
    if stacked:
        kept = [scope for scope in contract.other_subsidies if scope not in stacked]
        change = Change("contract.other_subsidies", list(contract.other_subsidies), kept)
        yield finding(
            code.STACKED_SUBSIDY, "eligibility.not_in_other_subsidy", list(rules.not_in_other_subsidy), change
        )


def _is_type(entity_type: str | None, types: Sequence[str]) -> bool:
    return entity_type is not None and (entity_type in types or (entity_type.endswith("_firm") and "firm" in types))


def contract_findings(programme: Programme, contract: Contract, history: History, on: date | None) -> Iterator[Finding]:
    code, service, abuse = RefusalCode, programme.service, programme.anti_abuse
    yield from _date_findings(programme, contract, on)
    too_long = contract.term_days is None or contract.term_days > (service.max_term_days or 0)
    if service.max_term_days is not None and too_long:
        change = Change("contract.term_days", contract.term_days, service.max_term_days)
        yield finding(code.TERM_TOO_LONG, "service.max_term_days", service.max_term_days, change)
    if service.uses and not (contract.uses and set(contract.uses) <= set(service.uses)):
        kept = [use for use in contract.uses if use in service.uses] or list(service.uses)
        change = Change("contract.uses", list(contract.uses), kept)
        yield finding(code.USE_NOT_ELIGIBLE, "service.uses", list(service.uses), change)
    claimed = set(map(contract_key, history.claimed_contracts))
    if service.contract_once and contract_key(contract.id) in claimed:
        others = [one for one in history.claimed_contracts if contract_key(one) != contract_key(contract.id)]
        change = Change("history.claimed_contracts", list(history.claimed_contracts), others)
        yield finding(code.CONTRACT_ALREADY_CLAIMED, "service.contract_once", True, change)
    elif abuse.split_ban and contract.split_of is not None and contract_key(contract.split_of) in claimed:
        change = Change("contract.split_of", contract.split_of, None)
        yield finding(code.CONTRACT_ALREADY_CLAIMED, "anti_abuse.split_ban", True, change)
    if service.min_contract_fen is not None and contract.amount_fen < service.min_contract_fen:
        change = Change("contract.amount_fen", contract.amount_fen, service.min_contract_fen)
        yield finding(code.BELOW_MIN_CLAIM, "service.min_contract_fen", service.min_contract_fen, change)
    if abuse.both_sides_claim_ban and history.other_side_claimed:
        change = Change("history.other_side_claimed", True, False)
        yield finding(code.OTHER_SIDE_CLAIMED, "anti_abuse.both_sides_claim_ban", True, change)
    if programme.voucher.issued is Issued.AFTER_USE and not contract.used:
        yield finding(code.NOT_PAID, "voucher.issued", "after_use", Change("contract.used", False, True))


def _date_findings(programme: Programme, contract: Contract, on: date | None) -> Iterator[Finding]:
    starts = [
        (day, rule)
        for day, rule in (
            (programme.service.signed_on_or_after, "service.signed_on_or_after"),
            (programme.valid_from, "valid_from"),
        )
        if day is not None
    ]
    signed_on, last = contract.signed_on, programme.valid_to
    now = signed_on.isoformat() if signed_on else None
    if starts:
        first, rule = max(starts, key=lambda start: start[0])
        if signed_on is None or signed_on < first:
            change = Change("contract.signed_on", now, first.isoformat())
            yield finding(RefusalCode.SIGNED_TOO_EARLY, rule, first.isoformat(), change)
    too_early = on is not None and programme.valid_from is not None and on < programme.valid_from
    if signed_on is not None and on is not None and signed_on > on and not too_early:
        latest = on if last is None else min(on, last)
        change = Change("contract.signed_on", now, latest.isoformat())
        yield finding(RefusalCode.SIGNED_IN_FUTURE, "on", on.isoformat(), change)
    elif signed_on is not None and last is not None and signed_on > last:
        change = Change("contract.signed_on", now, last.isoformat())
        yield finding(RefusalCode.EXPIRED, "valid_to", last.isoformat(), change)
    if on is not None and programme.valid_from is not None and on < programme.valid_from:
        change = Change("on", on.isoformat(), programme.valid_from.isoformat())
        yield finding(RefusalCode.SIGNED_TOO_EARLY, "valid_from", programme.valid_from.isoformat(), change)
    if on is not None and last is not None and on > last:
        yield finding(RefusalCode.EXPIRED, "valid_to", last.isoformat(), Change("on", on.isoformat(), last.isoformat()))


def component_findings(programme: Programme, contract: Contract, base_fen: int) -> Iterator[Finding]:
    if base_fen > 0:
        return
    service = programme.service
    kinds = [kind for kind in service.kinds if kind not in service.exclude_components]
    now = sorted({part.kind for part in contract.parts if part.amount_fen > 0})
    change = Change("contract.parts", now, kinds or ["any kind that is not excluded"])
    yield finding(RefusalCode.NO_ELIGIBLE_COMPONENT, "service.kinds", list(service.kinds), change)


def provider_findings(programme: Programme, provider: Provider, place: int = 0) -> Iterator[Finding]:
    """Why the rules refuse this provider, the `place`-th of the contract. None: it may be paid with a voucher."""
    field = f"contract.providers[{place}]"
    if programme.anti_abuse.related_party_ban and provider.related:
        change = Change(f"{field}.related", True, False)
        yield finding(RefusalCode.RELATED_PARTY, "anti_abuse.related_party_ban", True, change)
    rules = programme.providers
    if rules.mode is ProviderMode.WHITELIST and not provider.listed:
        change = Change(f"{field}.listed", False, True)
        yield finding(RefusalCode.PROVIDER_NOT_ELIGIBLE, "providers.list", list(rules.list or ()), change)
    if rules.mode is ProviderMode.ANY_OF:
        unmet = min((_unmet_criterion(criterion, provider, field) for criterion in rules.any_of), key=_distance)
        if unmet:
            asked = [_stated(criterion) for criterion in rules.any_of]
            yield finding(RefusalCode.PROVIDER_NOT_ELIGIBLE, "providers.any_of", asked, *unmet)


def _stated(criterion: Criterion) -> dict[str, object]:
    values = {name: getattr(criterion, name) for name in Criterion.__slots__}
    return {name: value for name, value in values.items() if value is not None}


def _unmet_criterion(criterion: Criterion, provider: Provider, field: str) -> list[Change]:
    unmet = []
    for name, needed in _stated(criterion).items():
        fact = name.removeprefix("min_")
        now = getattr(provider, fact)
        if now < needed if name != fact else now != needed:
            unmet.append(Change(f"{field}.{fact}", now, needed))
    return unmet


def _distance(unmet: Sequence[Change]) -> tuple[int, int]:
    """How far a provider is from a criterion: what it would have to be weighs more than what it would have to add."""
    other_kind = sum(not change.field.endswith(("pflops", "racks")) for change in unmet)
    return other_kind, len(unmet)


def matching_rate(programme: Programme, applicant: Applicant, contract: Contract) -> tuple[Rate | None, list[Finding]]:
    """The first rate whose conditions hold, or what keeps the nearest one from holding."""
    nearest: list[Change] = []
    for rate in programme.rates:
        unmet = _unmet_conditions(rate.when, applicant, contract, programme.service.uses)
        if not unmet:
            return rate, []
        if not nearest or len(unmet) < len(nearest):
            nearest = unmet
    field = nearest[0].field
    if field == "contract.uses":
        code = RefusalCode.USE_NOT_ELIGIBLE
    elif field.startswith("contract."):
        code = RefusalCode.NO_ELIGIBLE_COMPONENT
    else:
        code = RefusalCode.ENTITY_NOT_ELIGIBLE
    return None, [finding(code, "rates", nearest[0].needed, *nearest)]


def _unmet_conditions(
    when: When, applicant: Applicant, contract: Contract, eligible_uses: Sequence[str]
) -> list[Change]:
    unmet = [
        Change(field, now, needed)
        for field, now, needed in (
            ("applicant.startup", applicant.startup, when.startup),
            ("contract.chip_domestic", contract.chip_domestic, when.chip_domestic),
            (
                "contract.filed_multimodal_model_service",
                contract.filed_multimodal_model_service,
                when.filed_multimodal_model_service,
            ),
        )
        if needed is not None and now != needed
    ]
    if when.use and not (contract.uses and set(contract.uses) <= set(when.use)):
        uses = [use for use in when.use if not eligible_uses or use in eligible_uses]
        unmet.append(Change("contract.uses", list(contract.uses), uses))
    if when.size and applicant.size not in when.size:
        unmet.append(Change("applicant.size", applicant.size, list(when.size)))
    return unmet
