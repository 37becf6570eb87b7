-- What was asked before the first item of a plan was applied, for whoever goes on with it. Null before and after.
alter table plans add column passed_on jsonb;
