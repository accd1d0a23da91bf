"""A receipt against the book: checked by its own evidence, with no word of the hub's.

What counts is what the evidence shows to be sealed. Every amount of the receipt must follow from that, or from the
receipt's own seconds and prices.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from suanwang.domain import merkle
from suanwang.domain.ledger import CASH, hold_on, payable, programme_asset, tenant_cash, voucher_account
from suanwang.domain.rating import estimate_fen
from suanwang.domain.seal import SealedTransaction, asset_of, read_seal, read_transaction
from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.wire import AttemptLine, ChargeLine, Evidence, Receipt, RefundLine


@dataclass(frozen=True, slots=True)
class KnownSeal:
    """Compare its hash with the network's published seals, or with an export of the book."""

    number: int
    sha256: str


@dataclass(slots=True)
class ReceiptCheck:
    job_id: str
    name: str
    charged_fen: int
    all: int = 0
    sealed: int = 0
    seals: list[KnownSeal] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.wrong


Shown = dict[str, SealedTransaction]
"""Transactions that are under a seal, by id."""
Claims = list[tuple[str, object, object]]
"""(what, as the receipt says it, as it follows from what is sealed)"""


def check_receipt(text: str) -> ReceiptCheck:
    """Is every transfer sealed, and does every amount follow from what is? Raises InvalidInput."""
    try:
        receipt = msgspec.json.decode(text, type=Receipt)
    except msgspec.DecodeError as error:
        raise InvalidInput("receipt", str(error), _("what `suanwang job show NAME --json` prints")) from None
    found = ReceiptCheck(receipt.id, receipt.name, receipt.charged_fen)
    shown = {one.id: one for evidence in receipt.evidence for one in _shown(found, receipt.id, evidence)}
    found.sealed = len(shown)
    _check_transfers(found, receipt, shown)
    for what, told, is_ in _claims(receipt, shown):
        if told != is_:
            found.wrong.append(
                _("{what}: {told} here, {found} by what is sealed").format(what=what, told=told, found=is_)
            )
    return found


def _shown(found: ReceiptCheck, job_id: str, evidence: Evidence) -> Iterator[SealedTransaction]:
    """The transaction that a piece of evidence shows to be sealed, if it does."""
    seal = read_seal(evidence.seal)
    try:
        transaction = read_transaction(evidence.line)
        path = [bytes.fromhex(sibling) for sibling in evidence.path]
    except (ValueError, TypeError):
        found.wrong.append(_("a piece of evidence cannot be read"))
        return
    leaf = merkle.leaf_sha256(evidence.line.encode())
    if seal is None or merkle.climb(leaf, evidence.place, seal.entries, path) != seal.root:
        found.wrong.append(_("transaction {id} is not under its seal").format(id=transaction.id))
        return
    if transaction.subject != job_id:
        found.wrong.append(_("transaction {id} is about something else").format(id=transaction.id))
        return
    known = KnownSeal(seal.number, seal.sha256.hex())
    if known not in found.seals:
        found.seals.append(known)
    yield transaction


def _check_transfers(found: ReceiptCheck, receipt: Receipt, shown: Shown) -> None:
    told: dict[str, list[tuple[str, str, str, int, int]]] = {}
    for line in receipt.transfers:
        leg = (line.kind, line.debit, line.credit, line.amount_fen, line.effective_s)
        told.setdefault(line.transaction_id, []).append(leg)
    found.all = len(told)
    for transaction_id in told.keys() | shown.keys():
        one = shown.get(transaction_id)
        if one is None:
            sentence = _("transaction {id} is not sealed here, so nothing shows it; ask again in a minute")
            found.wrong.append(sentence.format(id=transaction_id))
        elif sorted(told.get(transaction_id, [])) != sorted((one.kind, *leg, one.effective_s) for leg in one.transfers):
            found.wrong.append(_("transaction {id} says something else in the book").format(id=transaction_id))


