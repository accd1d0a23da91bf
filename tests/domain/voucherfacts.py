"""Rules, claims and random ones of both, for the tests of vouchers."""

import csv
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from suanwang.domain.voucher import (
    Advice,
    Applicant,
    Assessment,
    Contract,
    History,
    OnExhausted,
    Part,
    Programme,
    Provider,
    assess,
)
from suanwang.domain.voucher.programme import (
    AntiAbuse,
    Budget,
    Caps,
    ContractRules,
    Counts,
    Criterion,
    Eligibility,
    Incentives,
    Issued,
    ProviderMode,
    Providers,
    Rate,
    Rounding,
    VoucherRules,
    When,
    YearBasis,
)
from suanwang.rulesfile import read_programmes

ROOT = Path(__file__).parents[2]
FACTS = ROOT.parent / "shared" / "facts"
COPIES = ROOT / "tests" / "data"


def source(name: str) -> Path:
    return FACTS / name if (FACTS / name).exists() else COPIES / name


PUBLISHED = {programme.id: programme for programme in read_programmes(source("voucher_rules.yaml").read_text("utf-8"))}
CASES = list(csv.DictReader(source("voucher_cases.csv").read_text("utf-8").splitlines()))


PLAIN = Programme("plain", (Rate(2_000),))
FIRM = Applicant(registered_in="北京", entity_type="firm", legal_person=True)
NEED = Contract(id="C1", parts=(Part("intelligent", 100_000),), signed_on=date(2024, 5, 1), term_days=300)
NOTHING = History()


def answer_to(
    programme: Programme = PLAIN,
    applicant: Applicant = FIRM,
    contract: Contract = NEED,
    history: History = NOTHING,
    on: date | None = None,
) -> Assessment:
    return assess(programme, applicant, contract, history, on=on)


def need(**facts: Any) -> Contract:
    return replace(NEED, **facts)


def eligible(**rules: Any) -> Programme:
    return replace(PLAIN, eligibility=Eligibility(**rules))


def serving(**rules: Any) -> Programme:
    return replace(PLAIN, service=ContractRules(**rules))


def capped(**rules: Any) -> Programme:
    return replace(PLAIN, caps=Caps(**rules))


def applied(advice: Iterable[Advice], facts: dict[str, Any], programme: Programme) -> dict[str, Any]:
    """The facts of a claim (applicant, contract, history, on) after the advice was followed."""
    changed = dict(facts)
    for piece in advice:
        path, needed = str(piece.facts["field"]), piece.facts["needed"]
        assert needed != piece.facts["now"]
        if path == "on":
            changed["on"] = date.fromisoformat(str(needed))
        elif path in {"base_fen", "contract.amount_fen", "contract.parts"}:
            changed["contract"] = _with_parts(changed["contract"], path, needed, programme)
        elif path.startswith("contract.providers["):
            changed["contract"] = _with_provider(changed["contract"], path, needed)
        else:
            owner, name = path.split(".")
            changed[owner] = replace(changed[owner], **{name: _as_field(changed[owner], name, needed)})
    return changed


def is_coherent(programme: Programme) -> bool:
    """Every rate has a use that counts; a rules file with another is refused."""
    uses = set(programme.service.uses)
    return all(not rate.when.use or not uses or uses & set(rate.when.use) for rate in programme.rates)


def _with_parts(contract: Contract, path: str, needed: Any, programme: Programme) -> Contract:
    rules = programme.service
    kind = next(kind for kind in (*rules.kinds, "intelligent", "super") if rules.counts_kind(kind))
    if path == "contract.parts":
        assert kind in needed or not rules.kinds
        return replace(contract, parts=(*contract.parts, Part(kind, 10**13)))
    if path == "contract.amount_fen":
        return replace(contract, parts=(*contract.parts, Part(kind, needed - contract.amount_fen)))
    others = tuple(part for part in contract.parts if not rules.counts_kind(part.kind))
    return replace(contract, parts=(*others, Part(kind, needed)))


def _with_provider(contract: Contract, path: str, needed: Any) -> Contract:
    place, name = path.removeprefix("contract.providers[").split("].")
    providers = list(contract.providers)
    providers[int(place)] = replace(providers[int(place)], **{name: needed})
    return replace(contract, providers=tuple(providers))


def _as_field(owner: Any, name: str, needed: Any) -> Any:
    """A JSON value as the type of the field; of a list for a field of one word, the first."""
    type_of_field = {field.name: str(field.type) for field in fields(owner)}[name]
    if isinstance(needed, list):
        return tuple(needed) if type_of_field.startswith("tuple") else needed[0]
    return date.fromisoformat(needed) if "date" in type_of_field else needed


