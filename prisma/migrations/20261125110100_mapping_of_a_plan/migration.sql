-- What a plan was decided with: its connection's mapping may be another by the time the plan is applied. Null for plans from before.
alter table plans add column mapping_version integer;
