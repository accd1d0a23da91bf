-- name: append_events
insert into event (at_s, kind, job_id, attempt, centre_id, actor, body)
select $1, e.kind, e.job_id, e.attempt, e.centre_id, coalesce(e.actor, $2), e.body::jsonb
from unnest($3::text[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::text[]) with ordinality
    e (kind, job_id, attempt, centre_id, body, actor, place)
order by e.place

-- name: horizon
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xid

-- name: events_after
-- Bodies only of the kinds whose body is part of the state: the brain's own decisions are as large as all the rest.
-- `event.xid`: the bare name is the number beside it, by which no index is ordered.
select seq, xid::text::bigint as xid, at_s, kind, job_id, attempt, centre_id,
    case when kind = any($4::text[]) then body::text else '' end as body
from event
where (xid, seq) > ($1::text::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
order by event.xid, event.seq limit $3

-- name: first_held_back
select at_s from event where xid >= pg_snapshot_xmin(pg_current_snapshot()) order by xid, seq limit 1

-- name: holder
-- Every role sees the lock that a transaction holds on its own number; only some see more than its process.
select format('transaction %s of %s in database %s', l.transactionid,
    case when p.gid is null then format('process %s', l.pid) else format('prepared transaction %L', p.gid) end,
    coalesce(a.datname, p.database, 'unknown')) as holder
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    left join pg_prepared_xacts p on p.transaction = l.transactionid
where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
    and l.transactionid = pg_snapshot_xmin(pg_current_snapshot())::xid
limit 1

-- name: events_of_job
select seq, at_s, kind, attempt, centre_id, actor, body::text as body from event where job_id = $1 order by seq

-- name: next_epoch
update brain set epoch = epoch + 1 returning epoch

-- name: epoch_holds
select epoch = $1 as holds from brain for share

-- name: told
select distinct e.job_id, e.attempt from event e
join unnest($2::uuid[], $3::int[]) k (job_id, number) on e.job_id = k.job_id and e.attempt = k.number
where e.kind = $1

-- name: leaving
select e.job_id, e.attempt, min(e.at_s) as at_s
from attempt a join event e on e.job_id = a.job_id and e.attempt = a.number and e.kind = $1
where not a.settled and a.phase <> 'ended' and a.wanted = 'stop'
group by e.job_id, e.attempt order by e.job_id

-- name: promised
select job_id, attempt, body from (
    select distinct on (e.job_id) e.job_id, e.attempt, e.body::text as body, e.seq
    from job j join event e on e.job_id = j.id and e.attempt = j.attempts + 1 and e.kind = $1
    where not j.settled and j.state = 'queued'
    order by e.job_id, e.seq desc
) newest order by seq
