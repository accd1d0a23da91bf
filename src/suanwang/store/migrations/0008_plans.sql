-- The plan of a statement in a trigger is kept for as long as a connection lives, made for whatever came first: for a
-- thousand transfers at once, or for tables that were still empty. These find every row through its index, however few
-- or many there are, so that a small movement costs no look at all balances.

do $$
declare checked text; method text;
begin
    foreach checked in array array['apply_transfers', 'open_balance', 'check_transaction', 'refuse_overlap'] loop
        foreach method in array array['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan'] loop
            execute format('alter function %I() set %I = off', checked, method);
        end loop;
    end loop;
end $$;
