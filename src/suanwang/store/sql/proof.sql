-- Each query lists what contradicts one statement about the records: no row is the proof.

-- name: transactions_whole
select t.id::text as id, t.transfers, t.total_fen, count(l.seq) as found, coalesce(sum(l.amount_fen), 0)::bigint as found_fen
from ledger_transaction t left join transfer l on l.transaction_id = t.id
group by t.id having count(l.seq) <> t.transfers or coalesce(sum(l.amount_fen), 0) <> t.total_fen

-- name: assets_sum_to_zero
select asset, sum(fen)::text as fen from (
    select d.asset, -l.amount_fen as fen from transfer l join account d on d.id = l.debit_id
    union all select c.asset, l.amount_fen from transfer l join account c on c.id = l.credit_id
) leg group by asset having sum(fen) <> 0

-- name: balances_replay
select a.key, b.amount_fen, coalesce(m.fen, 0)::bigint as replayed_fen
from account a left join balance b on b.account_id = a.id
left join (
    select account_id, sum(fen) as fen from (
        select credit_id as account_id, amount_fen as fen from transfer union all select debit_id, -amount_fen from transfer
    ) leg group by account_id
) m on m.account_id = a.id
where a.limited and (b.amount_fen is null or b.amount_fen <> coalesce(m.fen, 0) or b.amount_fen < 0)

-- name: sums_replay
select a.key, coalesce(r.amount_fen, 0) as summed_fen, coalesce(m.fen, 0)::bigint as replayed_fen
from account a left join rolled r on r.account_id = a.id
left join (
    select account_id, sum(fen) as fen from (
        select l.credit_id as account_id, l.amount_fen as fen from transfer l join sealed using (transaction_id)
        union all select l.debit_id, -l.amount_fen from transfer l join sealed using (transaction_id)
    ) leg group by account_id
) m on m.account_id = a.id
where not a.limited and coalesce(r.amount_fen, 0) <> coalesce(m.fen, 0)

-- name: usage_charged
select u.job_id::text as job, u.attempt, u.chip_s, coalesce(c.chip_s, 0) as charged_chip_s
from (select job_id, attempt, sum((until_s - from_s) * chips)::bigint as chip_s from usage group by job_id, attempt) u
join attempt a on a.job_id = u.job_id and a.number = u.attempt
left join (select job_id, attempt, sum(chip_s)::bigint as chip_s from charge group by job_id, attempt) c
    on c.job_id = u.job_id and c.attempt = u.attempt
where a.settled and u.chip_s <> coalesce(c.chip_s, 0)

-- name: charges_rated
select a.job_id::text as job, a.number as attempt, c.amount_fen, ((a.fen_per_chip_hour * c.kept_chip_s + 3599) / 3600)::bigint as rated_fen
from attempt a join (
    select job_id, attempt, sum(amount_fen)::bigint as amount_fen, coalesce(sum(chip_s) filter (where kept), 0)::bigint as kept_chip_s
    from charge group by job_id, attempt
) c on c.job_id = a.job_id and c.attempt = a.number
where c.amount_fen <> (a.fen_per_chip_hour * c.kept_chip_s + 3599) / 3600

-- name: prices_as_offered
select a.job_id::text as job, a.number as attempt, a.pool_id as pool, a.fen_per_chip_hour, o.fen as offered_fen
from attempt a left join lateral (
    select bills_lost_work, case when a.preemptible then coalesce(preemptible_fen_per_chip_hour, fen_per_chip_hour)
        else fen_per_chip_hour end as fen
    from pool_offer where pool_id = a.pool_id and turn < a.placed_turn order by turn desc limit 1
) o on true
where (a.fen_per_chip_hour, a.bills_lost_work) is distinct from (o.fen, o.bills_lost_work)

