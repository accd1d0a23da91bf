-- name: lock
select pg_advisory_xact_lock(7700, 3)

-- name: periods
select name, start_s, end_s, last_seal, transactions, charged_fen, refunded_fen, redeemed_fen, closed_s, actor
from period order by end_s

-- name: insert
insert into period
    (name, start_s, end_s, last_seal, transactions, charged_fen, refunded_fen, redeemed_fen, closed_s, actor)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: totals
-- By the book alone: what was put to and taken from the accounts of centres, and what programmes repay.
select count(distinct t.id) as transactions,
    coalesce(sum(l.amount_fen) filter (where t.kind in ('charge', 'charge_order') and c.kind = 'payable'), 0)::bigint as charged_fen,
    coalesce(sum(l.amount_fen) filter (where t.kind = 'refund' and d.kind = 'payable'), 0)::bigint as refunded_fen,
    coalesce(sum(l.amount_fen) filter (where t.kind = 'redeem' and c.kind = 'reimbursable'), 0)::bigint as redeemed_fen
from transactions_in($1, $2, $3, $4) t join transfer l on l.transaction_id = t.id
join account d on d.id = l.debit_id join account c on c.id = l.credit_id

-- name: charges
-- By the records: one line per attempt and price.
select c.tenant_id, c.job_id, j.name as job_name, c.attempt, c.centre_id, a.pool_id, p.chip_id, c.fen_per_chip_hour,
    c.voucher_id, v.programme_id, min(c.from_s) as from_s, max(c.until_s) as until_s, sum(c.chip_s)::bigint as chip_s,
    sum(c.amount_fen)::bigint as amount_fen, sum(c.voucher_fen)::bigint as voucher_fen
from transactions_in($1, $2, $3, $4) t join charge c on c.transaction_id = t.id
join job j on j.id = c.job_id join attempt a on a.job_id = c.job_id and a.number = c.attempt
join pool p on p.id = a.pool_id left join voucher v on v.id = c.voucher_id
where t.kind = 'charge' and ($5::text is null or c.tenant_id = $5) and ($6::text[] is null or c.centre_id = any($6))
group by c.tenant_id, c.job_id, j.name, j.number, c.attempt, c.centre_id, a.pool_id, p.chip_id, c.fen_per_chip_hour,
    c.voucher_id, v.programme_id
order by c.tenant_id, j.number, c.attempt, from_s, c.voucher_id

-- name: orders
-- One line per service order.
select o.tenant_id, o.id as order_id, o.number, p.id as product_id, p.name, p.unit, p.fen, p.per, p.size::text as size, c.centre_id,
    min(c.from_s) as from_s, max(c.until_s) as until_s, sum(c.measured)::text as measured, sum(c.amount_fen)::bigint as amount_fen
from transactions_in($1, $2, $3, $4) t join order_charge c on c.transaction_id = t.id
join service_order o on o.id = c.order_id join product p on p.seq = o.product_seq
where t.kind = 'charge_order' and ($5::text is null or o.tenant_id = $5) and ($6::text[] is null or c.centre_id = any($6))
group by o.tenant_id, o.id, o.number, p.seq, p.id, p.name, p.unit, p.fen, p.per, p.size, c.centre_id
order by o.tenant_id, o.number

-- name: refunds
-- `first_charged_s`: when the attempt was first charged, which says whether that was in an earlier period. A voucher that
-- is repaid afterwards is no part of the bill: what it had borne of a refund is neither.
select j.tenant_id, r.job_id, j.name as job_name, r.attempt, r.number, a.centre_id, a.pool_id, p.chip_id,
    a.fen_per_chip_hour, r.amount_fen, r.reason, t.effective_s, v.id as voucher_id, v.programme_id,
    case when v.terms ->> 'flow' = 'offset' then r.voucher_fen else 0 end as voucher_fen,
    coalesce((select bool_and(w.id is not null) from charge c
        left join transactions_in($1, $2, $3, $4) w on w.id = c.transaction_id
        where c.job_id = r.job_id and c.attempt = r.attempt and c.transaction_id is not null), true) as same_period
from transactions_in($1, $2, $3, $4) t join refund r on r.transaction_id = t.id
join job j on j.id = r.job_id join attempt a on a.job_id = r.job_id and a.number = r.attempt
join pool p on p.id = a.pool_id left join voucher v on v.id = j.voucher_id
where t.kind = 'refund' and ($5::text is null or j.tenant_id = $5) and ($6::text[] is null or a.centre_id = any($6))
order by j.tenant_id, j.number, r.number

-- name: redeemed
select c.owner as tenant_id, sum(l.amount_fen)::bigint as fen
from transactions_in($1, $2, $3, $4) t join transfer l on l.transaction_id = t.id join account c on c.id = l.credit_id
where t.kind = 'redeem' and c.kind = 'reimbursable' and ($5::text is null or c.owner = $5) group by c.owner

-- name: earned
-- Of centres, by asset: what they earned and gave back in the period, what they were paid in it, what was owed at its end.
with ever as materialized (select id, kind from transactions_in($1, $2, -1, -1)),
inside as materialized (select id from transactions_in($1, $2, $3, $4)),
moved as (
    select l.account_id, l.fen, e.kind, i.id is not null as inside
    from ever e join (
        select transaction_id, credit_id as account_id, amount_fen as fen from transfer
        union all select transaction_id, debit_id, -amount_fen from transfer
    ) l on l.transaction_id = e.id left join inside i on i.id = e.id
)
select a.owner as centre_id, a.asset,
    coalesce(sum(m.fen) filter (where m.kind in ('charge', 'charge_order') and m.inside), 0)::bigint as charged_fen,
    coalesce(-sum(m.fen) filter (where m.kind = 'refund' and m.inside), 0)::bigint as refunded_fen,
    coalesce(-sum(m.fen) filter (where m.kind = 'pay_centre' and m.inside), 0)::bigint as paid_fen,
    sum(m.fen)::bigint as owed_fen
from account a join moved m on m.account_id = a.id
where a.kind = 'payable' and ($5::text[] is null or a.owner = any($5))
group by a.owner, a.asset order by a.owner, a.asset

-- name: vouchers
select v.id, v.programme_id, v.tenant_id, v.terms::text as terms, v.granted_fen, v.valid_from_s, v.valid_to_s, v.created_s,
    coalesce(b.amount_fen, 0) as available_fen
from voucher v left join account a on a.key = 'voucher:' || v.id || ':CNY@' || v.programme_id
left join balance b on b.account_id = a.id where v.id = any($1::uuid[]) order by v.created_s, v.id

-- name: names
select id, name from organisation where id = any($1::text[])

-- name: centres_of
select id from centre where organisation_id = $1 order by id
