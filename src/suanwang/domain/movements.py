"""Every movement of money and voucher value, one function each. Nothing moves in any other way.

Each returns a transaction that balances by construction; `store.posting` records it. Ids come from the business key of
the movement, so that the same movement, asked for twice, is one movement.
"""

from dataclasses import dataclass

from suanwang.domain.ledger import (
    CASH,
    Account,
    Transaction,
    Transfer,
    bank,
    budget,
    clawed_back,
    expired,
    hold_on,
    identity,
    payable,
    programme_asset,
    reimbursable,
    tenant_cash,
    voucher_account,
)


@dataclass(frozen=True, slots=True)
class VoucherSource:
    """A voucher that pays for a job: which one, and of which programme."""

    voucher_id: str
    programme_id: str

    @property
    def account(self) -> Account:
        return voucher_account(self.voucher_id, self.programme_id)


def _transaction(
    kind: str, subject: str, key: tuple[object, ...], transfers: list[Transfer], at_s: int, actor: str
) -> Transaction:
    return Transaction(identity(kind, *key), kind, subject, tuple(transfers), at_s, actor)


def _legs(*legs: tuple[Account, Account, int]) -> list[Transfer]:
    return [Transfer(debit, credit, amount_fen) for debit, credit, amount_fen in legs if amount_fen]


def top_up(tenant_id: str, amount_fen: int, key: str, at_s: int, actor: str) -> Transaction:
    """A tenant pays money in."""
    legs = _legs((bank(CASH), tenant_cash(tenant_id), amount_fen))
    return _transaction("top_up", tenant_id, (tenant_id, key), legs, at_s, actor)


def fund(programme_id: str, amount_fen: int, key: str, at_s: int, actor: str) -> Transaction:
    """An agency puts money into a programme's budget."""
    legs = _legs((bank(programme_asset(programme_id)), budget(programme_id), amount_fen))
    return _transaction("fund", programme_id, (programme_id, key), legs, at_s, actor)


def grant(source: VoucherSource, claim_id: str, amount_fen: int, at_s: int, actor: str) -> Transaction:
    """A granted claim becomes a voucher: budget -> voucher."""
    legs = _legs((budget(source.programme_id), source.account, amount_fen))
    return _transaction("grant", claim_id, (claim_id,), legs, at_s, actor)


def hold(
    tenant_id: str,
    job_id: str,
    attempt: int,
    cash_fen: int,
    source: VoucherSource | None,
    voucher_fen: int,
    at_s: int,
    actor: str,
) -> Transaction:
    """Value is set aside before a job may start: voucher first, cash second.

    `attempt` is the attempt that the value is for: a job that recovers takes a further hold under its own number.
    """
    cash = tenant_cash(tenant_id)
    legs = []
    if source is not None:
        legs += _legs((source.account, hold_on(source.account, job_id), voucher_fen))
    legs += _legs((cash, hold_on(cash, job_id), cash_fen))
    return _transaction("hold", job_id, (job_id, attempt), legs, at_s, actor)


def release(
    tenant_id: str, job_id: str, cash_fen: int, source: VoucherSource | None, voucher_fen: int, at_s: int, actor: str
) -> Transaction:
    """What a job did not use goes back to exactly where it came from."""
    cash = tenant_cash(tenant_id)
    legs = _legs((hold_on(cash, job_id), cash, cash_fen))
    if source is not None:
        legs += _legs((hold_on(source.account, job_id), source.account, voucher_fen))
    return _transaction("release", job_id, (job_id,), legs, at_s, actor)


def charge(
    tenant_id: str,
    job_id: str,
    attempt: int,
    from_s: int,
    centre_id: str,
    cash_fen: int,
    source: VoucherSource | None,
    voucher_fen: int,
    at_s: int,
    actor: str,
) -> Transaction:
    """Use is paid out of the job's hold: the voucher part is owed to the centre by the issuer, the rest by the tenant.

    In the reimburse flow `voucher_fen` is 0 here: the tenant pays all, and `redeem` pays it back.
    """
    legs = []
    if source is not None:
        held = hold_on(source.account, job_id)
        legs += _legs((held, payable(centre_id, held.asset), voucher_fen))
    legs += _legs((hold_on(tenant_cash(tenant_id), job_id), payable(centre_id, CASH), cash_fen))
    return _transaction("charge", job_id, (job_id, attempt, from_s), legs, at_s, actor)


def charge_order(
    tenant_id: str, order_id: str, from_s: int, centre_id: str, amount_fen: int, at_s: int, actor: str
) -> Transaction:
    """Use of a product is paid out of the hold of its order; `from_s`: the begin of the use."""
    legs = _legs((hold_on(tenant_cash(tenant_id), order_id), payable(centre_id, CASH), amount_fen))
    return _transaction("charge_order", order_id, (order_id, from_s), legs, at_s, actor)