-- name: charges_posted
-- The very fen of each source, from the job's own holds to its centre; and the other way round.
select c.job_id::text as job, c.attempt, c.from_s, c.amount_fen, t.total_fen
from charge c join job j on j.id = c.job_id join attempt a on a.job_id = c.job_id and a.number = c.attempt
join pool p on p.id = a.pool_id left join ledger_transaction t on t.id = c.transaction_id
cross join lateral (
    select coalesce(sum(l.amount_fen) filter (where d.asset = 'CNY' and d.owner = 'cash/' || c.tenant_id), 0) as cash_fen,
        coalesce(sum(l.amount_fen) filter (where d.owner = 'voucher/' || c.voucher_id), 0) as voucher_fen,
        bool_and(d.kind = 'hold' and d.job_id = c.job_id and k.kind = 'payable' and k.owner = c.centre_id) as rightly
    from transfer l join account d on d.id = l.debit_id join account k on k.id = l.credit_id
    where l.transaction_id = c.transaction_id
) m
where (c.tenant_id, c.centre_id, c.fen_per_chip_hour, c.chip_s)
        is distinct from (j.tenant_id, p.centre_id, a.fen_per_chip_hour, a.chips * (c.until_s - c.from_s))
    or c.voucher_fen > 0 and c.voucher_id is distinct from j.voucher_id
    or c.amount_fen > 0 and (t.id is null or t.kind <> 'charge' or t.subject <> c.job_id::text
        or (t.total_fen, m.cash_fen, m.voucher_fen, t.effective_s) is distinct from (c.amount_fen, c.cash_fen, c.voucher_fen, c.effective_s)
        or m.rightly is not true)
union all
select t.subject, null, null, null, t.total_fen from ledger_transaction t
where t.kind = 'charge' and not exists (select from charge c where c.transaction_id = t.id)

-- name: refunds_within_charges
select r.job_id::text as job, r.attempt, r.fen as refunded_fen, coalesce(c.fen, 0) as charged_fen
from (select job_id, attempt, sum(amount_fen)::bigint as fen from refund group by job_id, attempt) r
left join (select job_id, attempt, sum(amount_fen)::bigint as fen from charge group by job_id, attempt) c
    on c.job_id = r.job_id and c.attempt = r.attempt
where r.fen > coalesce(c.fen, 0)

-- name: refunds_posted
-- From the centre what it has to give back, and for the voucher its part; to its tenant at most as much as that had repaid.
select r.job_id::text as job, r.number, r.amount_fen, t.total_fen
from refund r join ledger_transaction t on t.id = r.transaction_id join job j on j.id = r.job_id
join attempt a on a.job_id = r.job_id and a.number = r.attempt join pool p on p.id = a.pool_id
left join voucher v on v.id = j.voucher_id cross join lateral (select v.terms ->> 'flow' = 'offset' as offset_flow) f
cross join lateral (
    select coalesce(sum(l.amount_fen) filter (where d.asset = 'CNY'), 0) as cash_fen,
        coalesce(sum(l.amount_fen) filter (where d.asset <> 'CNY' and d.kind <> 'clawed_back'), 0) as voucher_fen,
        coalesce(sum(l.amount_fen) filter (where d.kind = 'clawed_back'), 0) as repaid_fen,
        bool_and(case d.kind when 'payable' then d.owner = p.centre_id when 'reimbursable' then d.owner = j.tenant_id
            else d.kind = 'clawed_back' and k.kind = 'reimbursable' and k.owner = j.tenant_id end
            and case when d.asset = 'CNY' then k.key = 'cash:' || j.tenant_id || ':CNY' else true end) as rightly
    from transfer l join account d on d.id = l.debit_id join account k on k.id = l.credit_id
    where l.transaction_id = r.transaction_id
) m
where t.kind <> 'refund' or t.subject <> r.job_id::text or m.rightly is not true
    or m.cash_fen <> r.amount_fen - case when f.offset_flow then r.voucher_fen else 0 end
    or m.voucher_fen <> r.voucher_fen or m.repaid_fen > r.voucher_fen
    or m.repaid_fen > 0 and not exists (select from claw_back where voucher_id = v.id)
union all
select t.subject, null, null, t.total_fen from ledger_transaction t
where t.kind = 'refund' and not exists (select from refund r where r.transaction_id = t.id)

-- name: usage_within_attempts
select u.job_id::text as job, u.attempt, u.from_s, u.until_s from usage u
join attempt a on a.job_id = u.job_id and a.number = u.attempt
where u.from_s < a.started_s or u.until_s > coalesce(a.ended_s, u.until_s) or u.chips <> a.chips
    or exists (select from usage o where o.job_id = u.job_id and o.attempt = u.attempt and o.from_s > u.from_s and o.from_s < u.until_s)

