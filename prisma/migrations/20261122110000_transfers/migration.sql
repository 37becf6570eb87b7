-- Accounts whose record names a transfer for an instant that has not come, and at it has to be decided about again. A row is
-- a wake-up and nothing more: what is so then follows from the record as it is by then, so that a row too many changes nothing.
create table "transfers" (
  "account_id" bigint not null,
  "at" timestamptz(6) not null,
  constraint "transfers_pkey" primary key ("account_id"),
  constraint "transfers_account" foreign key ("account_id") references "accounts" ("id") on delete cascade
);

create index "transfers_at" on transfers (at);
