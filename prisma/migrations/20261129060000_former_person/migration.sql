-- Whose an account was until it fell out of the connection's scope: who comes back into it is the same person, whatever they are called then.
alter table accounts add column former_person_id uuid;
create index "accounts_former_person_id_idx" on accounts (former_person_id) where former_person_id is not null;
