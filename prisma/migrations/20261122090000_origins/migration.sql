-- Several origins for one person: when a connection was last read to its end, and since when its word went over to the others.
alter table "connections" add column "heard_at" timestamptz(6), add column "silent_since" timestamptz(6);
update "connections" set heard_at = last_run_at where last_full_at is not null and failures = 0;
