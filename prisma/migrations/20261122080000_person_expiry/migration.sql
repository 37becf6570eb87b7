-- When a person's access ends by itself (contractors, seasonal workers). Valid from the end on, bitemporal like all that
-- access follows from. A row that has begun is carried out as a block of the owner "expiry".
create table "person_expiries" (
    "id" bigserial primary key,
    "person_id" uuid not null,
    "reason" text not null,
    "valid_from" timestamptz(6) not null,
    "valid_to" timestamptz(6),
    "recorded_from" timestamptz(6) not null,
    "recorded_to" timestamptz(6),
    "valid" tstzrange generated always as (tstzrange(valid_from, valid_to)) stored,
    "recorded" tstzrange generated always as (tstzrange(recorded_from, recorded_to)) stored,
    constraint "person_expiries_once" exclude using gist (person_id with =, valid with &&, recorded with &&)
);
create unique index "person_expiries_open" on person_expiries (person_id) where recorded_to is null and valid_to is null;
create index "person_expiries_begin" on person_expiries (valid_from) where recorded_to is null and valid_to is null;
