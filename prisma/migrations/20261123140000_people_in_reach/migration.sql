-- Who is in a unit, and who reports to whom, is read by the thousand for lists: from the index alone.
drop index "person_units_of_unit";
create index "person_units_of_unit" on person_units (unit_id) include (person_id, valid_to) where recorded_to is null;
drop index "people_manager";
create index "people_manager" on people (manager_id) include (id) where manager_id is not null;
