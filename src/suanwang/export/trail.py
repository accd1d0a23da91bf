"""A fen followed through an exported folder: budget, voucher, hold, charge, batch, centre; and back.

The sealed book says what moved; the batches say which of it was paid together. A payment in the book names the hash of
its batch's lines, so what it was for is as fixed as the book. What does not fit is told, wherever in the folder it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from suanwang.domain.ledger import CASH
from suanwang.domain.seal import (
    Record,
    SealedTransaction,
    Wrong,
    asset_of,
    read_record,
    read_seal,
    read_transaction,
    verify,
)
from suanwang.domain.settlement import APPROVED, PAID, PROPOSED, REJECTED, lines_sha256
from suanwang.wire import SettlementBatch

PAYMENTS = frozenset({"pay_centre", "pay_tenant"})
UPSTREAM = frozenset({"hold", "grant", "fund", "top_up"})
"""Movements that put value where the next one takes it."""
OWED = ("payable:", "reimbursable:")
STATES = (PROPOSED, APPROVED, PAID, REJECTED)
"""Of a batch, in their order."""
MOST_TOLD = 20
SHA256_LENGTH = 64
"""In hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One transfer of the book. `batch`: the live batch that it is a line of, or that it pays."""

    transaction_id: str
    at_s: int
    kind: str
    source: str
    target: str
    amount_fen: int
    batch: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """What was found behind a reference, in the order of the book; and what contradicts, anywhere in the folder."""

    reference: str
    steps: list[TrailStep]
    batches: list[SettlementBatch]
    """Without their lines."""
    open_fen: dict[str, int]
    """Account of a payee -> what these steps owe it, or are owed, and no batch has paid."""
    seals: int
    wrong: list[Wrong]

    @property
    def holds(self) -> bool:
        return not self.wrong


@dataclass(slots=True)
class Folder:
    """A book and its batches, as they were exported."""

    transactions: dict[str, SealedTransaction] = field(default_factory=dict)
    crediting: dict[str, list[str]] = field(default_factory=dict)
    """Account -> transactions that put something there."""
    of_subject: dict[str, list[str]] = field(default_factory=dict)
    batches: dict[str, SettlementBatch] = field(default_factory=dict)
    batch_of: dict[tuple[str, str], str] = field(default_factory=dict)
    """(transaction, account) -> the live batch that has this line."""
    payment_of: dict[str, str] = field(default_factory=dict)
    """Transaction -> the batch that it pays."""
    records: dict[str, list[Record]] = field(default_factory=dict)
    """Relation -> what was decided, as it was sealed."""
    seals: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def tell(self, code: str, **facts: object) -> None:
        if len(self.wrong) < MOST_TOLD:
            self.wrong.append(Wrong(0, code, facts))


def open_folder(book: Iterable[str], batches: Iterable[SettlementBatch]) -> Folder:
    """Read, and check every batch against the book and the book against its seals."""
    lines = [line.rstrip("\n") for line in book]
    verified = verify(lines)
    folder = Folder(seals=verified.seals, wrong=list(verified.wrong))
    if verified.wrong:  # a line that cannot be read was told already, and nothing behind it can be followed
        return folder
    if not verified.from_the_beginning:
        folder.tell("BOOK_WITHOUT_BEGINNING", seal=verified.first_seal)
    for line in lines:
        if (record := read_record(line)) is not None:
            folder.records.setdefault(record.relation, []).append(record)
        elif read_seal(line) is None:
            _take(folder, read_transaction(line))
    for batch in batches:
        folder.batches[batch.id] = batch
    recorded = _recorded(folder)
    for batch in folder.batches.values():
        if recorded.pop(batch.id, None) != _said(batch):
            folder.tell("BATCH_NOT_AS_RECORDED", batch=batch.id)
    for batch_id in recorded:
        folder.tell("BATCH_MISSING", batch=batch_id)
    for batch in folder.batches.values():
        if batch.state != REJECTED:
            _check_lines(folder, batch)
        if batch.state == PAID:
            _check_payment(folder, batch)
    for one in folder.transactions.values():
        if one.kind in PAYMENTS and one.id not in folder.payment_of:
            _check_unnamed_payment(folder, one)
    return folder


Said = tuple[tuple[object, ...], frozenset[tuple[object, ...]], frozenset[tuple[object, ...]]]
"""Of a batch: what it is, its steps, what its funders owe."""


def _recorded(folder: Folder) -> dict[str, Said]:
    """Every batch as its sealed records say it."""
    steps: dict[str, set[tuple[object, ...]]] = {}
    for one in folder.records.get("settlement_step", []):
        told = (one.said["state"], one.said["actor"], one.said["at_s"], one.said["reason"], one.said["transaction_id"])
        steps.setdefault(one.said["settlement_id"], set()).add(told)
    shares: dict[str, set[tuple[object, ...]]] = {}
    for one in folder.records.get("settlement_share", []):
        share = (one.said["programme_id"], one.said["level"], one.said["amount_fen"])
        shares.setdefault(one.said["settlement_id"], set()).add(share)
    found: dict[str, Said] = {}
    for one in folder.records.get("settlement", []):
        what = tuple(one.said[name] for name in ("period", "kind", "payee", "at_once", "total_fen", "lines"))
        digest = one.said["lines_sha256"].removeprefix("\\x")
        begun = (PROPOSED, one.said["actor"], one.said["proposed_s"], "", None)
        taken = steps.get(one.key, set()) | {begun}
        state = max((str(step[0]) for step in taken), key=STATES.index)
        found[one.key] = ((*what, digest, state), frozenset(taken), frozenset(shares.get(one.key, ())))
    return found


def _said(batch: SettlementBatch) -> Said:
    return (
        (
            *(batch.period, batch.kind, batch.payee, batch.at_once, batch.total_fen),
            *(batch.line_count, batch.lines_sha256, batch.state),
        ),
        frozenset((step.state, step.actor, step.at_s, step.reason, step.transaction_id) for step in batch.steps),
        frozenset((name, level, fen) for name, levels in batch.funders.items() for level, fen in levels.items()),
    )


def _check_unnamed_payment(folder: Folder, one: SealedTransaction) -> None:
    """One that no batch of the folder says to be its own: of before there were batches, or of after they were read."""
    batch_id, *named = one.subject.split("/")
    batch = folder.batches.get(batch_id)
    if batch is not None and batch.state == APPROVED and named == [batch.payee, batch.lines_sha256]:
        folder.payment_of[one.id] = batch_id
    elif len(named) == len(("payee", "hash")) and len(named[-1]) == SHA256_LENGTH:
        folder.tell("PAYMENT_WITHOUT_BATCH", transaction=one.id, batch=batch_id)


def _take(folder: Folder, one: SealedTransaction) -> None:
    folder.transactions[one.id] = one
    folder.of_subject.setdefault(one.subject, []).append(one.id)
    for _, credit, _ in one.transfers:
        folder.crediting.setdefault(credit, []).append(one.id)


def _moved_fen(one: SealedTransaction, account: str) -> int:
    return sum(amount * ((credit == account) - (debit == account)) for debit, credit, amount in one.transfers)


def _check_lines(folder: Folder, batch: SettlementBatch) -> None:
    digest = lines_sha256((line.transaction_id, line.account, line.amount_fen) for line in batch.lines)
    if digest.hex() != batch.lines_sha256:
        folder.tell("BATCH_OF_OTHER_LINES", batch=batch.id)
    sums: dict[str, int] = {}
    for line in batch.lines:
        place = (line.transaction_id, line.account)
        one = folder.transactions.get(line.transaction_id)
        if one is None or _moved_fen(one, line.account) != line.amount_fen:
            folder.tell("LINE_NOT_IN_BOOK", batch=batch.id, transaction=line.transaction_id, fen=line.amount_fen)
        if place in folder.batch_of:
            folder.tell("LINE_TWICE", transaction=line.transaction_id, batch=batch.id, other=folder.batch_of[place])
        folder.batch_of[place] = batch.id
        asset = asset_of(line.account)
        sums[asset] = sums.get(asset, 0) + line.amount_fen
    told = {f"{CASH}@{programme}": fen for programme, fen in batch.voucher_fen.items()} | {CASH: batch.cash_fen}
    fits = {asset: fen for asset, fen in sums.items() if fen} == {asset: fen for asset, fen in told.items() if fen}
    if not fits or sum(sums.values()) != batch.total_fen:
        folder.tell("BATCH_SUM", batch=batch.id, fen=batch.total_fen, found_fen=sum(sums.values()))
    for programme, levels in batch.funders.items():
        if sum(levels.values()) != batch.voucher_fen.get(programme):
            folder.tell("FUNDERS_SUM", batch=batch.id, programme=programme, fen=sum(levels.values()))


def _check_payment(folder: Folder, batch: SettlementBatch) -> None:
    paid = next((step.transaction_id for step in batch.steps if step.state == PAID), None)
    if paid is None:
        if batch.total_fen:
            folder.tell("BATCH_NOT_PAID", batch=batch.id)
        return
    folder.payment_of[paid] = batch.id
    one = folder.transactions.get(paid)
    if one is None:
        folder.tell("BATCH_NOT_PAID", batch=batch.id)
        return
    if one.subject != f"{batch.id}/{batch.payee}/{batch.lines_sha256}":
        folder.tell("PAYMENT_FOR_OTHERS", batch=batch.id, transaction=paid)
    owed: dict[str, int] = {}
    for line in batch.lines:
        owed[line.account] = owed.get(line.account, 0) + line.amount_fen
    paid_fen = {account: -_moved_fen(one, account) for account in {debit for debit, _, _ in one.transfers}}
    if paid_fen != {account: fen for account, fen in owed.items() if fen}:
        folder.tell("BATCH_NOT_PAID", batch=batch.id)


def follow(folder: Folder, reference: str) -> Trail | None:
    """What is behind a programme, voucher, job (also by its name), order, tenant, centre, batch or transaction."""
    asset, begun = _begin(folder, reference)
    if not begun:
        return None
    wanted = set(begun)
    _upstream(folder, wanted)
    for transaction, account in list(folder.batch_of):
        if transaction in wanted and (asset is None or asset_of(account) == asset):
            wanted |= _payment(folder, folder.batch_of[transaction, account])
    steps = [
        step
        for one in folder.transactions.values()
        if one.id in wanted
        for step in _steps(folder, one)
        if asset is None or asset_of(step.source) == asset
    ]
    named = {step.batch for step in steps if step.batch}
    batches = [_without_lines(batch) for batch in folder.batches.values() if batch.id in named]
    return Trail(reference, steps, batches, _open_fen(folder, steps), folder.seals, folder.wrong)


def _begin(folder: Folder, reference: str) -> tuple[str | None, list[str]]:
    """(the asset to keep to, the transactions to begin with)"""
    if reference in folder.batches:
        batch = folder.batches[reference]
        return None, [line.transaction_id for line in batch.lines if line.transaction_id in folder.transactions]
    if reference in folder.transactions:
        return None, [reference]
    subjects = {reference} | {
        line.subject_id for batch in folder.batches.values() for line in batch.lines if line.name == reference
    }
    found: list[str] = []
    asset = None
    for one in folder.transactions.values():
        for account in {account for debit, credit, _ in one.transfers for account in (debit, credit)}:
            kind, owner, of, *job = account.split(":")
            if (kind == "voucher" and owner == reference) or of == f"{CASH}@{reference}":
                asset = of
            own = owner.rpartition("/")[2] if kind == "hold" else owner
            if of == f"{CASH}@{reference}" or own == reference or subjects & {*job, one.subject}:
                found.append(one.id)
    return asset, found


def _upstream(folder: Folder, wanted: set[str]) -> None:
    """From where each took its value, back to the budget or what the tenant paid in; of a correction, the charges."""
    waiting = list(wanted)
    while waiting:
        one = folder.transactions[waiting.pop()]
        before = [
            other
            for debit, _, _ in one.transfers
            for other in folder.crediting.get(debit, ())
            if folder.transactions[other].kind in UPSTREAM
        ]
        if one.kind in ("refund", "redeem"):
            before += [other for other in folder.of_subject[one.subject] if folder.transactions[other].kind == "charge"]
        waiting += [other for other in before if other not in wanted]
        wanted.update(before)


def _payment(folder: Folder, batch_id: str) -> set[str]:
    return {transaction for transaction, batch in folder.payment_of.items() if batch == batch_id}


def _steps(folder: Folder, one: SealedTransaction) -> Iterator[TrailStep]:
    for debit, credit, amount in one.transfers:
        owed = credit if credit.startswith(OWED) else debit
        batch = folder.payment_of.get(one.id) or folder.batch_of.get((one.id, owed))
        yield TrailStep(one.id, one.effective_s, one.kind, debit, credit, amount, batch)


def _open_fen(folder: Folder, steps: list[TrailStep]) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in steps:
        if step.kind in PAYMENTS or (step.batch is not None and folder.batches[step.batch].state == PAID):
            continue
        for account, fen in ((step.target, step.amount_fen), (step.source, -step.amount_fen)):
            if account.startswith(OWED):
                found[account] = found.get(account, 0) + fen
    return {account: fen for account, fen in sorted(found.items()) if fen}


def _without_lines(batch: SettlementBatch) -> SettlementBatch:
    return replace(batch, lines=[])
