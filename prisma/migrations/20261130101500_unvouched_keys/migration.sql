-- By what nobody is matched without a human: somebody who administers only a part of the organisation has said so of the person.
alter table people add column unvouched text[] not null default '{}';
