-- What is decided about money, and is no movement of it: rules, vouchers, prices, refunds, disputes, batches, months. Each
-- row is written down a second time when it is made or changed, and that is sealed as movements are. So neither a row
-- nor its copy can be altered, taken away or put in later unseen. Charges and use are not copied: proofs compare them
-- with the book, the attempts and one another.

create table row_record (
    seq bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    relation text not null,
    key text not null,
    said jsonb not null
);
comment on column row_record.said is 'The row, without columns that only count';
create index record_of_row on row_record (relation, key, seq);
create index record_of_xid on row_record (xid);

-- Arguments: the columns of its key, and those that are left out.
create function record_row() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    whole jsonb := to_jsonb(new);
begin
    insert into row_record (relation, key, said) values (
        tg_table_name,
        (select string_agg(whole ->> name, '/' order by place) from unnest(string_to_array(tg_argv[0], ',')) with ordinality k (name, place)),
        whole - string_to_array(tg_argv[1], ',')
    );
    return null;
end $$;

do $$
declare
    relation text;
    part text;
    parts text[] := '{}';
    keys jsonb := '{
        "programme": "id", "claim": "id", "voucher": "id", "claw_back": "voucher_id,number", "refund": "job_id,number",
        "dispute": "id", "dispute_answer": "dispute_id", "period": "name", "settlement": "id",
        "settlement_share": "settlement_id,programme_id,place", "settlement_step": "settlement_id,state",
        "pool_offer": "pool_id,turn", "product": "seq", "project": "id", "service_order": "id",
        "order_charge": "order_id,from_s"}';
    left_out jsonb := '{"project": "held_fen", "service_order": "state,holds,measured,charged_fen,ended_s",
        "order_charge": "xid"}';
begin
    for relation in select jsonb_object_keys(keys) loop
        execute format('create trigger %I after insert or update on %I for each row execute function record_row(%L, %L)',
            relation || '_recorded', relation, keys ->> relation, coalesce(left_out ->> relation, ''));
        select string_agg(format('%I', name), ', ' order by place) into part
            from unnest(string_to_array(keys ->> relation, ',')) with ordinality k (name, place);
        parts := parts || format('select %L::text as relation, concat_ws(%L, %s) as key, to_jsonb(t) - %L::text[] as said from %I t',
            relation, '/', part, string_to_array(coalesce(left_out ->> relation, ''), ','), relation);
    end loop;
    execute 'create view row_now as ' || array_to_string(parts, ' union all ');
end $$;
comment on view row_now is 'All rows that have a record, as they are now';
insert into row_record (relation, key, said) select relation, key, said from row_now order by relation, key;

create function record_text(r row_record) returns text language sql stable as $$
    select jsonb_build_array('record', r.seq, r.relation, r.key, r.said)::text
$$;

alter table seal rename column transactions to entries;
comment on column seal.entries is 'How many transactions and records it closed';
alter table sealed alter column transaction_id drop not null, add column record_seq bigint unique references row_record,
    add check (num_nonnulls(transaction_id, record_seq) = 1);

do $$
begin
    execute 'create trigger row_record_append_only before update or delete on row_record for each statement
             execute function refuse_change()';
    execute 'create trigger row_record_never_truncated before truncate on row_record for each statement
             execute function refuse_change()';
end $$;
grant select on row_record, row_now to suanwang_app;