-- name: usage_whole
select a.job_id::text as job, a.number as attempt, a.ended_s - a.started_s as ran_s, coalesce(u.used_s, 0) as used_s
from attempt a left join (
    select job_id, attempt, sum(until_s - from_s)::bigint as used_s from usage group by job_id, attempt
) u on u.job_id = a.job_id and u.attempt = a.number
where a.phase = 'ended' and coalesce(a.ended_s - a.started_s, 0) <> coalesce(u.used_s, 0)

-- name: holds_of_live_jobs
select a.key, b.amount_fen, coalesce(j.state, o.state) as state from account a join balance b on b.account_id = a.id
left join job j on j.id = a.job_id left join service_order o on o.id = a.job_id
where a.kind = 'hold' and b.amount_fen <> 0 and (j.id is null or j.settled) and (o.id is null or o.state <> 'open')

-- name: orders_held
select o.number, o.state, o.limit_fen * o.holds - o.charged_fen as due_fen, coalesce(b.amount_fen, 0) as held_fen
from service_order o left join account a on a.job_id = o.id and a.kind = 'hold' left join balance b on b.account_id = a.id
where coalesce(b.amount_fen, 0) <> case when o.state = 'open' then o.limit_fen * o.holds - o.charged_fen else 0 end

-- name: orders_charged
select o.number, o.measured::text as measured, c.measured::text as charged, o.charged_fen, c.fen,
    div(p.fen * o.measured + p.size - 1, p.size)::text as rated_fen
from service_order o join product p on p.seq = o.product_seq left join (
    select order_id, sum(measured) as measured, sum(amount_fen)::bigint as fen from order_charge group by order_id
) c on c.order_id = o.id
where (o.measured, o.charged_fen) is distinct from (coalesce(c.measured, 0), coalesce(c.fen, 0))
    or o.charged_fen <> div(p.fen * o.measured + p.size - 1, p.size) or o.centre_id <> p.centre_id

-- name: order_charges_posted
select c.order_id::text as id, c.from_s, c.amount_fen, t.total_fen
from order_charge c left join ledger_transaction t on t.id = c.transaction_id
where c.amount_fen > 0
    and (t.id is null or t.kind <> 'charge_order' or t.total_fen <> c.amount_fen or t.subject <> c.order_id::text)
union all
select t.subject, null, null, t.total_fen from ledger_transaction t
where t.kind = 'charge_order' and not exists (select from order_charge c where c.transaction_id = t.id)

-- name: order_uses_apart
select c.order_id::text as id, c.from_s, c.until_s from order_charge c join service_order o on o.id = c.order_id
where c.from_s < o.created_s
    or exists (select from order_charge u where u.order_id = c.order_id and u.from_s > c.from_s and u.from_s < c.until_s)

-- name: live_jobs_held
select j.id::text as job, j.state, j.estimate_fen from job j
where j.state not in ('succeeded', 'failed', 'cancelled') and j.estimate_fen > 0
    and not exists (select from ledger_transaction t where t.subject = j.id::text and t.kind = 'hold')

-- name: live_jobs_counted
select tenant_id, coalesce(l.jobs, 0) as counted, coalesce(j.jobs, 0) as live
from live_jobs l full join (select tenant_id, count(*) as jobs from job where not settled group by tenant_id) j
    using (tenant_id)
where coalesce(l.jobs, 0) <> coalesce(j.jobs, 0)

-- name: jobs_settled
select j.id::text as job, j.state from job j
where not j.settled and j.state in ('succeeded', 'failed', 'cancelled')

-- name: pools_never_overcommitted
with change as (
    select pool_id, placed_turn as turn, chips, 0 as capacity from attempt
    union all select pool_id, released_turn, -chips, 0 from attempt where released_turn is not null
    union all select pool_id, turn, 0, chips - lag(chips, 1, 0) over (partition by pool_id, node order by turn) from node_capacity
), level as (
    select pool_id, turn, sum(sum(chips)) over turns as chips, sum(sum(capacity)) over turns as capacity
    from change group by pool_id, turn window turns as (partition by pool_id order by turn)
)
select pool_id as pool, max(chips)::bigint as chips, min(capacity)::bigint as capacity, min(turn) as from_turn
from level where chips > capacity group by pool_id

