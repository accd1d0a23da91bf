-- What the network gives up: a centre that will not come back, and the attempts that nobody will hear of again.

alter table centre_contact add column lost_s bigint;
comment on column centre_contact.lost_s is 'Declared lost then. Stays unseen, whatever its agent says, until it is taken up again';

alter table attempt add column over_s bigint;
comment on column attempt.over_s is 'Of an abandoned attempt: when its agent said, too late to count, that it is over';
