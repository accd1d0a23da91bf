"""Seals: what the book said is fixed by hashes that others keep, so that nobody can change it later unseen.

A seal closes some entries with the root of their Merkle tree and the hash of the seal before it. An entry is a
transaction of the book, or a record: what was decided about money, as its row says it. Who keeps one seal's hash (a
tenant on a receipt, an agency, an auditor) can check everything up to it from an export, without us.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from suanwang.domain import merkle
from suanwang.domain.ledger import LIMITED_KINDS, AccountKind

FORMAT = "suanwang-book-1"
RECORD = "record"
BEFORE_THE_FIRST = bytes(32)
"""What the first seal names as the one before it."""


@dataclass(frozen=True, slots=True)
class Seal:
    """`number` counts from 1 without gaps; `entries`: how many; `sha256` is over all the other fields."""

    number: int
    entries: int
    root: bytes
    before: bytes
    sealed_s: int

    @property
    def sha256(self) -> bytes:
        return sha256(seal_line(self).encode()).digest()


def seal_line(seal: Seal) -> str:
    """The text that is hashed, and stands in an export."""
    return json.dumps(
        [FORMAT, seal.number, seal.entries, seal.root.hex(), seal.before.hex(), seal.sealed_s],
        separators=(",", ":"),
    )


def read_seal(line: str) -> Seal | None:
    """A line that `seal_line` wrote; None for anything else."""
    try:
        kind, number, entries, root, before, sealed_s = json.loads(line)
        seal = Seal(number, entries, bytes.fromhex(root), bytes.fromhex(before), sealed_s)
    except (ValueError, TypeError):
        return None
    return seal if kind == FORMAT and seal_line(seal) == line else None


@dataclass(frozen=True, slots=True)
class Wrong:
    """What contradicts at one line (from 1; 0: the whole), as a code with its facts."""

    line: int
    code: str
    facts: dict[str, object]


@dataclass(slots=True)
class Verified:
    """What an export turned out to be. `wrong`: at most `MOST_TOLD` contradictions, in order of their lines."""

    seals: int = 0
    transactions: int = 0
    transfers: int = 0
    records: int = 0
    first_seal: int | None = None
    last_seal: Seal | None = None
    wrong: list["Wrong"] = field(default_factory=list)
    balances: dict[str, int] = field(default_factory=dict)
    """Of every account, from the first line on: (credits - debits) in the smallest unit of its asset."""

    @property
    def holds(self) -> bool:
        return not self.wrong

    @property
    def from_the_beginning(self) -> bool:
        return self.first_seal == 1


MOST_TOLD = 20


def verify(lines: Iterable[str]) -> Verified:
    """An export, line by line: transactions and records, each group followed by its seal.

    Found are an altered, missing, added or moved line; a transaction that does not balance, or stands twice; and, if
    the export begins with the first seal, a limited account that was below zero at the end of a transaction.
    """
    found = Verified()
    waiting: list[tuple[int, str]] = []
    known: set[str] = set()
    for number, line in enumerate((text.rstrip("\n") for text in lines), 1):
        seal = read_seal(line)
        if seal is None:
            waiting.append((number, line))
            continue
        _close(found, seal, [merkle.leaf_sha256(text.encode()) for _, text in waiting], number)
        for at, text in waiting:
            _take(found, known, at, text)
        waiting.clear()
    if waiting:
        _tell(found, waiting[0][0], "BOOK_GOES_ON", count=len(waiting))
    if found.last_seal is None:
        _tell(found, 0, "BOOK_WITHOUT_SEAL")
    return found


def _tell(found: Verified, line: int, code: str, **facts: object) -> None:
    if len(found.wrong) < MOST_TOLD:
        found.wrong.append(Wrong(line, code, facts))


def _close(found: Verified, seal: Seal, leaves: list[bytes], line: int) -> None:
    last = found.last_seal
    if seal.entries != len(leaves):
        _tell(found, line, "SEAL_OF_MORE_OR_LESS", seal=seal.number, sealed=seal.entries, here=len(leaves))
    elif merkle.root(leaves) != seal.root:
        _tell(found, line, "SEAL_OF_OTHERS", seal=seal.number)
    if last is None:
        found.first_seal = seal.number
        if (seal.number == 1) != (seal.before == BEFORE_THE_FIRST):
            _tell(found, line, "SEAL_NOT_IN_TURN", seal=seal.number, before=seal.number - 1)
    elif seal.number != last.number + 1 or seal.before != last.sha256 or seal.sealed_s < last.sealed_s:
        _tell(found, line, "SEAL_NOT_IN_TURN", seal=seal.number, before=last.number)
    found.seals += 1
    found.last_seal = seal


def _take(found: Verified, known: set[str], number: int, line: str) -> None:
    if read_record(line) is not None:
        found.records += 1
        return
    try:
        transaction = read_transaction(line)
    except (ValueError, TypeError):
        _tell(found, number, "BOOK_LINE_UNREADABLE")
        return
    if transaction.id in known:
        _tell(found, number, "TRANSACTION_TWICE", transaction=transaction.id)
    known.add(transaction.id)
    found.transactions += 1
    touched: dict[str, int] = {}
    for debit, credit, amount in transaction.transfers:
        found.transfers += 1
        if amount <= 0 or asset_of(debit) != asset_of(credit):
            _tell(found, number, "TRANSFER_IMPOSSIBLE", amount=amount, debit=debit, credit=credit)
        touched[debit] = touched.get(debit, 0) - amount
        touched[credit] = touched.get(credit, 0) + amount
    for account, moved in touched.items():
        found.balances[account] = after = found.balances.get(account, 0) + moved
        if after < 0 and found.from_the_beginning and is_limited(account):
            _tell(found, number, "ACCOUNT_BELOW_ZERO", account=account, balance=after)


@dataclass(frozen=True, slots=True)
class SealedTransaction:
    """A transaction as it is sealed. Transfers: (debit, credit, amount), accounts by their keys."""

    id: str
    kind: str
    subject: str
    effective_s: int
    recorded_s: int
    actor: str
    transfers: tuple[tuple[str, str, int], ...]


def read_transaction(line: str) -> SealedTransaction:
    """Raises ValueError or TypeError for a line that is none."""
    transaction_id, kind, subject, effective_s, recorded_s, actor, transfers = json.loads(line)
    legs = tuple((str(debit), str(credit), amount) for debit, credit, amount in transfers)
    if not legs or not all(type(amount) is int for _, _, amount in legs):
        raise ValueError("no transfers of whole amounts")
    return SealedTransaction(transaction_id, kind, subject, effective_s, recorded_s, actor, legs)


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a table, as it was made or changed. `key`: its columns that no other row has, joined by slashes."""

    relation: str
    key: str
    said: dict[str, Any]


def read_record(line: str) -> Record | None:
    """None for anything else."""
    try:
        mark, _, relation, key, said = json.loads(line)
    except (ValueError, TypeError):
        return None
    return Record(relation, key, said) if mark == RECORD and isinstance(said, dict) else None


def asset_of(account: str) -> str:
    """`kind:owner:asset[:job]` -> asset."""
    return account.split(":")[2]


def is_limited(account: str) -> bool:
    return account.partition(":")[0] in LIMITED


LIMITED = frozenset(str(kind) for kind in LIMITED_KINDS)


def open_debts(balances: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Of a whole book: accounts that the network owes to centres and tenants, with what is not paid yet."""
    for account, amount in sorted(balances.items()):
        if amount and account.partition(":")[0] in (AccountKind.PAYABLE, AccountKind.REIMBURSABLE):
            yield account, amount