-- name: nodes_never_overcommitted
with taken as (
    select a.pool_id, node, a.placed_turn, a.released_turn, a.chips / cardinality(a.node_names) as chips
    from attempt a cross join unnest(a.node_names) node
), change as (
    select pool_id, node, placed_turn as turn, chips, 0 as capacity from taken
    union all select pool_id, node, released_turn, -chips, 0 from taken where released_turn is not null
    union all select pool_id, node, turn, 0, chips - lag(chips, 1, 0) over (partition by pool_id, node order by turn)
    from node_capacity
), level as (
    select pool_id, node, turn, sum(sum(chips)) over turns as chips, sum(sum(capacity)) over turns as capacity
    from change group by pool_id, node, turn window turns as (partition by pool_id, node order by turn)
)
select pool_id as pool, node, max(chips)::bigint as chips, min(capacity)::bigint as capacity, min(turn) as from_turn
from level where chips > capacity group by pool_id, node

-- name: attempts_one_at_a_time
select a.job_id::text as job, a.number as attempt, b.number as next_attempt from attempt a
join attempt b on b.job_id = a.job_id and b.number > a.number
where a.phase <> 'ended' or b.started_s < a.ended_s
union all
select j.id::text, j.attempts, count(a.number) from job j left join attempt a on a.job_id = j.id
group by j.id having count(a.number) <> j.attempts

-- name: reports_applied
select job_id::text as job, attempt, centre_id as centre, cause, failures, first_s, last_s from kept_report order by first_s

-- name: vouchers_whole
with moved as (
    select v.id, v.granted_fen, a.id as account_id from voucher v
    left join account a on a.kind = 'voucher' and a.owner = v.id::text
)
select m.id::text as voucher, m.granted_fen, x.* from moved m cross join lateral (
    select
        coalesce((select amount_fen from balance where account_id = m.account_id), 0) as available_fen,
        coalesce((select sum(b.amount_fen) from account h join balance b on b.account_id = h.id
                  where h.kind = 'hold' and h.owner = 'voucher/' || m.id), 0)::bigint as held_fen,
        coalesce((select sum(l.amount_fen) from account h join transfer l on l.debit_id = h.id
                  join account t on t.id = l.credit_id
                  where h.kind = 'hold' and h.owner = 'voucher/' || m.id and t.kind in ('payable', 'reimbursable')), 0)::bigint
        - coalesce((select sum(l.amount_fen) from transfer l join account t on t.id = l.debit_id
                    where l.credit_id = m.account_id and t.kind in ('payable', 'reimbursable')), 0)::bigint as used_fen,
        coalesce((select sum(l.amount_fen) from transfer l join account t on t.id = l.credit_id
                  where l.debit_id = m.account_id and t.kind = 'expired'), 0)::bigint as expired_fen,
        coalesce((select sum(l.amount_fen) from transfer l join account t on t.id = l.credit_id
                  where l.debit_id = m.account_id and t.kind = 'clawed_back'), 0)::bigint as revoked_fen
) x where m.granted_fen <> x.available_fen + x.held_fen + x.used_fen + x.expired_fen + x.revoked_fen

-- name: claw_backs_as_booked
select w.voucher_id::text as voucher, w.taken_fen, w.owed_fen, x.* from (
    select voucher_id, taken_fen, owed_fen from clawed_back
    union all select v.id, 0, 0 from voucher v where not exists (select from claw_back where voucher_id = v.id)
) w cross join lateral (
    select coalesce(sum(l.amount_fen) filter (where t.kind = 'claw_back'), 0)::bigint as booked_fen,
        coalesce(sum(l.amount_fen) filter (where t.kind = 'repay'), 0)::bigint as repaid_fen
    from ledger_transaction t join transfer l on l.transaction_id = t.id
    where t.subject = w.voucher_id::text and t.kind in ('claw_back', 'repay')
) x where x.booked_fen <> w.taken_fen or x.repaid_fen > w.owed_fen

-- name: vouchers_where_accepted
select c.job_id::text as job, c.attempt, c.centre_id as centre, c.voucher_fen
from charge c join job j on j.id = c.job_id
where c.voucher_fen > 0 and c.centre_id <> all (j.voucher_centres)

