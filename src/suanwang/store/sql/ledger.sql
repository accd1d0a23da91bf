-- name: balances_by_key
select a.key, coalesce(b.amount_fen, 0) as amount_fen from account a join balance b on b.account_id = a.id
where a.key = any($1::text[])

-- name: job_balances
select a.kind, a.owner, a.asset, b.amount_fen, a.job_id from account a join balance b on b.account_id = a.id
where a.job_id = any($1::uuid[])

-- name: taken_by
select c.asset, sum(l.amount_fen)::bigint as amount_fen from transfer l join account c on c.id = l.credit_id
where l.transaction_id = $1 group by c.asset

-- name: open_balances
with fresh_transaction as materialized (
    select id from unsealed() id
), fresh as (
    select account_id, sum(fen) as fen from (
        select l.credit_id as account_id, l.amount_fen as fen from fresh_transaction u join transfer l on l.transaction_id = u.id
        union all select l.debit_id, -l.amount_fen from fresh_transaction u join transfer l on l.transaction_id = u.id
    ) leg group by account_id
)
select a.kind, a.owner, a.asset, (coalesce(r.amount_fen, 0) + coalesce(f.fen, 0))::bigint as amount_fen
from account a left join rolled r on r.account_id = a.id left join fresh f on f.account_id = a.id
where a.kind = any($1::text[]) order by a.kind, a.owner, a.asset

-- name: transactions_of_subject
select t.id, t.kind, t.subject, t.effective_s, t.recorded_s, t.actor, d.key as debit, c.key as credit, l.amount_fen
from ledger_transaction t join transfer l on l.transaction_id = t.id
join account d on d.id = l.debit_id join account c on c.id = l.credit_id
where t.subject = $1 order by l.seq

-- name: redeemed_to
select coalesce(sum(l.amount_fen) filter (where t.effective_s >= $2), 0)::bigint as year_fen,
    coalesce(sum(l.amount_fen), 0)::bigint as total_fen
from account a join transfer l on l.credit_id = a.id join ledger_transaction t on t.id = l.transaction_id
where a.key = $1 and t.kind = 'redeem'

-- name: lock_settlement
select pg_advisory_xact_lock(7700, 1)

-- name: held_cash
select coalesce(sum(b.amount_fen), 0)::bigint from account a join balance b on b.account_id = a.id
where a.kind = 'hold' and a.owner = 'cash/' || $1

-- name: voucher_places
select v.id,
    coalesce((select sum(b.amount_fen) from account h join balance b on b.account_id = h.id
              where h.kind = 'hold' and h.owner = 'voucher/' || v.id), 0)::bigint as held_fen,
    coalesce((select sum(l.amount_fen) from account h join transfer l on l.debit_id = h.id join account t on t.id = l.credit_id
              where h.kind = 'hold' and h.owner = 'voucher/' || v.id and t.kind in ('payable', 'reimbursable')), 0)::bigint
    - coalesce((select sum(l.amount_fen) from account a join transfer l on l.credit_id = a.id join account t on t.id = l.debit_id
                where a.kind = 'voucher' and a.owner = v.id::text and t.kind in ('payable', 'reimbursable')), 0)::bigint
    - late.fen as used_fen,
    late.fen + coalesce((select sum(l.amount_fen) from account a join transfer l on l.debit_id = a.id join account t on t.id = l.credit_id
              where a.kind = 'voucher' and a.owner = v.id::text and t.kind = 'expired'), 0)::bigint as expired_fen,
    coalesce((select sum(l.amount_fen) from account a join transfer l on l.debit_id = a.id join account t on t.id = l.credit_id
              where a.kind = 'voucher' and a.owner = v.id::text and t.kind = 'clawed_back'), 0)::bigint as revoked_fen,
    paid.fen as repaid_fen, paid.fen - late.returned_fen as clawed_back_fen
from voucher v cross join lateral (
    -- Refunds of after its end went to the budget; with them came back to the tenant what it had repaid of that.
    select coalesce(sum(l.amount_fen) filter (where b.kind = 'budget'), 0)::bigint as fen,
        coalesce(sum(l.amount_fen) filter (where d.kind = 'clawed_back'), 0)::bigint as returned_fen
    from account h join ledger_transaction r on r.subject = h.job_id::text and r.kind = 'refund'
    join transfer l on l.transaction_id = r.id join account b on b.id = l.credit_id join account d on d.id = l.debit_id
    where h.kind = 'hold' and h.owner = 'voucher/' || v.id
) late cross join lateral (
    select coalesce(sum(l.amount_fen), 0)::bigint as fen from ledger_transaction r join transfer l on l.transaction_id = r.id
    where r.subject = v.id::text and r.kind = 'repay'
) paid where v.id = any($1::uuid[])


-- name: in_no_batch
-- Of an account without a limit: what is owed, less what a batch that is not paid yet will pay.
select (coalesce((select sum(amount_fen) from transfer where credit_id = a.id), 0)
    - coalesce((select sum(amount_fen) from transfer where debit_id = a.id), 0)
    - coalesce((select sum(l.amount_fen) from settlement_line l where l.account_id = a.id and not exists (
        select from settlement_step s where s.settlement_id = l.settlement_id and s.state in ('rejected', 'paid'))), 0))::bigint
from account a where a.key = $1
