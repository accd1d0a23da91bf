-- Which providers a voucher may pay decides about money too.

create trigger provider_listing_recorded after insert or update on provider_listing
    for each row execute function record_row('seq', '');
do $$
begin
    execute format('create or replace view row_now as %s union all '
        'select ''provider_listing''::text as relation, concat_ws(''/'', seq) as key, to_jsonb(t) as said from provider_listing t',
        rtrim(pg_get_viewdef('row_now'::regclass), '; '));
end $$;
insert into row_record (relation, key, said) select relation, key, said from row_now where relation = 'provider_listing';
