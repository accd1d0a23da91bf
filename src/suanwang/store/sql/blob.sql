-- name: insert_blob
insert into blob (sha256, body, size_bytes, sent_s) values ($1, $2::bytea, octet_length($2::bytea), $3)
on conflict (sha256) do update set sent_s = greatest(blob.sent_s, excluded.sent_s)

-- name: insert_owner
insert into blob_owner (sha256, organisation_id) values ($1, $2) on conflict do nothing

-- name: blob
select body from blob where sha256 = $1

-- name: owned_by
select exists (select from blob_owner where sha256 = $1 and organisation_id = $2)

-- name: owned_bytes
select coalesce(sum(b.size_bytes), 0)::bigint from blob_owner o join blob b on b.sha256 = o.sha256
where o.organisation_id = $1

-- name: hold
-- Those of these files that the organisations own; they are not cleaned up until the transaction ends.
select o.organisation_id, b.sha256 from unnest($1::text[], $2::bytea[]) n (organisation_id, sha256)
join blob_owner o on o.organisation_id = n.organisation_id and o.sha256 = n.sha256
join blob b on b.sha256 = o.sha256
order by b.sha256 for key share of b

-- name: ordered_at
select exists (
    select from attempt a join job j on j.id = a.job_id
    where a.centre_id = $1 and a.phase <> 'ended'
    and (j.spec -> 'workdir' ->> 'sha256' = $2 or a.resume_from ->> 'blob_sha256' = $2)
)

-- name: lock_unneeded
-- Files sent before an instant that no live job starts or resumes from.
with needed as materialized (
    select j.spec -> 'workdir' ->> 'sha256' as sha256 from job j where not j.settled
    union select a.checkpoint ->> 'blob_sha256' from attempt a join job j on j.id = a.job_id where not j.settled
    union select a.resume_from ->> 'blob_sha256' from attempt a join job j on j.id = a.job_id where not j.settled
)
select b.sha256 from blob b
where b.sent_s < $1 and not exists (select from needed n where n.sha256 = encode(b.sha256, 'hex'))
order by b.sent_s limit $2 for update skip locked

-- name: remove_unneeded
-- Asked again with the files locked: a job that came in between has been seen by now, and none can come.
with needed as materialized (
    select j.spec -> 'workdir' ->> 'sha256' as sha256 from job j where not j.settled
    union select a.checkpoint ->> 'blob_sha256' from attempt a join job j on j.id = a.job_id where not j.settled
    union select a.resume_from ->> 'blob_sha256' from attempt a join job j on j.id = a.job_id where not j.settled
)
delete from blob b using unnest($1::bytea[]) old (sha256)
where b.sha256 = old.sha256 and not exists (select from needed n where n.sha256 = encode(b.sha256, 'hex'))
returning b.size_bytes
