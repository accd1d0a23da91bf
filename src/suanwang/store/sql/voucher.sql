-- name: insert_programme
insert into programme (id, agency_id, rules, rules_sha256, automatic_limit_fen, created_s)
values ($1, $2, $3::jsonb, $4, $5, $6) on conflict (id) do nothing

-- name: programme
select id, agency_id, rules::text as rules, rules_sha256, automatic_limit_fen, created_s from programme where id = $1

-- name: programmes
select id, agency_id, rules::text as rules, rules_sha256, automatic_limit_fen, created_s from programme order by created_s, id

-- name: programmes_of
select id, agency_id, rules::text as rules from programme where id = any($1::text[])

-- name: lock_programme
select id from programme where id = $1 for no key update

-- name: granted_to
select coalesce(sum(c.decided_fen) filter (where c.decided_s >= $3), 0)::bigint as year_fen,
    coalesce(sum(c.decided_fen), 0)::bigint as total_fen,
    coalesce(array_agg(c.contract_id), '{}')
        || coalesce(array_agg(c.contract ->> 'split_of') filter (where c.contract ->> 'split_of' is not null), '{}')
        as contracts
from claim c where c.programme_id = $1 and c.tenant_id = $2 and c.state = 'granted'

-- name: insert_claim
insert into claim (id, programme_id, tenant_id, state, contract_id, contract, centre_ids, inputs, assessment, assessed_fen,
    decided_fen, decided_by, submitted_s, decided_s, asked_centres)
values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8::jsonb, $9::jsonb, $10, $11, $12, $13, $14, $15)

-- name: lock_claim
select id, programme_id, tenant_id, state, contract_id, contract::text as contract, centre_ids, inputs::text as inputs,
    assessment::text as assessment, assessed_fen, decided_fen, submitted_s
from claim where id = $1 for no key update

-- name: decide_claim
update claim set state = $2, decided_fen = $3, decided_by = $4, decided_s = $5 where id = $1

-- name: claims
select id, programme_id, tenant_id, state, contract_id, centre_ids, assessment::text as assessment, assessed_fen, decided_fen,
    decided_by, submitted_s, decided_s
from claim where ($1::text is null or tenant_id = $1) and ($2::text is null or programme_id = $2)
    and ($3::text is null or programme_id in (select id from programme where agency_id = $3))
order by submitted_s desc, id limit 500

-- name: insert_voucher
insert into voucher (id, programme_id, tenant_id, claim_id, terms, granted_fen, valid_from_s, valid_to_s, created_s)
values ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9)

-- name: vouchers
select v.id, v.programme_id, v.tenant_id, v.claim_id, v.terms::text as terms, v.granted_fen, v.valid_from_s,
    least(v.valid_to_s, w.at_s) as valid_to_s, c.asked_centres, coalesce(b.amount_fen, 0) as available_fen
from voucher v join claim c on c.id = v.claim_id left join clawed_back w on w.voucher_id = v.id
left join account a on a.kind = 'voucher' and a.owner = v.id::text
left join balance b on b.account_id = a.id
where ($1::text is null or v.tenant_id = $1)
    and ($2::text is null or v.programme_id in (select id from programme where agency_id = $2))
order by v.valid_to_s nulls last, v.created_s, v.id

-- name: vouchers_of_tenants
select v.id, v.programme_id, v.tenant_id, v.claim_id, v.terms::text as terms, v.granted_fen, v.valid_from_s,
    least(v.valid_to_s, w.at_s) as valid_to_s, c.asked_centres, coalesce(b.amount_fen, 0) as available_fen
from voucher v join claim c on c.id = v.claim_id left join clawed_back w on w.voucher_id = v.id
left join account a on a.kind = 'voucher' and a.owner = v.id::text
left join balance b on b.account_id = a.id
where v.tenant_id = any($1::text[])
order by v.valid_to_s nulls last, v.created_s, v.id

-- name: vouchers_by_id
select v.id, v.programme_id, v.tenant_id, v.claim_id, v.terms::text as terms, v.granted_fen, v.valid_from_s,
    least(v.valid_to_s, w.at_s) as valid_to_s, c.asked_centres, coalesce(b.amount_fen, 0) as available_fen
from voucher v join claim c on c.id = v.claim_id left join clawed_back w on w.voucher_id = v.id
left join account a on a.kind = 'voucher' and a.owner = v.id::text
left join balance b on b.account_id = a.id
where v.id = any($1::uuid[])

-- name: repaid
-- What the programme repays of one job.
select coalesce(sum(l.amount_fen), 0)::bigint from ledger_transaction t join transfer l on l.transaction_id = t.id
where t.subject = $1::uuid::text and t.kind = 'redeem'

-- name: lock_ends
select pg_advisory_xact_lock(7702, 1)

-- name: ended_with_value
-- Past their end; and those that are not divisible, once they have paid a bill and hold nothing for another.
select v.id, v.programme_id, v.terms::text as terms, v.granted_fen, least(v.valid_to_s, w.at_s) as valid_to_s, b.amount_fen
from voucher v left join clawed_back w on w.voucher_id = v.id
join account a on a.kind = 'voucher' and a.owner = v.id::text
join balance b on b.account_id = a.id
where b.amount_fen > 0 and (least(v.valid_to_s, w.at_s) <= $1 or (
    v.terms -> 'divisible' = 'false'::jsonb and b.amount_fen < v.granted_fen and not exists (
        select from account h join balance held on held.account_id = h.id
        where h.kind = 'hold' and h.owner = 'voucher/' || v.id and held.amount_fen > 0
    )
))
order by v.id limit 1000

-- name: claimed_by_others
select contract_id from claim
where programme_id = $1 and tenant_id <> $2 and state = 'granted' and contract ->> 'signed_on' = $3

-- name: granted_since
select coalesce(sum(decided_fen), 0)::bigint from claim where programme_id = $1 and state = 'granted' and decided_s >= $2

-- name: redemption_basis
select p.rules::text as rules, (c.inputs -> 'applicant')::text as applicant
from claim c join programme p on p.id = c.programme_id where c.id = $1

-- name: lock_redemptions
select pg_advisory_xact_lock(7701, hashtext($1))

-- name: granted_in_all
select coalesce(sum(granted_fen), 0)::bigint from voucher where programme_id = $1

-- name: insert_claw_back
insert into claw_back (voucher_id, number, taken_fen, owed_fen, reason, actor, at_s) values ($1, $2, $3, $4, $5, $6, $7)

-- name: claw_backs
select voucher_id, number, taken_fen, owed_fen, reason, actor, at_s from clawed_back where voucher_id = any($1::uuid[])