-- name: programmes_whole
select p.id as programme, p.funded_fen, p.elsewhere_fen from (
    select g.id,
        coalesce((select sum(l.amount_fen) from transfer l join account d on d.id = l.debit_id
                  where d.kind = 'bank' and d.asset = 'CNY@' || g.id), 0)::bigint
        - coalesce((select sum(l.amount_fen) from transfer l join account c on c.id = l.credit_id
                  where c.kind = 'bank' and c.asset = 'CNY@' || g.id), 0)::bigint as funded_fen,
        coalesce((select sum(case when l.credit_id = a.id then l.amount_fen else -l.amount_fen end)
                  from account a join transfer l on a.id in (l.credit_id, l.debit_id)
                  where a.asset = 'CNY@' || g.id and a.kind <> 'bank'), 0)::bigint as elsewhere_fen
    from programme g
) p where p.funded_fen <> p.elsewhere_fen

-- name: sealed_unchanged
-- Altered, deleted, or in another order than when they were sealed.
with known as (
    select s.seal, s.place, s.leaf, s.transaction_id, s.record_seq, coalesce(t.xid, r.xid) as xid,
        case when t.id is not null then leaf_sha256(sealed_text(t)) when r.seq is not null then leaf_sha256(record_text(r)) end as now,
        coalesce(r.seq, (select min(seq + 0) from transfer where transaction_id = t.id)) as first
    from sealed s left join ledger_transaction t on t.id = s.transaction_id left join row_record r on r.seq = s.record_seq
), placed as (
    select *, row_number() over (partition by seal order by xid, record_seq nulls first, first) - 1 as now_place
    from known where now is not null
)
select seal, place, coalesce(transaction_id::text, record_seq::text) as entry, 'missing' as is from known where now is null
union all
select seal, place, coalesce(transaction_id::text, record_seq::text), case when leaf <> now then 'altered' else 'moved' end
from placed where leaf <> now or now_place <> place

-- name: nothing_slipped_in
-- What is older than everything that the last seal saw, and sealed by none.
with last as (
    select horizon from seal order by number desc limit 1
)
select t.id::text as entry, t.kind, t.subject from ledger_transaction t join last on t.xid < last.horizon
where not exists (select from sealed s where s.transaction_id = t.id)
union all
select r.seq::text, r.relation, r.key from row_record r join last on r.xid < last.horizon
where not exists (select from sealed s where s.record_seq = r.seq)

-- name: records_kept
-- A row that is not as its last record says it, has none, or is gone. A column that came later is in no record.
select coalesce(k.relation, n.relation) as relation, coalesce(k.key, n.key) as key,
    case when n.said is null then 'missing' when k.said is null then 'never recorded' else 'altered' end as is
from (select distinct on (relation, key) relation, key, said from row_record order by relation, key, seq desc) k
full join row_now n on n.relation = k.relation and n.key = k.key
where k.said is null or n.said is null
    or exists (select from jsonb_each(k.said) was where n.said -> was.key is distinct from was.value)

-- name: accounts_named
-- What an account is stands twice: in its key, which is sealed with every transfer, and in its columns.
select key, kind, owner, asset, limited, job_id::text as job from account
where key <> concat_ws(':', kind, owner, asset, job_id) or limited <> (kind in ('budget', 'voucher', 'cash', 'hold'))

-- name: batches_as_booked
-- Lines that are not what their transaction moved, and batches that are not their lines.
select l.settlement_id as batch, l.transaction_id::text as transaction, l.amount_fen, coalesce(m.fen, 0)::bigint as booked_fen
from settlement_line l left join lateral (
    select sum(case when t.credit_id = l.account_id then t.amount_fen else -t.amount_fen end) as fen
    from transfer t where t.transaction_id = l.transaction_id and l.account_id in (t.credit_id, t.debit_id)
) m on true where l.amount_fen <> coalesce(m.fen, 0)
union all
select b.id, encode(b.lines_sha256, 'hex'), b.total_fen, coalesce(x.fen, 0) from settlement b left join (
    select settlement_id, count(*) as lines, sum(amount_fen)::bigint as fen,
        sha256(convert_to(string_agg(line, '' order by line collate "C"), 'UTF8')) as digest
    from (
        select l.settlement_id, l.amount_fen, l.transaction_id || ' ' || a.key || ' ' || l.amount_fen || E'\n' as line
        from settlement_line l join account a on a.id = l.account_id
    ) text group by settlement_id
) x on x.settlement_id = b.id
where (b.total_fen, b.lines, b.lines_sha256) is distinct from (coalesce(x.fen, 0), coalesce(x.lines, 0)::int, x.digest)

