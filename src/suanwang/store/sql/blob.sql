-- name: insert_blob
insert into blob (sha256, body, created_s) values ($1, $2, $3) on conflict (sha256) do nothing

-- name: insert_owner
insert into blob_owner (sha256, organisation_id) values ($1, $2) on conflict do nothing

-- name: blob
select body from blob where sha256 = $1

-- name: owned_by
select exists (select from blob_owner where sha256 = $1 and organisation_id = $2)

-- name: ordered_at
select exists (
    select from attempt a join job j on j.id = a.job_id
    where a.centre_id = $1 and a.phase <> 'ended'
    and (j.spec -> 'workdir' ->> 'sha256' = $2 or a.resume_from ->> 'blob_sha256' = $2)
)