def _claims(receipt: Receipt, shown: Shown) -> Claims:
    lines = [line for attempt in receipt.attempts for line in attempt.charges]
    offset_fen = sum(line.voucher_fen for line in lines)
    redeemed = [leg for one in shown.values() if one.kind == "redeem" for leg in one.transfers]
    repaid_fen = sum(fen for debit, _credit, fen in redeemed if debit == _voucher_hold(receipt))
    charged_fen = sum(line.amount_fen for line in lines)
    claims: Claims = [
        (_("charged"), receipt.charged_fen, charged_fen),
        (_("by voucher"), receipt.voucher_fen, offset_fen + repaid_fen),
        (_("repaid by programmes"), receipt.repaid_fen, repaid_fen),
        (_("in cash"), receipt.cash_fen, charged_fen - offset_fen - repaid_fen),
        (_("charges"), _counted(line.transaction_id for line in lines), _of_kind(shown, "charge")),
        (_("refunds"), _counted(one.transaction_id for one in receipt.refunds), _of_kind(shown, "refund")),
    ]
    for attempt in receipt.attempts:
        claims += _attempt_claims(receipt, attempt, shown)
    centres = {attempt.number: attempt.centre_id for attempt in receipt.attempts}
    for refund in receipt.refunds:
        claims += _refund_claims(receipt, refund, centres.get(refund.attempt, ""), shown)
    return claims


def _attempt_claims(receipt: Receipt, attempt: AttemptLine, shown: Shown) -> Claims:
    name = _("attempt {number}").format(number=attempt.number)
    lines = attempt.charges
    kept_s = sum(line.chip_s for line in lines if line.kept)
    claims: Claims = [
        (name, attempt.charged_fen, sum(line.amount_fen for line in lines)),
        (name, attempt.charged_fen, estimate_fen(attempt.fen_per_chip_hour, 1, kept_s)),
        (name, attempt.charged_chip_s, sum(line.chip_s for line in lines)),
        (name, attempt.lost_chip_s, sum(line.chip_s for line in lines if not line.kept)),
    ]
    if attempt.ended_s is not None and receipt.settled:
        used_s = sum((usage.until_s - usage.from_s) * usage.chips for usage in attempt.usage)
        claims.append((name, sum(line.chip_s for line in lines), used_s))
    for line in lines:
        claims.append((name, line.fen_per_chip_hour, attempt.fen_per_chip_hour))
        claims.append((name, line.chip_s, (line.until_s - line.from_s) * attempt.chips))
        claims += [(name, told, is_) for told, is_ in _charge_legs(receipt, attempt, line, shown)]
    return claims


def _charge_legs(
    receipt: Receipt, attempt: AttemptLine, line: ChargeLine, shown: Shown
) -> Iterator[tuple[object, object]]:
    """What the line says of its transaction, and what that is: from the holds of this job to the centre."""
    one = shown.get(line.transaction_id or "")
    held = hold_on(tenant_cash(receipt.tenant_id), receipt.id).key
    told = {(held, payable(attempt.centre_id, CASH).key): line.cash_fen}
    if receipt.voucher_id is not None and receipt.programme_id is not None:
        owed = payable(attempt.centre_id, programme_asset(receipt.programme_id)).key
        told[_voucher_hold(receipt), owed] = line.voucher_fen
        told_fen = line.voucher_fen + line.cash_fen
    else:
        told_fen = line.cash_fen
    yield line.amount_fen, told_fen
    yield {leg: fen for leg, fen in told.items() if fen}, _legs(one)


def _voucher_hold(receipt: Receipt) -> str:
    """Key of the account where value of the voucher waits for this job."""
    if receipt.voucher_id is None or receipt.programme_id is None:
        return ""
    return hold_on(voucher_account(receipt.voucher_id, receipt.programme_id), receipt.id).key


def _refund_claims(receipt: Receipt, refund: RefundLine, centre_id: str, shown: Shown) -> Claims:
    """In the offset flow the centre gives the voucher's part back, else the tenant is owed so much less."""
    name, legs = _("refund {number}").format(number=refund.number), _legs(shown.get(refund.transaction_id))
    offset = receipt.voucher_flow == "offset"
    cash = {leg: fen for leg, fen in legs.items() if asset_of(leg[0]) == CASH}
    owed = ("payable:", "reimbursable:")  # not what goes back to a tenant that had repaid a clawed-back voucher
    voucher_fen = sum(fen for leg, fen in legs.items() if leg not in cash and leg[0].startswith(owed))
    cash_fen = refund.amount_fen - (refund.voucher_fen if offset else 0)
    way = (payable(centre_id, CASH).key, tenant_cash(receipt.tenant_id).key)
    return [(name, {way: cash_fen} if cash_fen else {}, cash), (name, refund.voucher_fen, voucher_fen)]


def _legs(one: SealedTransaction | None) -> dict[tuple[str, str], int]:
    return {} if one is None else {(debit, credit): fen for debit, credit, fen in one.transfers}


def _counted(transaction_ids: Iterable[str | None]) -> Counter[str]:
    return Counter(one for one in transaction_ids if one is not None)


def _of_kind(shown: Shown, kind: str) -> Counter[str]:
    return Counter(one.id for one in shown.values() if one.kind == kind)
