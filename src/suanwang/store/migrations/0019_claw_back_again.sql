-- What a job still holds of a voucher that was clawed back, it may use, and the agency may ask for that as well: a
-- voucher is clawed back as often as there is something to ask for.

alter table claw_back add column number int not null default 1 check (number > 0);
alter table claw_back drop constraint claw_back_pkey, add primary key (voucher_id, number);

create view clawed_back as
select voucher_id, max(number) as number, sum(taken_fen)::bigint as taken_fen, sum(owed_fen)::bigint as owed_fen,
    string_agg(reason, '; ' order by number) as reason, (array_agg(actor order by number desc))[1] as actor, min(at_s) as at_s
from claw_back group by voucher_id;
comment on view clawed_back is 'All claw-backs of a voucher; it ended with the first';
grant select on clawed_back to suanwang_app;
