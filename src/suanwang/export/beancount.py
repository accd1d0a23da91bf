"""The sealed book as a Beancount ledger, so that another program than ours adds it up.

A transfer takes from one account and gives to another: here the first is debited and the second credited. What the
network holds for others are its liabilities, the bank is its asset, its fees are income. Every programme's money is a
commodity of its own, as in the book it is an asset of its own. At the end every balance is asserted.

Format: Beancount Language Syntax, version 3.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256

from suanwang.domain.ledger import AccountKind
from suanwang.domain.seal import SealedTransaction, asset_of, read_record, read_seal, read_transaction
from suanwang.domain.voucher import day_of
from suanwang.units import yuan

ROOTS = {AccountKind.BANK: "Assets:Bank", AccountKind.FEE: "Income:Fee"}
"""Of all other kinds: a liability of that name."""
MOST_IN_A_COMMODITY = 24
_NOT_IN_ACCOUNTS = re.compile(r"[^A-Za-z0-9-]+")
_NOT_IN_COMMODITIES = re.compile(r"[^A-Z0-9-]+")


@dataclass(slots=True)
class _Ledger:
    """What was written so far. Names in the ledger are one to one with accounts and assets of the book."""

    opened: dict[str, str] = field(default_factory=dict)
    commodities: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    balances: dict[str, int] = field(default_factory=dict)
    last_day: date | None = None


def beancount(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a Beancount file from those of an export that begins with the first seal, in the order of their days."""
    texts = (line.rstrip("\n") for line in lines)
    transactions = [read_transaction(text) for text in texts if read_seal(text) is None and read_record(text) is None]
    transactions.sort(key=lambda one: one.effective_s)
    written = _Ledger()
    yield 'option "title" "Suanwang"'
    yield 'option "operating_currency" "CNY"'
    for transaction in transactions:
        yield ""
        yield from _transaction(written, transaction)
    if written.last_day is not None:
        yield ""
        yield from _assertions(written, written.last_day + timedelta(days=1))


def _transaction(written: _Ledger, transaction: SealedTransaction) -> Iterator[str]:
    day = written.last_day = day_of(transaction.effective_s)
    moved: dict[str, int] = {}
    for debit, credit, amount in transaction.transfers:
        moved[debit] = moved.get(debit, 0) + amount
        moved[credit] = moved.get(credit, 0) - amount
    for account in moved:
        if account not in written.opened:
            yield f"{day} open {_account(written, account)} {_commodity(written, asset_of(account))}"
    yield f'{day} * "{_text(transaction.kind)}" "{_text(transaction.subject)}"'
    yield f'  id: "{_text(transaction.id)}"'
    for account, amount in moved.items():
        written.balances[account] = written.balances.get(account, 0) + amount
        yield f"  {_account(written, account)}  {_amount(written, account, amount)}"


def _assertions(written: _Ledger, day: date) -> Iterator[str]:
    for account, amount in sorted(written.balances.items()):
        yield f"{day} balance {_account(written, account)}  {_amount(written, account, amount)}"


def _amount(written: _Ledger, account: str, fen: int) -> str:
    return f"{yuan(fen)} {_commodity(written, asset_of(account))}"


def _account(written: _Ledger, key: str) -> str:
    """`hold:cash/acme:CNY:<job>` -> Liabilities:Hold:Cash-acme:CNY:<Job>."""
    if key not in written.opened:
        kind, *rest = key.split(":")
        root = ROOTS.get(AccountKind(kind), f"Liabilities:{_part(kind)}")
        name = ":".join([root, *map(_part, rest)])
        written.opened[key] = _free(written, name, f"{name}-{_short(key)}")
    return written.opened[key]


def _free(written: _Ledger, name: str, otherwise: str) -> str:
    """Two ids may differ in nothing that a name may hold."""
    found = otherwise if name in written.taken else name
    written.taken.add(found)
    return found


def _part(text: str) -> str:
    """One part of an account's name: begins with a capital or a digit."""
    plain = _NOT_IN_ACCOUNTS.sub("-", text).strip("-") or "X"
    return plain[0].upper() + plain[1:]


def _commodity(written: _Ledger, asset: str) -> str:
    """`CNY@city-2025` -> CNY-CITY-2025; one that would be too long, or that another has, ends in a hash."""
    if asset not in written.commodities:
        plain = _NOT_IN_COMMODITIES.sub("-", asset.upper()).strip("-")
        hashed = f"{plain[: MOST_IN_A_COMMODITY - 9]}-{_short(asset).upper()}"
        name = plain if len(plain) <= MOST_IN_A_COMMODITY else hashed
        written.commodities[asset] = _free(written, name, hashed)
    return written.commodities[asset]


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
