-- Times in which somebody is known not to be employed: before the start date, and after the last day. Whoever has no
-- dates has no row, so that directories without them pay nothing. Ends that lie ahead are rows already: access is
-- refused at that very instant, however late the job is that carries it out.
create table "employment_absences" (
  "id" bigserial not null,
  "person_id" uuid not null,
  "connection_id" integer,
  "effect" text not null,
  "valid_from" timestamptz(6) not null,
  "valid_to" timestamptz(6),
  "recorded_from" timestamptz(6) not null,
  "recorded_to" timestamptz(6),
  constraint "employment_absences_pkey" primary key ("id")
);

alter table "employment_absences"
  add column valid tstzrange generated always as (tstzrange(valid_from, valid_to)) stored,
  add column recorded tstzrange generated always as (tstzrange(recorded_from, recorded_to)) stored,
  add constraint "employment_absences_effect" check (effect in ('suspended', 'deactivated')),
  add constraint "employment_absences_once" exclude using gist (person_id with =, valid with &&) where (recorded_to is null);

create index "employment_absences_of_person" on employment_absences (person_id);
-- Beginnings and ends are carried out in the order of time.
create index "employment_absences_begin" on employment_absences (valid_from) where recorded_to is null;
create index "employment_absences_end" on employment_absences (valid_to) where recorded_to is null and valid_to is not null;

alter table "blocks" drop constraint "blocks_owner";
alter table "blocks" add constraint "blocks_owner" check (owner in ('origin', 'employment', 'admin', 'expiry', 'incident', 'offboarding'));
