"""Rules files of voucher programmes: YAML of the normalised model -> `Programme`.

Two layouts: one programme at the top level, or `defaults` and a list of `programmes`, each overlaid on the defaults key
by key. A missing key, or one that is null where the model knows no null, takes the default. Whatever the model does not
know is refused by name, so that no rule is silently ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.domain.voucher.programme import (
    AntiAbuse,
    Budget,
    Caps,
    CoFunder,
    ContractRules,
    Counts,
    Criterion,
    Eligibility,
    Face,
    Flow,
    Incentives,
    Issued,
    OnExhausted,
    OnExpiry,
    PointsRule,
    Programme,
    ProviderMode,
    Providers,
    Rate,
    RebateRule,
    RedemptionRules,
    Rounding,
    Settlement,
    VoucherRules,
    When,
    YearBasis,
)
from suanwang.errors import InvalidInput
from suanwang.rulesfile.values import (
    MAX_DAYS,
    MAX_FEN,
    Block,
    Key,
    at,
    bp,
    choice,
    currency,
    day,
    entry_of,
    fen,
    flag,
    list_of,
    mapping,
    months,
    note,
    published,
    quantity,
    refuse_unknown,
    sequence,
    short_text,
    slug,
    typed,
    version,
    whole,
    word_of,
    word_or_words,
    words,
    years,
)
from suanwang.units import BASIS_POINTS

MAX_BYTES = 2**20
MODEL_VERSION = 1

KINDS = ("intelligent", "super", "general", "storage", "model_service", "tuning")
USES = ("training", "inference", "application")


def read_programme(text: str, programme_id: str | None = None) -> Programme:
    """The programme of a rules file, or the one with this id. Raises InvalidInput naming the path of what is wrong."""
    programmes = read_programmes(text)
    if programme_id is None and len(programmes) == 1:
        return programmes[0]
    for programme in programmes:
        if programme.id == programme_id:
            return programme
    known = ", ".join(programme.id for programme in programmes)
    raise InvalidInput("programme_id", programme_id, f"one of {known}")


def read_programmes(text: str) -> tuple[Programme, ...]:
    """All programmes of a rules file of either layout, in its order."""
    raw = mapping(load_yaml(text, max_bytes=MAX_BYTES), "rules")
    if "programmes" not in raw:
        return (programme_of(raw),)
    refuse_unknown(raw, ("model_version", "defaults", "programmes"), "")
    _model_version(raw)
    stated = raw.get("defaults")
    defaults = {} if stated is None else typed(mapping(stated, "defaults"), DEFAULTABLE, "defaults")
    programmes: dict[str, Programme] = {}
    for i, entry in enumerate(sequence(raw["programmes"], "programmes")):
        programme = _programme(mapping(entry, f"programmes[{i}]"), defaults, i)
        if programme.id in programmes:
            raise InvalidInput(f"programmes[{i}].id", programme.id, "every programme once")
        programmes[programme.id] = programme
    if not programmes:
        raise InvalidInput("programmes", [], "at least one programme")
    return tuple(programmes.values())


def programme_of(raw: object) -> Programme:
    """One programme from decoded values, such as stored `rules_json`."""
    rules = dict(mapping(raw, "rules"))
    _model_version(rules)
    rules.pop("model_version", None)
    return _programme(rules, {}, None)


def _model_version(raw: Mapping[str, Any]) -> None:
    version = raw.get("model_version", MODEL_VERSION)
    if version != MODEL_VERSION or isinstance(version, bool):
        raise InvalidInput("model_version", version, f"{MODEL_VERSION}")


def _programme(raw: Mapping[str, Any], defaults: Mapping[str, Any], place: int | None) -> Programme:
    programme_id = slug(raw.get("id"), "id" if place is None else f"programmes[{place}].id")
    path = "" if place is None else f"programmes[{programme_id}]"
    own = typed(raw, PROGRAMME, path)
    merged: dict[str, Any] = {**defaults, **own}
    for name, (block, _) in BLOCKS.items():
        merged[name] = block(**{**defaults.get(name, {}), **own.get(name, {})})
    if "rates" not in merged:
        raise InvalidInput(at(path, "rates"), None, "at least one rate")
    programme = Programme(**merged)
    _check(programme, path)
    return programme


def _check(programme: Programme, path: str) -> None:
    """What single keys cannot tell."""
    shares = [funder.share_bp for funder in programme.budget.co_funding]
    levels = [funder.level for funder in programme.budget.co_funding]
    if shares and (sum(shares) != BASIS_POINTS or len(set(levels)) != len(levels)):
        raise InvalidInput(
            at(path, "budget.co_funding"), sum(shares), f"shares of different levels that sum to {BASIS_POINTS}"
        )
    if programme.valid_from and programme.valid_to and programme.valid_to < programme.valid_from:
        raise InvalidInput(at(path, "valid_to"), programme.valid_to, "a day on or after valid_from")
    mode, listed, any_of = programme.providers.mode, programme.providers.list, programme.providers.any_of
    if listed is not None and mode is not ProviderMode.WHITELIST:
        raise InvalidInput(at(path, "providers.list"), list(listed), "a list belongs to mode whitelist")
    if bool(any_of) != (mode is ProviderMode.ANY_OF):
        raise InvalidInput(at(path, "providers.any_of"), len(any_of), "criteria in mode any_of, and in no other mode")
    if any(rate.when == When() for rate in programme.rates[:-1]):
        raise InvalidInput(
            at(path, "rates"), "a rate without conditions", "it comes last: the first match wins, no other is reached"
        )
    service = programme.service
    for i, rate in enumerate(programme.rates):
        if rate.when.use and service.uses and not set(rate.when.use).intersection(service.uses):
            raise InvalidInput(at(path, f"rates[{i}].when.use"), list(rate.when.use), "a use of service.uses")
    if service.kinds and not any(map(service.counts_kind, service.kinds)):
        raise InvalidInput(at(path, "service.exclude_components"), list(service.kinds), "it leaves a kind that counts")


def _criterion(value: Any, path: str) -> Criterion:
    criterion: Criterion = entry_of(Criterion, CRITERION)(value, path)
    if criterion == Criterion():
        raise InvalidInput(path, value, "at least one condition")
    return criterion


def _block(schema: Block) -> Key:
    return (lambda value, path: typed(mapping(value, path), schema, path)), False


# The model -----------------------------------------------------------------------------------------------------------

FLAG: Key = (flag, False)
WORDS: Key = (words, False)

CO_FUNDER: Block = {"level": (short_text, False), "share_bp": (bp, False)}
BUDGET: Block = {
    "annual_total_fen": (fen, True),
    "co_funding": (list_of(entry_of(CoFunder, CO_FUNDER, ("level", "share_bp"))), False),
    "on_exhausted": (choice(OnExhausted), False),
    "carry_over": FLAG,
}
ELIGIBILITY: Block = {
    "registered_in": WORDS,
    "entity_types": WORDS,
    "requires_legal_person": FLAG,
    "no_dishonesty_years": (years, True),
    "not_in_other_subsidy": WORDS,
    "project_tags": WORDS,
}
SERVICE: Block = {
    "kinds": (list_of(word_of(KINDS)), False),
    "exclude_components": WORDS,
    "uses": (list_of(word_of(USES)), False),
    "min_contract_fen": (fen, True),
    "max_term_days": (whole(1, MAX_DAYS, "days"), True),
    "signed_on_or_after": (day, True),
    "contract_once": FLAG,
}
CRITERION: Block = {
    "in_city_plan": FLAG,
    "matching_partner": FLAG,
    "in_cluster": (short_text, False),
    "type": (short_text, False),
    "min_pflops": (quantity, False),
    "min_racks": (whole(0, MAX_FEN, "racks"), False),
}
PROVIDERS: Block = {
    "mode": (choice(ProviderMode), False),
    "list": (word_or_words(short_text), True),
    "any_of": (list_of(_criterion), False),
}
WHEN: Block = {
    "startup": FLAG,
    "chip_domestic": FLAG,
    "filed_multimodal_model_service": FLAG,
    "use": (word_or_words(word_of(USES)), False),
    "size": (word_or_words(short_text), False),
}
RATE: Block = {"when": (entry_of(When, WHEN), False), "rate_max_bp": (bp, False)}
CAPS: Block = {
    "per_claim_fen": (fen, True),
    "min_claim_fen": (fen, True),
    "per_entity_year_fen": (fen, True),
    "per_entity_total_fen": (fen, True),
    "year_basis": (choice(YearBasis), False),
    "counts": (choice(Counts), False),
    "relaxed_for": WORDS,
}
VOUCHER: Block = {
    "issued": (choice(Issued), False),
    "face": (choice(Face), False),
    "divisible": FLAG,
    "validity_months": (months, True),
    "on_expiry": (choice(OnExpiry), False),
    "transferable": FLAG,
    "share_of_bill_max_bp": (bp, True),
}
REDEMPTION: Block = {
    "flow": (choice(Flow), False),
    "after_payment": FLAG,
    "documents": WORDS,
    "settlement": (choice(Settlement), False),
    "review_stages": WORDS,
    "third_party_audit": FLAG,
}
ANTI_ABUSE: Block = {
    "related_party_ban": FLAG,
    "both_sides_claim_ban": FLAG,
    "split_ban": FLAG,
    "clawback": FLAG,
    "blacklist_years": (years, True),
}
POINTS: Block = {
    "event": (short_text, False),
    "points": (whole(1, MAX_FEN, "points"), False),
    "validity_months": (months, True),
}
REBATE: Block = {
    "event": (short_text, False),
    "amount_fen": (whole(1, MAX_FEN, "fen"), False),
    "validity_months": (months, True),
}
INCENTIVES: Block = {
    "points": (list_of(entry_of(PointsRule, POINTS, ("event", "points"))), False),
    "rebate_voucher": (list_of(entry_of(RebateRule, REBATE, ("event", "amount_fen"))), False),
    "validity_extension_months": (months, True),
    "amount_uplift_bp": (bp, True),
}

BLOCKS: Mapping[str, tuple[Callable[..., Any], Block]] = {
    "budget": (Budget, BUDGET),
    "eligibility": (Eligibility, ELIGIBILITY),
    "service": (ContractRules, SERVICE),
    "providers": (Providers, PROVIDERS),
    "caps": (Caps, CAPS),
    "voucher": (VoucherRules, VOUCHER),
    "redemption": (RedemptionRules, REDEMPTION),
    "anti_abuse": (AntiAbuse, ANTI_ABUSE),
    "incentives": (Incentives, INCENTIVES),
}
DEFAULTABLE: Block = {
    "issuer_zh": (note, False),
    "jurisdiction": (note, False),
    "published": (published, True),
    "valid_from": (day, True),
    "valid_to": (day, True),
    "currency": (currency, False),
    "rounding": (choice(Rounding), False),
    "rates": (list_of(entry_of(Rate, RATE, ("rate_max_bp",)), least=1), False),
    **{name: _block(schema) for name, (_, schema) in BLOCKS.items()},
}
PROGRAMME: Block = {"id": (slug, False), "version": (version, False), "name_zh": (note, False), **DEFAULTABLE}
