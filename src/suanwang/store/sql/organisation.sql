-- name: insert_organisation
insert into organisation (id, name, kind, facts, created_s) values ($1, $2, $3, $4::jsonb, $5) on conflict (id) do nothing

-- name: organisation
select id, name, kind, facts::text as facts from organisation where id = $1

-- name: share
-- In id order, so that nobody waits in a ring.
select id from organisation where id = any($1::text[]) order by id for share

-- name: lock
select id from organisation where id = any($1::text[]) order by id for no key update

-- name: organisations
select id, name, kind, facts::text as facts from organisation order by id

-- name: insert_token
insert into token (id, secret_sha256, organisation_id, role, centre_id, label, created_s, expires_s, issued_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing

-- name: actor_of_secret
select id, organisation_id, role, centre_id from token
where secret_sha256 = $1 and revoked_s is null and (expires_s is null or expires_s > $2)

-- name: tokens
select id, organisation_id, role, centre_id, label, created_s, expires_s, revoked_s, issued_by from token order by created_s, id

-- name: tokens_in_force
select id from token where role = $1 and revoked_s is null and (expires_s is null or expires_s > $2)
order by created_s, id

-- name: revoke_token
update token set revoked_s = $2 where id = $1 and revoked_s is null returning id
