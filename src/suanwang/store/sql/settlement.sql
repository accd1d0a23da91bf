-- name: open_entries
-- What is owed and in no live batch, up to a period. A payment of before there were batches stands for itself: it takes off
-- what was paid, of whichever period it is.
with due as materialized (
    select t.id, t.kind from transactions_in($1, $2, -1, -1) t where t.kind not in ('pay_centre', 'pay_tenant')
    union all
    select t.id, t.kind from ledger_transaction t where t.kind in ('pay_centre', 'pay_tenant')
        and not exists (select from settlement_step s where s.transaction_id = t.id)
), moved as (
    select d.id, l.account_id, sum(l.fen)::bigint as fen from due d join (
        select transaction_id, credit_id as account_id, amount_fen as fen from transfer
        union all select transaction_id, debit_id, -amount_fen from transfer
    ) l on l.transaction_id = d.id join account a on a.id = l.account_id and a.kind in ('payable', 'reimbursable')
    group by d.id, l.account_id
), taken as (
    select l.transaction_id, l.account_id, max(l.turn) as turn, bool_and(s.state is not null) as rejected
    from settlement_line l left join settlement_step s on s.settlement_id = l.settlement_id and s.state = 'rejected'
    group by l.transaction_id, l.account_id
)
select m.id as transaction_id, m.account_id, a.key as account, a.kind, a.owner, a.asset, m.fen as amount_fen,
    coalesce(t.turn, 0) + 1 as turn, (select max(x.number) from disputed x where x.transaction_id = m.id) as dispute
from moved m join account a on a.id = m.account_id
left join taken t on t.transaction_id = m.id and t.account_id = m.account_id
where m.fen <> 0 and (t.turn is null or t.rejected)
order by a.kind, a.owner, a.asset, m.id

-- name: batches_of
select count(*)::int from settlement where period = $1 and kind = $2 and payee = $3

-- name: insert
insert into settlement (id, period, kind, payee, number, at_once, total_fen, lines, lines_sha256, actor, proposed_s)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: insert_lines
insert into settlement_line (settlement_id, transaction_id, account_id, turn, amount_fen)
select $1, * from unnest($2::uuid[], $3::bigint[], $4::int[], $5::bigint[])

-- name: insert_shares
insert into settlement_share (settlement_id, programme_id, place, level, amount_fen)
select $1, * from unnest($2::text[], $3::int[], $4::text[], $5::bigint[])

-- name: insert_step
insert into settlement_step (settlement_id, state, reason, actor, transaction_id, at_s) values ($1, $2, $3, $4, $5, $6)

-- name: batches
-- By id, by period, by the organisation that is paid, or all; the oldest first.
select b.id, b.period, b.kind, b.payee, b.at_once, b.total_fen, b.lines, encode(b.lines_sha256, 'hex') as lines_sha256,
    b.actor, b.proposed_s, coalesce((
        select s.state from settlement_step s where s.settlement_id = b.id
        order by array_position(array['rejected', 'paid', 'approved'], s.state) limit 1), 'proposed') as state
from settlement b
where ($1::text is null or b.id = $1) and ($2::text is null or b.period = $2)
    and ($3::text is null or (b.kind = 'tenant' and b.payee = $3)
         or (b.kind = 'centre' and exists (select from centre c where c.id = b.payee and c.organisation_id = $3)))
order by b.proposed_s, b.period, b.kind, b.payee, b.number

-- name: amounts
select l.settlement_id, a.asset, sum(l.amount_fen)::bigint as amount_fen
from settlement_line l join account a on a.id = l.account_id where l.settlement_id = any($1::text[])
group by l.settlement_id, a.asset order by l.settlement_id, a.asset

-- name: shares
select settlement_id, programme_id, level, amount_fen from settlement_share where settlement_id = any($1::text[])
order by settlement_id, programme_id, place

-- name: steps
select settlement_id, state, reason, actor, transaction_id, at_s from settlement_step where settlement_id = any($1::text[])
order by settlement_id, at_s, array_position(array['approved', 'paid', 'rejected'], state)

-- name: dues
-- What programmes owe for batches that were not rejected, by funder where there are several; of one agency, or of all.
select b.id as batch_id, b.period, b.kind, b.payee, coalesce((
        select s.state from settlement_step s where s.settlement_id = b.id
        order by array_position(array['paid', 'approved'], s.state) limit 1), 'proposed') as state,
    p.id as programme_id, h.level, coalesce(h.amount_fen, m.amount_fen) as amount_fen
from settlement b join (
    select l.settlement_id, a.asset, sum(l.amount_fen)::bigint as amount_fen
    from settlement_line l join account a on a.id = l.account_id group by l.settlement_id, a.asset
) m on m.settlement_id = b.id join programme p on m.asset = 'CNY@' || p.id
left join settlement_share h on h.settlement_id = b.id and h.programme_id = p.id
where m.amount_fen <> 0 and ($1::text is null or b.period = $1) and ($2::text is null or p.agency_id = $2)
    and not exists (select from settlement_step s where s.settlement_id = b.id and s.state = 'rejected')
order by p.id, b.proposed_s, b.period, b.kind, b.payee, b.number, h.place

-- name: disputes
-- Of lines of a batch, opened since it was proposed.
select distinct x.number from settlement_line l join disputed x on x.transaction_id = l.transaction_id
where l.settlement_id = $1 order by x.number

-- name: lines
-- `corrects`: the batches that the charges were in which a refund is of.
select l.settlement_id, l.transaction_id, a.key as account, a.asset, l.amount_fen, t.kind, t.subject, t.effective_s,
    coalesce(j.name, p.name, '') as name, coalesce(c.attempt, r.attempt, 0) as attempt,
    coalesce(j.tenant_id, o.tenant_id) as tenant_id, coalesce(r.reason, '') as reason, d.number as dispute,
    case when t.kind = 'refund' then array(
        select distinct e.settlement_id from charge h join settlement_line e on e.transaction_id = h.transaction_id
        where h.job_id = r.job_id and h.attempt = r.attempt
            and not exists (select from settlement_step s where s.settlement_id = e.settlement_id and s.state = 'rejected')
        order by 1) else '{}' end as corrects
from settlement_line l join ledger_transaction t on t.id = l.transaction_id join account a on a.id = l.account_id
left join job j on j.id::text = t.subject and t.kind in ('charge', 'refund', 'redeem')
left join service_order o on o.id::text = t.subject and t.kind = 'charge_order' left join product p on p.seq = o.product_seq
left join charge c on c.job_id = j.id and c.transaction_id = t.id
left join refund r on r.job_id = j.id and r.transaction_id = t.id
left join dispute_answer w on w.job_id = r.job_id and w.refund_number = r.number left join dispute d on d.id = w.dispute_id
where l.settlement_id = any($1::text[])
order by l.settlement_id, t.effective_s, t.subject, t.id, a.key
