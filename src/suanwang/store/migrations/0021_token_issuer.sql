-- Two people are two tokens: an auditor sees who made which.

alter table token add column issued_by text not null default '';
comment on column token.issued_by is 'The token that issued it; empty: of before this was recorded';
