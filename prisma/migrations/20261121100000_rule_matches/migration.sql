-- Since when a person matches a condition rule: the grant that follows is a function of this and of the rule's version,
-- so that an expired one does not come back with the next evaluation. Bitemporal.
CREATE TABLE "rule_matches" (
    "id" BIGSERIAL NOT NULL,
    "rule_id" UUID NOT NULL,
    "person_id" UUID NOT NULL,
    "valid_from" TIMESTAMPTZ(6) NOT NULL,
    "valid_to" TIMESTAMPTZ(6),
    "recorded_from" TIMESTAMPTZ(6) NOT NULL,
    "recorded_to" TIMESTAMPTZ(6),

    CONSTRAINT "rule_matches_pkey" PRIMARY KEY ("id")
);

alter table "rule_matches"
  add column valid tstzrange generated always as (tstzrange(valid_from, valid_to)) stored,
  add column recorded tstzrange generated always as (tstzrange(recorded_from, recorded_to)) stored,
  add constraint "rule_matches_rule" foreign key (rule_id) references rules (id),
  add constraint "rule_matches_once" exclude using gist (person_id with =, rule_id with =, valid with &&)
    where (recorded_to is null and valid_to is not null);
create unique index "rule_matches_open" on rule_matches (person_id, rule_id) where recorded_to is null and valid_to is null;
create index "rule_matches_of_rule" on rule_matches (rule_id) where recorded_to is null and valid_to is null;

-- Questions about the tree as it was go down by parent.
create index "unit_placements_of_parent" on unit_placements (parent_id) where recorded_to is null;

-- What was believed once (recorded time in the past). Empty after a first sync, so that they cost it nothing.
create index "memberships_believed" on memberships (person_id) where recorded_to is not null;
create index "nestings_believed" on nestings (child_group_id) where recorded_to is not null;
create index "lifecycle_periods_believed" on lifecycle_periods (person_id) where recorded_to is not null;
create index "grants_of_person_believed" on grants (person_id) where recorded_to is not null and person_id is not null;
create index "grants_of_group_believed" on grants (group_id) where recorded_to is not null and group_id is not null;
