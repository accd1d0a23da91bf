-- name: balances_by_key
select a.key, coalesce(b.amount_fen, 0) as amount_fen from account a join balance b on b.account_id = a.id
where a.key = any($1::text[])

-- name: job_balances
select a.kind, a.owner, a.asset, b.amount_fen, a.job_id from account a join balance b on b.account_id = a.id
where a.job_id = any($1::uuid[])

-- name: open_balances
select a.kind, a.owner, a.asset, (
    coalesce((select sum(amount_fen) from transfer t where t.credit_id = a.id), 0)
    - coalesce((select sum(amount_fen) from transfer t where t.debit_id = a.id), 0)
)::bigint as amount_fen
from account a where a.kind = any($1::text[]) order by a.kind, a.owner, a.asset

-- name: transactions_of_subject
select t.id, t.kind, t.subject, t.effective_s, t.recorded_s, t.actor, d.key as debit, c.key as credit, l.amount_fen
from ledger_transaction t join transfer l on l.transaction_id = t.id
join account d on d.id = l.debit_id join account c on c.id = l.credit_id
where t.subject = $1 order by l.seq

-- name: lock_settlement
select pg_advisory_xact_lock(7700, 1)
