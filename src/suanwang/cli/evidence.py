"""A receipt against the book: checked by its own evidence, with no word of the hub's."""

from dataclasses import dataclass, field

import msgspec

from suanwang.domain import merkle
from suanwang.domain.seal import read_seal, read_transaction
from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.wire import Evidence, Receipt


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


def check_receipt(text: str) -> ReceiptCheck:
    """Does every transfer stand in a sealed transaction, and do the charges add up? Raises InvalidInput."""
    try:
        receipt = msgspec.json.decode(text, type=Receipt)
    except msgspec.DecodeError as error:
        raise InvalidInput("receipt", str(error), _("what `suanwang job show NAME --json` prints")) from None
    found = ReceiptCheck(receipt.id, receipt.name, receipt.charged_fen)
    told: dict[str, list[tuple[str, str, int]]] = {}
    for line in receipt.transfers:
        told.setdefault(line.transaction_id, []).append((line.debit, line.credit, line.amount_fen))
    found.all = len(told)
    for evidence in receipt.evidence:
        _check_evidence(found, evidence, told)
    found.sealed = len(receipt.evidence)
    _check_sums(found, receipt)
    return found


def _check_evidence(found: ReceiptCheck, evidence: Evidence, told: dict[str, list[tuple[str, str, int]]]) -> None:
    seal = read_seal(evidence.seal)
    try:
        transaction = read_transaction(evidence.line)
        path = [bytes.fromhex(sibling) for sibling in evidence.path]
    except (ValueError, TypeError):
        found.wrong.append(_("a piece of evidence cannot be read"))
        return
    if sorted(told.get(transaction.id, [])) != sorted(transaction.transfers):
        found.wrong.append(_("transaction {id} says something else in the book").format(id=transaction.id))
    leaf = merkle.leaf_sha256(evidence.line.encode())
    if seal is None or merkle.climb(leaf, evidence.place, seal.transactions, path) != seal.root:
        found.wrong.append(_("transaction {id} is not under its seal").format(id=transaction.id))
        return
    known = KnownSeal(seal.number, seal.sha256.hex())
    if known not in found.seals:
        found.seals.append(known)


def _check_sums(found: ReceiptCheck, receipt: Receipt) -> None:
    lines = [line for attempt in receipt.attempts for line in attempt.charges]
    charged_fen = sum(line.amount_fen for line in lines)
    posted_fen = sum(line.amount_fen for line in receipt.transfers if line.kind == "charge")
    if not charged_fen == posted_fen == receipt.charged_fen:
        sentence = _("charged {charged} fen, by its lines {lines}, by the book {posted}")
        found.wrong.append(sentence.format(charged=receipt.charged_fen, lines=charged_fen, posted=posted_fen))
