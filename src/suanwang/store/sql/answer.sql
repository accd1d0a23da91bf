-- name: open_answers
-- In the order of the keys, so that two batches never wait for each other in a ring.
insert into answer (organisation_id, key, request_sha256, created_s)
select a.organisation_id, a.key, a.request_sha256, $4
from unnest($1::text[], $2::text[], $3::bytea[]) a (organisation_id, key, request_sha256)
order by a.organisation_id, a.key
on conflict (organisation_id, key) do nothing returning organisation_id, key

-- name: answer
select request_sha256, body::text as body from answer where organisation_id = $1 and key = $2

-- name: store_answers
update answer a set body = n.body::jsonb
from unnest($1::text[], $2::text[], $3::text[]) n (organisation_id, key, body)
where a.organisation_id = n.organisation_id and a.key = n.key

-- name: withdraw_answers
delete from answer a using unnest($1::text[], $2::text[]) n (organisation_id, key)
where a.organisation_id = n.organisation_id and a.key = n.key

-- name: remove_old
delete from answer where (organisation_id, key) in (
    select organisation_id, key from answer where created_s < $1 limit $2 for update skip locked
)
