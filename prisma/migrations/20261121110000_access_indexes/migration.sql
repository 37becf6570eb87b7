-- Asked for every person whose reasons change, in sets of thousands: a GiST index is too slow for that.
create index "blocks_of_person" on blocks (person_id) where recorded_to is null;
create index "rule_matches_of_person" on rule_matches (person_id) where recorded_to is null;
create index "unit_placements_of_unit" on unit_placements (unit_id) where recorded_to is null;
-- A grant by its id: the trail and what is revoked.
create index "grants_by_id" on grants (grant_id);
