-- name: insert_attempts
insert into attempt (job_id, number, centre_id, pool_id, variant, node_names, chips, fen_per_chip_hour, bills_lost_work,
    walltime_s, placed_s, expected_end_s, decision, resume_from, preemptible)
select a.job_id, a.number, a.centre_id, a.pool_id, a.variant, string_to_array(a.node_names, E'\n'), a.chips,
    case when a.preemptible then coalesce(p.preemptible_fen_per_chip_hour, p.fen_per_chip_hour) else p.fen_per_chip_hour end,
    p.bills_lost_work, a.walltime_s, $1, a.expected_end_s, a.decision::jsonb, a.resume_from::jsonb, a.preemptible
from unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::int[], $7::text[], $8::int[], $9::bigint[], $10::bigint[],
    $11::text[], $12::text[], $13::boolean[])
    a (job_id, number, centre_id, pool_id, variant, node_names, chips, walltime_s, expected_end_s, decision, resume_from,
       preemptible)
join pool p on p.id = a.pool_id

-- name: lock
select a.job_id, a.number, a.centre_id, a.pool_id, a.variant, a.chips, a.fen_per_chip_hour, a.bills_lost_work, a.phase, a.cause,
    a.sequence, a.wanted, a.started_s, a.observed_s, a.ended_s, a.checkpoint::text as checkpoint, a.metered_until_s,
    a.charged_until_s, a.charged_chip_s, a.charged_fen, a.settled, a.walltime_s, a.placed_s
from attempt a
where (a.job_id, a.number) in (select * from unnest($1::uuid[], $2::int[]))
order by a.job_id, a.number for no key update

-- name: apply_reports
update attempt a set phase = r.phase, cause = coalesce(r.cause, a.cause), sequence = r.sequence,
    started_s = coalesce(a.started_s, r.started_s), observed_s = greatest(a.observed_s, r.observed_s),
    ended_s = coalesce(a.ended_s, r.ended_s), exit_code = coalesce(r.exit_code, a.exit_code),
    signal = coalesce(r.signal, a.signal), detail = r.detail,
    progress = coalesce(r.progress::jsonb, a.progress), checkpoint = coalesce(r.checkpoint::jsonb, a.checkpoint),
    metered_until_s = coalesce(r.metered_until_s, a.metered_until_s),
    released_s = case when r.phase = 'ended' then $15 else a.released_s end,
    released_turn = case when r.phase = 'ended' then nextval('turn') else a.released_turn end,
    expected_end_s = case when a.started_s is null and r.started_s is not null
        then r.started_s + a.walltime_s else a.expected_end_s end
from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::int[],
    $10::int[], $11::text[], $12::text[], $13::text[], $14::bigint[])
    r (job_id, number, phase, cause, sequence, started_s, observed_s, ended_s, exit_code, signal, detail, progress,
       checkpoint, metered_until_s)
where a.job_id = r.job_id and a.number = r.number

-- name: insert_usage
insert into usage (job_id, attempt, from_s, until_s, chips, recorded_s)
select u.*, $6 from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::int[]) u

-- name: want_stop
update attempt a set wanted = 'stop', order_xid = pg_current_xact_id()
from unnest($1::uuid[], $2::int[]) s (job_id, number)
where a.job_id = s.job_id and a.number = s.number and a.wanted = 'run' and a.phase <> 'ended'

-- name: orders_since
select a.job_id, a.number, a.order_xid::text::bigint as version, a.wanted, a.variant, a.pool_id, p.chip_id, a.node_names,
    a.walltime_s, a.resume_from::text as resume_from, a.sequence, a.observed_s, j.spec::text as spec,
    j.number as job_number
from attempt a join job j on j.id = a.job_id join pool p on p.id = a.pool_id
where a.centre_id = $1 and a.order_xid >= $2::text::xid8 and a.order_xid < pg_snapshot_xmin(pg_current_snapshot())
    and (a.phase <> 'ended' or (a.cause = 'abandoned' and a.over_s is null))
order by a.order_xid, a.job_id, a.number

-- name: live_at
select a.job_id, a.number from attempt a where a.centre_id = $1 and not a.settled and a.phase <> 'ended'

-- name: order_stop
-- Told again even to an agent that was told before.
update attempt a set wanted = 'stop', order_xid = pg_current_xact_id()
from unnest($1::uuid[], $2::int[]) s (job_id, number) where a.job_id = s.job_id and a.number = s.number

-- name: mark_over
update attempt a set over_s = $3
from unnest($1::uuid[], $2::int[]) s (job_id, number)
where a.job_id = s.job_id and a.number = s.number and a.cause = 'abandoned' and a.over_s is null
returning a.job_id, a.number

-- name: not_over
select j.number from attempt a join job j on j.id = a.job_id
where a.centre_id = $1 and a.cause = 'abandoned' and a.over_s is null order by j.number

-- name: waiting_for_checkpoint
-- Jobs that wait, and may wait for a checkpoint that never left this centre.
select distinct a.job_id from attempt a join job j on j.id = a.job_id
where a.centre_id = $1 and not j.settled and j.state = 'queued' and a.checkpoint is not null
    and a.checkpoint ->> 'blob_sha256' is null

-- name: live
select a.job_id, a.number, a.centre_id, a.pool_id, a.variant, a.node_names, a.started_s, a.expected_end_s
from attempt a where not a.settled and a.phase <> 'ended' order by a.placed_s, a.job_id

-- name: preemptions
select job_id, count(*) as preemptions from attempt where job_id = any($1::uuid[]) and cause = 'preempted' group by job_id

-- name: of_job
select a.number, a.centre_id, a.pool_id, a.variant, p.chip_id, a.node_names, a.chips, a.fen_per_chip_hour, a.walltime_s,
    a.placed_s, a.expected_end_s, a.decision::text as decision, a.resume_from::text as resume_from, a.wanted, a.phase, a.cause,
    a.started_s, a.observed_s, a.ended_s, a.exit_code, a.signal, a.detail, a.progress::text as progress,
    a.checkpoint::text as checkpoint, a.charged_chip_s, a.charged_fen, a.settled, k.unseen, k.seen_s, k.unchanged_s,
    k.lost_s
from attempt a join pool p on p.id = a.pool_id join centre_contact k on k.centre_id = a.centre_id
where a.job_id = $1 order by a.number

-- name: usage_of_job
select attempt, from_s, until_s, chips from usage where job_id = $1 order by attempt, from_s

-- name: charges_of_job
select attempt, from_s, until_s, chip_s, kept, fen_per_chip_hour, amount_fen, voucher_fen, cash_fen, centre_id, transaction_id
from charge where job_id = $1 order by attempt, from_s

-- name: insert_charges
insert into charge (job_id, attempt, from_s, until_s, chip_s, kept, fen_per_chip_hour, amount_fen, voucher_fen, cash_fen,
    tenant_id, centre_id, voucher_id, transaction_id, effective_s, recorded_s)
select c.*, $16 from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::uuid[], $14::uuid[], $15::bigint[]) c

-- name: mark_charged
update attempt a set charged_until_s = coalesce(c.until_s, a.charged_until_s), charged_chip_s = c.chip_s,
    charged_fen = c.amount_fen, settled = c.settled
from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[])
    c (job_id, number, until_s, chip_s, amount_fen, settled)
where a.job_id = c.job_id and a.number = c.number
