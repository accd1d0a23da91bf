-- Seals over the book: which transactions each closed, in which order, with the hash of every one of them.

create table seal (
    number bigint primary key check (number > 0),
    transactions int not null check (transactions > 0),
    root bytea not null check (length(root) = 32),
    before bytea not null check (length(before) = 32),
    sealed_s bigint not null,
    horizon xid8 not null
);
comment on column seal.before is 'SHA-256 of the seal before';
comment on column seal.horizon is 'Every transaction below was over, and is sealed by now';

create table sealed (
    seal bigint not null references seal,
    place int not null check (place >= 0),
    transaction_id uuid not null unique references ledger_transaction,
    leaf bytea not null check (length(leaf) = 32),
    primary key (seal, place)
);
create index ledger_transaction_of_xid on ledger_transaction (xid);

do $$
declare recorded text;
begin
    foreach recorded in array array['seal', 'sealed'] loop
        execute format('create trigger %I_append_only before update or delete on %I for each statement
                        execute function refuse_change()', recorded, recorded);
        execute format('create trigger %I_never_truncated before truncate on %I for each statement
                        execute function refuse_change()', recorded, recorded);
    end loop;
end $$;
grant select, insert on seal, sealed to suanwang_app;

-- A transaction as it is sealed and exported: one line. Its hash is that of a leaf in RFC 9162.
create function sealed_text(t ledger_transaction) returns text language sql stable as $$
    select jsonb_build_array(t.id, t.kind, t.subject, t.effective_s, t.recorded_s, t.actor, coalesce(
        jsonb_agg(jsonb_build_array(d.key, c.key, l.amount_fen) order by l.seq) filter (where l.seq is not null),
        '[]'))::text
    from (select 1) one left join transfer l on l.transaction_id = t.id
    left join account d on d.id = l.debit_id left join account c on c.id = l.credit_id
$$;
create function leaf_sha256(line text) returns bytea language sql immutable as $$
    select sha256('\x00'::bytea || convert_to(line, 'UTF8'))
$$;
