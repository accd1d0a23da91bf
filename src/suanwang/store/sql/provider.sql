-- name: append
-- Only what changes something: nobody is added twice, and nobody removed who is not there.
insert into provider_listing (agency_id, list, centre_id, listed, at_s, actor)
select $1, $2, $3, $4, $5, $6
where $4 is distinct from coalesce((
    select listed from provider_listing where agency_id = $1 and list = $2 and centre_id = $3 order by seq desc limit 1
), false)
returning seq

-- name: listings
select agency_id, list, centre_id, at_s as from_s, actor as added_by, to_s, removed_by
from (
    select *, lead(at_s) over changes as to_s, lead(actor) over changes as removed_by
    from provider_listing window changes as (partition by agency_id, list, centre_id order by seq)
) change
where listed and ($1 or to_s is null) order by agency_id, list, seq
