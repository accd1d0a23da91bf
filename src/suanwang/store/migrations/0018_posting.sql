-- A transfer is an append and writes to no account. A foreign key locks the row that it names, and to lock is to write:
-- a third of the work of a charge went there, and all charges of one centre met at its account. The check of a
-- transaction, and of what joins one, look up the same rows without a lock. Neither a header nor an account is ever
-- taken away, so what was there once stays.

alter table transfer drop constraint transfer_transaction_id_fkey, drop constraint transfer_debit_id_fkey,
    drop constraint transfer_credit_id_fkey, drop constraint transfer_pkey, add primary key (transaction_id, seq);
drop index transfer_of_transaction;
alter table balance drop constraint balance_account_id_fkey;

create or replace function apply_transfers() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
    if exists (select from inserted i left join ledger_transaction t on t.id = i.transaction_id
               where t.xid is distinct from pg_current_xact_id()) then
        raise exception 'a transfer can only join a transaction that is being recorded' using errcode = 'SW002';
    end if;
    with moved as (
        select account_id, sum(fen) as fen
        from (select credit_id as account_id, amount_fen as fen from inserted
              union all select debit_id, -amount_fen from inserted) legs
        group by account_id having sum(fen) <> 0
    ), locked as (
        -- In one order everywhere, so that two batches never wait for each other in a ring.
        select b.account_id, m.fen from moved m join balance b on b.account_id = m.account_id
        order by b.account_id for no key update of b
    )
    update balance b set amount_fen = b.amount_fen + locked.fen from locked where b.account_id = locked.account_id;
    return null;
end $$;

-- Without settings of its own, such as the other has: to set and take back some for every transaction cost a tenth of a
-- charge, and for two or three rows that are asked for by key no other plan is cheaper. The names are whole instead.
drop trigger transaction_balances on ledger_transaction;
drop function check_transaction();
create function check_transaction() returns trigger language plpgsql as $$
declare
    legs bigint;
    total bigint;
    within_assets boolean;
begin
    select count(*), coalesce(sum(t.amount_fen), 0), coalesce(bool_and(coalesce(debit.asset = credit.asset, false)), true)
    into legs, total, within_assets
    from public.transfer t
    left join public.account debit on debit.id = t.debit_id left join public.account credit on credit.id = t.credit_id
    where t.transaction_id = new.id;
    if legs <> new.transfers or total <> new.total_fen then
        raise exception 'transaction % is not whole: % transfers of % fen, header says % of %',
            new.id, legs, total, new.transfers, new.total_fen using errcode = 'SW003';
    end if;
    -- Every transfer inside one asset: so every asset of the transaction sums to zero.
    if not within_assets then
        raise exception 'transaction % moves value from one asset to another, or to no account', new.id
            using errcode = 'SW003';
    end if;
    return null;
end $$;
create constraint trigger transaction_balances after insert on ledger_transaction
    deferrable initially deferred for each row execute function check_transaction();
