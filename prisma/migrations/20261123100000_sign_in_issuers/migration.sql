-- Whose accounts a connection by which people sign in holds: as its provider called itself when somebody signed in.
create table sign_in_issuers (
  connection_id integer primary key references connections (id) on delete cascade,
  issuer text not null,
  since timestamptz not null
);
