"""Vouchers: the terms they keep from their issue, what they pay of a bill, how they are redeemed, end and pass on."""

from collections.abc import Iterator
from dataclasses import dataclass

from suanwang.domain.voucher.answer import (
    Assessment,
    Ceiling,
    Change,
    Finding,
    Limit,
    Outcome,
    Refusal,
    RefusalCode,
    cut,
    finding,
    refused,
)
from suanwang.domain.voucher.claim import entity_ceilings
from suanwang.domain.voucher.days import add_months, day_of, start_of_day_s, valid_to_s
from suanwang.domain.voucher.facts import Applicant, History
from suanwang.domain.voucher.programme import Face, Flow, OnExpiry, Programme, rules_sha256
from suanwang.errors import InvalidInput, Refused
from suanwang.units import BASIS_POINTS, iso_utc, share_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherTerms:
    """What a voucher keeps from its issue, whatever becomes of the programme's rules later."""

    programme_id: str
    rules_sha256: str
    flow: Flow
    rate_bp: int | None = None
    """Rate of the claim that it was granted for; None: not known."""
    share_of_bill_max_bp: int | None = None
    face: Face = Face.AMOUNT
    divisible: bool = True
    valid_to_s: int | None = None
    """First second in which it no longer pays; None: no end."""
    on_expiry: OnExpiry = OnExpiry.RETURN_TO_PROGRAMME
    transferable: bool = False
    after_payment: bool = True
    clawback: bool = True
    uses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    exclude_components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A request to redeem: for a bill, for an amount, or for all that is left of the voucher."""

    on_s: int
    voucher_left_fen: int
    requested_fen: int | None = None
    bill_fen: int | None = None
    """The eligible part of what was really billed (posted charges)."""
    paid: bool = False
    other_side_claimed: bool = False
    set_aside_s: int | None = None
    """When the value was set aside for this bill: the voucher had to be valid then, not at the end of the work."""


def terms_of(programme: Programme, rate_bp: int | None, granted_s: int) -> VoucherTerms:
    """Terms of a voucher granted now. Its validity ends at the start of the same calendar day so many months later."""
    rules, redemption = programme.voucher, programme.redemption
    return VoucherTerms(
        programme_id=programme.id,
        rules_sha256=rules_sha256(programme),
        flow=redemption.flow,
        rate_bp=rate_bp,
        share_of_bill_max_bp=rules.share_of_bill_max_bp,
        face=rules.face,
        divisible=rules.divisible,
        valid_to_s=valid_to_s(day_of(granted_s), rules.validity_months),
        on_expiry=rules.on_expiry,
        transferable=rules.transferable,
        after_payment=redemption.after_payment,
        clawback=programme.anti_abuse.clawback,
        uses=programme.service.uses,
        kinds=programme.service.kinds,
        exclude_components=programme.service.exclude_components,
    )


def has_ended(terms: VoucherTerms, at_s: int) -> bool:
    return terms.valid_to_s is not None and at_s >= terms.valid_to_s


def usable(terms: VoucherTerms, *, on_s: int, use: str, kind: str, used_fen: int = 0) -> Refusal | None:
    """Why a voucher cannot pay for new work of this use and kind; None: it can. `used_fen`: what it has paid so far.

    Work that set value aside before the end may still be paid after it: ask when value is set aside.
    """
    if has_ended(terms, on_s):
        return _ended(terms, on_s).refusal
    if terms.uses and use not in terms.uses:
        allowed = list(terms.uses)
        return finding(RefusalCode.USE_NOT_ELIGIBLE, "service.uses", allowed, Change("use", use, allowed)).refusal
    if (terms.kinds and kind not in terms.kinds) or kind in terms.exclude_components:
        allowed = [known for known in terms.kinds if known not in terms.exclude_components]
        change = Change("kind", kind, allowed)
        return finding(RefusalCode.NO_ELIGIBLE_COMPONENT, "service.kinds", allowed, change).refusal
    if not terms.divisible and used_fen > 0:
        return finding(RefusalCode.EXPIRED, "voucher.divisible", False, Change("used_fen", used_fen, 0)).refusal
    return None


def share_of_bill_bp(terms: VoucherTerms) -> int:
    """The largest share of one bill that the voucher pays.

    The rules' own limit where there is one. A voucher in the reimburse flow, or one whose face is a percentage, repays
    at most its own rate: it was granted as a share of a contract, so it repays the same share of what was really paid
    (assumption). A voucher that offsets may pay a whole bill: texts limit the sum alone.
    """
    shares = [terms.share_of_bill_max_bp if terms.share_of_bill_max_bp is not None else BASIS_POINTS]
    own_share = terms.face is Face.PERCENT or (terms.flow is Flow.REIMBURSE and terms.share_of_bill_max_bp is None)
    if own_share and terms.rate_bp is not None:
        shares.append(terms.rate_bp)
    return min(shares)


def voucher_share_fen(terms: VoucherTerms, charge_fen: int, available_fen: int) -> int:
    """How much of one charge a voucher pays: never more than its share of the bill nor than it has, rounded down."""
    return max(0, min(share_fen(charge_fen, share_of_bill_bp(terms)), available_fen))


def redeem(
    programme: Programme, terms: VoucherTerms, applicant: Applicant, request: Redemption, history: History
) -> Assessment:
    """What is paid for a redemption. `programme` is the version of the rules that the voucher was issued under.

    Order: refusals (all of them); share of the bill; what the voucher has; caps per entity if they count redemptions.
    """
    wanted_fen = next(
        fen for fen in (request.requested_fen, request.bill_fen, request.voucher_left_fen) if fen is not None
    )
    share_bp = share_of_bill_bp(terms) if request.bill_fen is not None else 0
    sha256, base_fen = terms.rules_sha256, wanted_fen if request.bill_fen is None else request.bill_fen
    findings = list(_redemption_findings(programme, terms, request))
    if findings:
        return refused(findings, sha256, base_fen=base_fen, rate_bp=share_bp)
    within = cut(wanted_fen, _redemption_ceilings(programme, terms, applicant, request, history))
    if within.exhausted:
        return refused(within.exhausted, sha256, base_fen=base_fen, rate_bp=share_bp)
    return Assessment(
        Outcome.REDEEM,
        within.amount_fen,
        sha256,
        base_fen=base_fen,
        rate_bp=share_bp,
        limits_hit=within.hit,
        advice=within.advice,
        forfeited_fen=0 if terms.divisible else request.voucher_left_fen - within.amount_fen,
    )


def _redemption_findings(programme: Programme, terms: VoucherTerms, request: Redemption) -> Iterator[Finding]:
    valid_at_s = request.on_s if request.set_aside_s is None else request.set_aside_s
    if has_ended(terms, valid_at_s):
        yield _ended(terms, valid_at_s)
    if terms.after_payment and not request.paid:
        yield finding(RefusalCode.NOT_PAID, "redemption.after_payment", True, Change("redemption.paid", False, True))
    if programme.anti_abuse.both_sides_claim_ban and request.other_side_claimed:
        change = Change("redemption.other_side_claimed", True, False)
        yield finding(RefusalCode.OTHER_SIDE_CLAIMED, "anti_abuse.both_sides_claim_ban", True, change)


def _ended(terms: VoucherTerms, at_s: int) -> Finding:
    end = None if terms.valid_to_s is None else iso_utc(terms.valid_to_s)
    last = None if terms.valid_to_s is None else iso_utc(terms.valid_to_s - 1)
    return finding(RefusalCode.EXPIRED, "voucher.validity_months", end, Change("redemption.on_s", iso_utc(at_s), last))


def _redemption_ceilings(
    programme: Programme, terms: VoucherTerms, applicant: Applicant, request: Redemption, history: History
) -> Iterator[Ceiling]:
    def shrink(amount_fen: int) -> Change:
        return Change("redemption.requested_fen", request.requested_fen, amount_fen)

    def of_voucher(amount_fen: int) -> Change:
        return Change("redemption.voucher_left_fen", left_fen, amount_fen)

    left_fen = request.voucher_left_fen
    if request.bill_fen is not None:
        share_fen_ = share_fen(request.bill_fen, share_of_bill_bp(terms))
        nothing = finding(RefusalCode.CAP_REACHED, "voucher.share_of_bill_max_bp", share_fen_, shrink(share_fen_))
        yield Ceiling(Limit.SHARE_OF_BILL, share_fen_, nothing, lambda _: shrink(share_fen_))
    empty = finding(RefusalCode.CAP_REACHED, "voucher", left_fen, of_voucher(1))
    yield Ceiling(Limit.VOUCHER_LEFT, left_fen, empty, of_voucher)
    if programme.caps.counts_redemptions:
        yield from entity_ceilings(programme, applicant, history, "redeemed", day_of(request.on_s), shrink)


def expire(terms: VoucherTerms, left_fen: int, on_s: int, used_fen: int = 0) -> Assessment:
    """What a voucher loses at its end: all that is available. `terms.on_expiry` says where it goes.

    One that is not divisible ends with its first bill too: `used_fen` is what it has paid.
    """
    spent = not terms.divisible and used_fen > 0
    if not (spent or has_ended(terms, on_s)):
        return Assessment(Outcome.KEEP, 0, terms.rules_sha256, base_fen=left_fen)
    return Assessment(Outcome.EXPIRE, left_fen, terms.rules_sha256, base_fen=left_fen)


def transfer(terms: VoucherTerms, left_fen: int, on_s: int) -> Assessment:
    """Whether what is left of a voucher may pass to another organisation: gift, sale and loan are the same."""
    findings = []
    if has_ended(terms, on_s):
        findings.append(_ended(terms, on_s))
    if not terms.transferable:
        change = Change("terms.transferable", False, True)
        findings.append(finding(RefusalCode.NOT_TRANSFERABLE, "voucher.transferable", False, change))
    if findings:
        return refused(findings, terms.rules_sha256, base_fen=left_fen)
    return Assessment(Outcome.TRANSFER, left_fen, terms.rules_sha256, base_fen=left_fen)


def require_clawback(terms: VoucherTerms) -> None:
    """Raises Refused (NO_CLAWBACK) if the voucher's rules do not let the programme take back what was used."""
    if not terms.clawback:
        raise Refused("the rules of this voucher know no claw-back", code="NO_CLAWBACK", rule="anti_abuse.clawback")


def extended_valid_to_s(programme: Programme, terms: VoucherTerms, on_s: int) -> int:
    """The later end that the rules' reward gives: so many months on the day of the present end.

    Raises Refused (EXPIRED) after the end, InvalidInput if the rules give no longer validity or the voucher has no end.
    """
    months = programme.incentives.validity_extension_months
    if months is None:
        raise InvalidInput("incentives.validity_extension_months", None, "the rules give no longer validity")
    if terms.valid_to_s is None:
        raise InvalidInput("terms.valid_to_s", None, "this voucher has no end")
    if has_ended(terms, on_s):
        raise Refused("a voucher that has ended is not extended", code="EXPIRED", valid_to=iso_utc(terms.valid_to_s))
    return start_of_day_s(add_months(day_of(terms.valid_to_s), months))
