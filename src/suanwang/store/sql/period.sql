-- name: lock
select pg_advisory_xact_lock(7700, 3)

-- name: periods
select name, start_s, end_s, last_seal, transactions, charged_fen, refunded_fen, redeemed_fen, closed_s, actor
from period order by end_s

-- name: unsealed_before
select exists (select from unsealed() u (id) join ledger_transaction t on t.id = u.id where t.effective_s < $1)

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
-- By the records: one line per attempt and price. Use that cost nothing by itself (its fen was paid before, by rounding
-- up, or the pool is free) has no transaction; it is counted where it was recorded, and with the charge before it.
with inside as materialized (
    select c.* from transactions_in($1, $2, $3, $4) t join charge c on c.transaction_id = t.id where t.kind = 'charge'
    union all
    select c.* from charge c where c.amount_fen = 0 and c.kept and ($5::text is null or c.tenant_id = $5) and c.effective_s < $1
        and over_at($1, $2, c.xid, c.recorded_s) and not (c.effective_s < $3 and over_at($3, $4, c.xid, c.recorded_s))
), named as (
    select c.*, case when c.amount_fen > 0 then c.voucher_id else (
        select o.voucher_id from inside o where o.job_id = c.job_id and o.attempt = c.attempt and o.amount_fen > 0
        order by o.from_s < c.from_s desc, abs(o.from_s - c.from_s) limit 1) end as payer_id
    from inside c
    where ($5::text is null or c.tenant_id = $5) and ($6::text[] is null or c.centre_id = any($6))
)
select c.tenant_id, c.job_id, j.name as job_name, r.name as project, c.attempt, c.centre_id, a.pool_id, p.chip_id, c.fen_per_chip_hour,
    c.payer_id as voucher_id, v.programme_id, min(c.from_s) as from_s, max(c.until_s) as until_s,
    sum(c.chip_s)::bigint as chip_s, sum(c.amount_fen)::bigint as amount_fen, sum(c.voucher_fen)::bigint as voucher_fen,
    (select max(d.number) from dispute d left join dispute_answer w on w.dispute_id = d.id
     where d.job_id = c.job_id and d.attempt = c.attempt and w.dispute_id is null) as dispute
from named c
join job j on j.id = c.job_id join attempt a on a.job_id = c.job_id and a.number = c.attempt
join pool p on p.id = a.pool_id left join voucher v on v.id = c.payer_id left join project r on r.id = j.project_id
group by c.tenant_id, c.job_id, j.name, j.number, r.name, c.attempt, c.centre_id, a.pool_id, p.chip_id, c.fen_per_chip_hour,
    c.payer_id, v.programme_id
order by c.tenant_id, j.number, c.attempt, from_s, c.payer_id

-- name: orders
-- One line per service order; use that cost nothing by itself is counted as with charges.
with inside as materialized (
    select c.* from transactions_in($1, $2, $3, $4) t join order_charge c on c.transaction_id = t.id
    where t.kind = 'charge_order'
    union all
    select c.* from order_charge c where c.amount_fen = 0 and c.measured > 0 and c.until_s < $1
        and over_at($1, $2, c.xid, c.recorded_s) and not (c.until_s < $3 and over_at($3, $4, c.xid, c.recorded_s))
)
select o.tenant_id, o.id as order_id, o.number, p.id as product_id, p.name, p.unit, p.fen, p.per, p.size::text as size, c.centre_id,
    min(c.from_s) as from_s, max(c.until_s) as until_s, sum(c.measured)::text as measured, sum(c.amount_fen)::bigint as amount_fen
from inside c
join service_order o on o.id = c.order_id join product p on p.seq = o.product_seq
where ($5::text is null or o.tenant_id = $5) and ($6::text[] is null or c.centre_id = any($6))
group by o.tenant_id, o.id, o.number, p.seq, p.id, p.name, p.unit, p.fen, p.per, p.size, c.centre_id
order by o.tenant_id, o.number

-- name: refunds
-- `first_charged_s`: when the attempt was first charged, which says whether that was in an earlier period. A voucher that
-- is repaid afterwards is no part of the bill: what it had borne of a refund is neither.
select j.tenant_id, r.job_id, j.name as job_name, o.name as project, r.attempt, r.number, a.centre_id, a.pool_id, p.chip_id,
    a.fen_per_chip_hour, r.amount_fen, r.reason, t.effective_s, v.id as voucher_id, v.programme_id,
    case when v.terms ->> 'flow' = 'offset' then r.voucher_fen else 0 end as voucher_fen,
    coalesce((select bool_and(w.id is not null) from charge c
        left join transactions_in($1, $2, $3, $4) w on w.id = c.transaction_id
        where c.job_id = r.job_id and c.attempt = r.attempt and c.transaction_id is not null), true) as same_period,
    array(select distinct o.period || '/' || o.line from (
        select coalesce(billed.name, $7) as period,
            concat_ws('/', c.job_id, c.attempt, c.fen_per_chip_hour, coalesce(c.voucher_id::text, 'cash')) as line
        from charge c join ledger_transaction u on u.id = c.transaction_id left join sealed s on s.transaction_id = u.id
        left join lateral (
            select name from period where u.effective_s < end_s and s.seal <= last_seal order by end_s limit 1
        ) billed on true
        where c.job_id = r.job_id and c.attempt = r.attempt
    ) o order by 1) as corrects,
    (select d.number from dispute_answer w join dispute d on d.id = w.dispute_id
     where w.job_id = r.job_id and w.refund_number = r.number) as dispute
from transactions_in($1, $2, $3, $4) t join refund r on r.transaction_id = t.id
join job j on j.id = r.job_id join attempt a on a.job_id = r.job_id and a.number = r.attempt
join pool p on p.id = a.pool_id left join voucher v on v.id = j.voucher_id left join project o on o.id = j.project_id
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