def refund(
    tenant_id: str,
    job_id: str,
    number: int,
    centre_id: str,
    amount_fen: int,
    source: VoucherSource | None,
    voucher_fen: int,
    *,
    offset: bool,
    ended: bool,
    at_s: int,
    actor: str,
    repaid_fen: int = 0,
) -> Transaction:
    """What was charged wrongly goes back: the voucher's part to the very voucher, to its programme if that has ended.

    In the offset flow the centre gives both parts back. In the reimburse flow it gives all of it to the tenant, who is
    owed so much less by the programme. `repaid_fen`: the share of `voucher_fen` that the tenant had repaid, as the
    voucher was clawed back. The programme would have it twice, so it owes that to the tenant.
    """
    legs = []
    if source is not None:
        back = budget(source.programme_id) if ended else source.account
        tenant = reimbursable(tenant_id, source.programme_id)
        owed = payable(centre_id, source.account.asset) if offset else tenant
        legs += _legs((owed, back, voucher_fen), (clawed_back(source.programme_id), tenant, repaid_fen))
    cash_fen = amount_fen - voucher_fen if offset else amount_fen
    legs += _legs((payable(centre_id, CASH), tenant_cash(tenant_id), cash_fen))
    return _transaction("refund", job_id, (job_id, number), legs, at_s, actor)


def redeem(tenant_id: str, job_id: str, source: VoucherSource, amount_fen: int, at_s: int, actor: str) -> Transaction:
    """Reimburse flow: after posted charges, voucher value that the job had set aside becomes owed to the tenant."""
    legs = _legs((hold_on(source.account, job_id), reimbursable(tenant_id, source.programme_id), amount_fen))
    return _transaction("redeem", job_id, (job_id,), legs, at_s, actor)


def expire(source: VoucherSource, amount_fen: int, returns: bool, at_s: int, actor: str) -> Transaction:
    """What is left of a voucher at its end; where the rules say so, it returns to the programme's budget at once."""
    gone = expired(source.programme_id)
    legs = _legs((source.account, gone, amount_fen))
    if returns:
        legs += _legs((gone, budget(source.programme_id), amount_fen))
    return _transaction("expire", source.voucher_id, (source.voucher_id, at_s, amount_fen), legs, at_s, actor)


def claw_back(source: VoucherSource, number: int, amount_fen: int, at_s: int, actor: str) -> Transaction:
    """What no job holds of a voucher is taken back. `number`: 1 the first time, then counted on."""
    legs = _legs((source.account, clawed_back(source.programme_id), amount_fen))
    key = (source.voucher_id,) if number == 1 else (source.voucher_id, number)
    return _transaction("claw_back", source.voucher_id, key, legs, at_s, actor)


def repay(source: VoucherSource, before_fen: int, amount_fen: int, at_s: int, actor: str) -> Transaction:
    """A tenant repays what a voucher that was clawed back had paid; `before_fen`: what it has repaid so far."""
    return _repaid(bank(source.account.asset), source, before_fen, amount_fen, at_s, actor)


def set_off(
    tenant_id: str, source: VoucherSource, before_fen: int, amount_fen: int, at_s: int, actor: str
) -> Transaction:
    """As `repay`, out of what the programme owes to the tenant and has not paid."""
    owed = reimbursable(tenant_id, source.programme_id)
    return _repaid(owed, source, before_fen, amount_fen, at_s, actor)


def _repaid(
    out_of: Account, source: VoucherSource, before_fen: int, amount_fen: int, at_s: int, actor: str
) -> Transaction:
    legs = _legs((out_of, clawed_back(source.programme_id), amount_fen))
    return _transaction("repay", source.voucher_id, (source.voucher_id, before_fen), legs, at_s, actor)


def pay_centre(
    centre_id: str, amounts_fen: dict[str, int], batch: str, at_s: int, actor: str, lines_sha256: str = ""
) -> Transaction:
    """A settlement batch pays what is owed to a centre, asset by asset.

    `lines_sha256` stands in the subject, so that the sealed payment says for ever what it was for.
    """
    legs = _legs(*((payable(centre_id, asset), bank(asset), fen) for asset, fen in sorted(amounts_fen.items())))
    return _transaction("pay_centre", _paid_for(batch, centre_id, lines_sha256), (batch, centre_id), legs, at_s, actor)


def pay_tenant(
    tenant_id: str, amounts_fen: dict[str, int], batch: str, at_s: int, actor: str, lines_sha256: str = ""
) -> Transaction:
    """A settlement batch reimburses a tenant; keys are programme ids. `lines_sha256`: as in `pay_centre`."""
    legs = _legs(
        *(
            (reimbursable(tenant_id, programme_id), bank(programme_asset(programme_id)), fen)
            for programme_id, fen in sorted(amounts_fen.items())
        )
    )
    return _transaction("pay_tenant", _paid_for(batch, tenant_id, lines_sha256), (batch, tenant_id), legs, at_s, actor)


def _paid_for(batch: str, payee: str, lines_sha256: str) -> str:
    return "/".join(part for part in (batch, payee, lines_sha256) if part)
