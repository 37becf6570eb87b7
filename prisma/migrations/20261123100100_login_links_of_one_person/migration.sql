-- Somebody may hold several open links to set a password: who asks for another one does not take the first away.
drop index login_links_open;
create index login_links_person on login_links (person_id, purpose, created_at);
