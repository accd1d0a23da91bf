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
select seq, xid::text::bigint as xid, at_s, kind, job_id, attempt, centre_id,
    case when kind = any($4::text[]) then body::text else '' end as body
from event
where (xid, seq) > ($1::text::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
order by xid, seq limit $3

-- name: events_of_job
select seq, at_s, kind, attempt, centre_id, actor, body::text as body from event where job_id = $1 order by seq

-- name: next_epoch
update brain set epoch = epoch + 1 returning epoch

-- name: epoch_holds
select epoch = $1 as holds from brain for share
