-- name: open_answer
insert into answer (organisation_id, key, request_sha256, created_s) values ($1, $2, $3, $4)
on conflict (organisation_id, key) do nothing returning key

-- name: answer
select request_sha256, body::text as body from answer where organisation_id = $1 and key = $2

-- name: store_answer
update answer set body = $3::jsonb where organisation_id = $1 and key = $2
