-- Who is in a group now stands together in this index, and who was, after them by when they left: what joining and leaving costs does not
-- grow with everybody who has come and gone before. By person and group, memberships_of_person finds both.
create unique index "memberships_once_new" on "memberships" ("group_id", "valid_to", "person_id", coalesce("connection_id", 0)) nulls not distinct where "recorded_to" is null;
drop index "memberships_once";
alter index "memberships_once_new" rename to "memberships_once";
