-- Changes of the e-mail address to which links are sent, of people who can get in here by themselves: by whatever way they come
-- (a sync, a SCIM client, an administrator, the person), they are noted where the address stands.
create table "address_changes" (
    "id" bigserial primary key,
    "person_id" uuid not null,
    "old_address" text,
    "new_address" text,
    -- The connection whose word the address is, null for what was written here.
    "connection_id" integer,
    "at" timestamptz(6) not null,
    -- When the old address was told, and when it was put off because there were too many at once.
    "told_at" timestamptz(6),
    "held_at" timestamptz(6),
    -- The link that the old address is sent.
    "link_hash" bytea,
    "link_until" timestamptz(6),
    -- Whether the person says that it was them: mine, not_mine.
    "answer" text,
    "answered_at" timestamptz(6),
    constraint "address_changes_answer" check ("answer" in ('mine', 'not_mine') and "answered_at" is not null or "answer" is null),
    constraint "address_changes_link" check (("link_hash" is null) = ("link_until" is null))
);
create index "address_changes_person" on "address_changes" ("person_id", "id");
create index "address_changes_untold" on "address_changes" ("at") where "told_at" is null;
create unique index "address_changes_link_hash" on "address_changes" ("link_hash");

-- Everybody who writes a profile says when (modified_at), by the clock that decides.
create function note_address_change() returns trigger language plpgsql as E'
begin
  if exists (select from passwords where person_id = new.id) or exists (select from factors where person_id = new.id)
    or exists (select from sessions where person_id = new.id and ended_at is null) then
    insert into address_changes (person_id, old_address, new_address, connection_id, at)
      values (new.id, old.email::text, new.email::text, coalesce(new.mastery ->> ''emails'', new.mastery ->> ''*'')::integer, new.modified_at)\x3b
  end if\x3b
  return null\x3b
end';
create trigger "people_address_changed" after update of email on people for each row
  when (lower(old.email::text) is distinct from lower(new.email::text) and new.state <> 'deleted')
  execute function note_address_change();