AMOUNT = st.integers(0, 10**12)
MAYBE_AMOUNT = st.none() | AMOUNT
WORD = st.sampled_from(["a", "b", "c"])
WORDS = st.lists(WORD, max_size=2, unique=True).map(tuple)
DAY = st.dates(date(2023, 1, 1), date(2026, 12, 31))
RATE = st.integers(0, 10_000)
KIND = st.sampled_from(["intelligent", "super", "storage"])
USES = st.lists(st.sampled_from(["training", "inference"]), max_size=2, unique=True).map(tuple)
MAYBE_FLAG = st.none() | st.booleans()
WHENS = st.builds(When, MAYBE_FLAG, MAYBE_FLAG, MAYBE_FLAG, USES, WORDS).filter(lambda when: when != When())
CRITERIA = st.builds(
    Criterion, MAYBE_FLAG, MAYBE_FLAG, st.none() | WORD, st.none() | WORD, st.none() | st.integers(0, 9), st.none()
).filter(lambda criterion: criterion != Criterion())
PROVIDER_RULES = st.one_of(
    st.just(Providers()),
    st.just(Providers(ProviderMode.WHITELIST, ("a",))),
    st.builds(
        Providers, st.just(ProviderMode.ANY_OF), st.none(), st.lists(CRITERIA, min_size=1, max_size=3).map(tuple)
    ),
)
CAPS = st.builds(
    Caps,
    MAYBE_AMOUNT,
    MAYBE_AMOUNT,
    MAYBE_AMOUNT,
    MAYBE_AMOUNT,
    st.sampled_from(YearBasis),
    st.sampled_from(Counts),
    WORDS,
)
TIERS = st.lists(st.builds(Rate, RATE, WHENS), min_size=1, max_size=3)
LAST_RATE = st.builds(Rate, st.integers(1, 10_000))
RATES = st.builds(lambda tiers, last: (*tiers[1:], last), TIERS, LAST_RATE)
SIMPLE = st.builds(
    Programme,
    id=st.just("any"),
    rates=RATES,
    rounding=st.sampled_from(Rounding),
    budget=st.builds(Budget, MAYBE_AMOUNT, on_exhausted=st.sampled_from(OnExhausted)),
    caps=CAPS,
    incentives=st.builds(Incentives, amount_uplift_bp=st.none() | RATE),
)
STRICT = st.builds(
    Programme,
    id=st.just("any"),
    rates=TIERS.map(tuple) | RATES,
    valid_from=st.none() | DAY,
    eligibility=st.builds(Eligibility, WORDS, WORDS, st.booleans(), st.none() | st.integers(0, 5), WORDS, WORDS),
    service=st.builds(
        ContractRules,
        st.sampled_from([(), ("intelligent",), ("intelligent", "super")]),
        st.sampled_from([(), ("storage",), ("super",)]),
        USES,
        MAYBE_AMOUNT,
        st.none() | st.integers(1, 500),
        st.none() | DAY,
        st.booleans(),
    ),
    providers=PROVIDER_RULES,
    caps=CAPS,
    voucher=st.builds(VoucherRules, st.sampled_from(Issued)),
    anti_abuse=st.builds(AntiAbuse, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | st.just(3)),
).filter(is_coherent)
APPLICANTS = st.builds(
    Applicant,
    registered_in=st.none() | WORD,
    entity_type=st.none() | WORD,
    legal_person=st.booleans(),
    size=st.none() | WORD,
    startup=st.booleans(),
    marks=WORDS,
    years_since_dishonesty=st.none() | st.integers(0, 9),
    years_since_blacklisted=st.none() | st.integers(0, 9),
    cap_uplift=st.booleans(),
)
PROVIDERS = st.builds(
    Provider,
    id=WORD,
    listed=st.booleans(),
    in_city_plan=st.booleans(),
    matching_partner=st.booleans(),
    in_cluster=st.none() | WORD,
    type=st.none() | WORD,
    pflops=st.integers(0, 9),
    racks=st.integers(0, 9),
    related=st.booleans(),
)
CONTRACTS = st.builds(
    Contract,
    id=WORD,
    parts=st.lists(st.builds(Part, KIND, AMOUNT), max_size=3).map(tuple),
    providers=st.lists(PROVIDERS, min_size=1, max_size=2).map(tuple),
    signed_on=st.none() | DAY,
    term_days=st.none() | st.integers(1, 600),
    uses=USES,
    chip_domestic=st.booleans(),
    filed_multimodal_model_service=st.booleans(),
    project_tags=WORDS,
    other_subsidies=WORDS,
    split_of=st.none() | st.just("whole"),
    used=st.booleans(),
)
HISTORIES = st.builds(
    History,
    claimed_year_fen=AMOUNT,
    claimed_total_fen=AMOUNT,
    redeemed_year_fen=AMOUNT,
    redeemed_total_fen=AMOUNT,
    claimed_contracts=st.lists(st.sampled_from(["a", "whole"]), max_size=2, unique=True).map(tuple),
    programme_left_fen=st.none() | st.integers(-5, 10**12),
    other_side_claimed=st.booleans(),
)
LIKELY = st.builds(replace, CONTRACTS, parts=st.builds(lambda fen: (Part("intelligent", fen),), st.integers(1, 10**12)),
                   providers=st.just((Provider(),)), split_of=st.none(), id=st.just("new"))  # fmt: skip
LIKELY_HISTORIES = st.builds(
    lambda history, small: replace(
        history, claimed_year_fen=small, claimed_total_fen=small, other_side_claimed=False, claimed_contracts=()
    ),
    HISTORIES,
    st.integers(0, 10**10),
)
CERTAIN = st.builds(replace, APPLICANTS, legal_person=st.just(True))
