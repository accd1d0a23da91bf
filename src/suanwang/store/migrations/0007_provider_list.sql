-- Which centres stand on which list of an agency. Rules name a list, the agency's officers keep it; what a centre says
-- of itself puts it on none.

create table provider_listing (
    seq bigint generated always as identity primary key,
    agency_id text not null references organisation,
    list text not null,
    centre_id text not null references centre,
    listed boolean not null,
    at_s bigint not null,
    actor text not null
);
comment on table provider_listing is 'The last row of a centre on a list counts; the earlier ones say since when, until when, and by whom';
create index provider_listing_of_centre on provider_listing (agency_id, list, centre_id, seq);
create trigger provider_listing_append_only before update or delete on provider_listing
    for each statement execute function refuse_change();
create trigger provider_listing_never_truncated before truncate on provider_listing
    for each statement execute function refuse_change();
grant select, insert on provider_listing to suanwang_app;

alter table centre add column facts_xid xid8 not null default pg_current_xact_id();
comment on column centre.facts_xid is 'The transaction that said so, as offer_xid of a pool';

-- Where a voucher pays is asked when value is set aside, and kept with the job that it was set aside for.
alter table claim add column asked_centres text[] not null default '{}';
comment on column claim.asked_centres is 'Centres of the contract; empty: whichever the rules accept when a job asks';
create index claim_of_programme on claim (programme_id, (contract ->> 'signed_on'));
update claim set asked_centres = centre_ids
    || array(select jsonb_object_keys(coalesce(assessment -> 'refused_centres', '{}'::jsonb)));

alter table job add column voucher_centres text[] not null default '{}';
comment on column job.voucher_centres is 'Where the job''s voucher pays for it';
update job set voucher_centres = claim.centre_ids
from voucher join claim on claim.id = voucher.claim_id where voucher.id = job.voucher_id;
