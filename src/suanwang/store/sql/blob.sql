-- name: insert_blob
insert into blob (sha256, owner_id, body, created_s) values ($1, $2, $3, $4) on conflict (sha256) do nothing

-- name: blob
select body from blob where sha256 = $1

-- name: blob_owner
select owner_id from blob where sha256 = $1

-- name: blob_in_orders
select exists (
    select from attempt a join job j on j.id = a.job_id
    where a.centre_id = $1 and a.phase <> 'ended'
    and (j.spec -> 'workdir' ->> 'sha256' = $2 or a.resume_from ->> 'blob_sha256' = $2)
) as found