-- name: batches_paid
-- A batch is paid with what its lines come to, account by account, and under its own name.
select p.batch, p.account, p.owed_fen, coalesce(-m.fen, 0)::bigint as paid_fen from (
    select s.settlement_id as batch, s.transaction_id, l.account_id, a.key as account, sum(l.amount_fen)::bigint as owed_fen
    from settlement_step s join settlement_line l on l.settlement_id = s.settlement_id join account a on a.id = l.account_id
    where s.state = 'paid' group by s.settlement_id, s.transaction_id, l.account_id, a.key
) p left join lateral (
    select sum(case when t.credit_id = p.account_id then t.amount_fen else -t.amount_fen end) as fen
    from transfer t where t.transaction_id = p.transaction_id and p.account_id in (t.credit_id, t.debit_id)
) m on true where p.owed_fen <> coalesce(-m.fen, 0)
union all
select b.id, t.subject, b.total_fen, t.total_fen from settlement_step s join settlement b on b.id = s.settlement_id
join ledger_transaction t on t.id = s.transaction_id
where t.total_fen <> b.total_fen or t.kind <> 'pay_' || b.kind
    or t.subject <> b.id || '/' || b.payee || '/' || encode(b.lines_sha256, 'hex')

-- name: settled_once
select l.transaction_id::text as transaction, a.key as account, count(*) as batches
from settlement_line l join account a on a.id = l.account_id
where not exists (select from settlement_step s where s.settlement_id = l.settlement_id and s.state = 'rejected')
group by l.transaction_id, a.key having count(*) > 1

-- name: batches_by_two
select b.id as batch, b.actor from settlement b join settlement_step s on s.settlement_id = b.id and s.state = 'approved'
where not b.at_once and s.actor = b.actor

-- name: counts
select (select count(*) from ledger_transaction) as transactions, (select count(*) from transfer) as transfers,
    (select count(*) from job) as jobs, (select count(*) from attempt) as attempts, (select count(*) from usage) as usage,
    (select count(*) from charge) as charges, (select count(*) from service_order) as orders,
    (select count(*) from order_charge) as order_charges, (select count(*) from voucher) as vouchers, (select count(*) from pool) as pools,
    (select count(*) from settlement) as batches

-- name: projects_spent
-- By the time of the charge and of the refund, in the project's own months.
select p.tenant_id, p.name as project, coalesce(m.month, r.month) as month, coalesce(m.spent_fen, 0) as spent_fen,
    coalesce(r.fen, 0) as recorded_fen
from project_month m full join (
    select project_id, month, sum(fen)::bigint as fen from (
        select j.project_id, to_char(to_timestamp(c.recorded_s) at time zone p.zone, 'YYYY-MM') as month,
            c.amount_fen as fen
        from charge c join job j on j.id = c.job_id join project p on p.id = j.project_id
        union all
        select j.project_id, to_char(to_timestamp(r.recorded_s) at time zone p.zone, 'YYYY-MM'), -r.amount_fen
        from refund r join job j on j.id = r.job_id join project p on p.id = j.project_id
    ) made group by project_id, month
) r on r.project_id = m.project_id and r.month = m.month
join project p on p.id = coalesce(m.project_id, r.project_id)
where coalesce(m.spent_fen, 0) <> coalesce(r.fen, 0)

-- name: projects_held
-- The sum over the jobs; of a job in its first attempt what it can cost less what it was charged, of one that is over 0.
select p.tenant_id, p.name as project, null::text as job, p.held_fen,
    (select coalesce(sum(j.project_held_fen), 0)::bigint from job j where j.project_id = p.id) as recorded_fen
from project p where p.held_fen <> (select coalesce(sum(j.project_held_fen), 0) from job j where j.project_id = p.id)
union all
select p.tenant_id, p.name, j.id::text, j.project_held_fen,
    case when j.settled then 0 else greatest(0, j.estimate_fen - j.charged_fen) end
from job j join project p on p.id = j.project_id
where case when j.settled then j.project_held_fen <> 0
    when j.attempts = 0 or (j.attempts = 1 and j.state <> 'queued')
        then j.project_held_fen <> greatest(0, j.estimate_fen - j.charged_fen)
    else j.project_held_fen > j.estimate_fen end
union all
select j.tenant_id, null, j.id::text, j.project_held_fen, 0 from job j
where j.project_id is null and j.project_held_fen <> 0
