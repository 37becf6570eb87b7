-- What people are told. The content (links, codes, addresses) is sealed with the person's own key, and emptied once it is sent.
create table "notices" (
    "id" uuid primary key,
    "person_id" uuid not null,
    "notice" text not null,
    "channel" text not null,
    "language" text,
    "content" text,
    "digest" bytea not null,
    "state" text not null default 'queued',
    "attempts" integer not null default 0,
    "problem" text,
    "actor" text not null,
    "correlation_id" text not null,
    "created_at" timestamptz(6) not null,
    "expires_at" timestamptz(6) not null,
    "ended_at" timestamptz(6),
    constraint "notices_channel" check ("channel" in ('email', 'sms')),
    constraint "notices_state" check ("state" in ('queued', 'sent', 'failed', 'skipped')),
    constraint "notices_emptied" check ("state" in ('queued', 'failed') or "content" is null)
);
create index "notices_person" on "notices" ("person_id", "created_at" desc, "id");
create index "notices_created_at" on "notices" ("created_at" desc, "id");
create index "notices_open" on "notices" ("state", "created_at") where "state" in ('queued', 'failed');

-- Which of the optional notices somebody wants or doesn't, where that is not the default.
create table "notice_preferences" (
    "person_id" uuid not null,
    "notice" text not null,
    "wanted" boolean not null,
    "set_at" timestamptz(6) not null,
    constraint "notice_preferences_pkey" primary key ("person_id", "notice")
);
