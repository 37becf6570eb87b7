-- Addresses and numbers that a provider has refused for good. Which one is kept as a hash by the person's own key alone: a number
-- that codes go to is sealed elsewhere, and stays so.
create table "undeliverable_addresses" (
    "person_id" uuid not null,
    "channel" text not null,
    "digest" bytea not null,
    -- In the provider's own words.
    "problem" text not null,
    "since" timestamptz(6) not null,
    "last_at" timestamptz(6) not null,
    "count" integer not null default 1,
    constraint "undeliverable_addresses_pkey" primary key ("person_id", "channel", "digest"),
    constraint "undeliverable_addresses_channel" check ("channel" in ('email', 'sms'))
);
