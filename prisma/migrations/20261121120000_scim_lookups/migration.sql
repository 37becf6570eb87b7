-- What SCIM clients look people and groups up by, before every write. Accounts of other connectors have none of these
-- attributes at the top and stay out of the indexes.
create index "accounts_scim_user_name" on accounts (connection_id, lower(attributes->>'userName')) where kind = 'user' and attributes ? 'userName';
create index "accounts_scim_display_name" on accounts (connection_id, lower(attributes->>'displayName')) where kind = 'group' and attributes ? 'displayName';
create index "accounts_scim_external_id" on accounts (connection_id, kind, (attributes->>'externalId')) where attributes ? 'externalId';

-- Who deleted an account does not see its person any more. Few rows, asked of every list.
create index "accounts_gone" on accounts (connection_id, kind, native_id) where gone_at is not null;

-- E-mail addresses without case, all of a person's, not only the primary one.
create index "people_emails" on people using gin ((lower(jsonb_path_query_array(attributes, '$.emails[*].value')::text)::jsonb)) where deleted_at is null;
create index "accounts_scim_emails" on accounts using gin ((lower(jsonb_path_query_array(attributes, '$.emails[*].value')::text)::jsonb)) where kind = 'user' and attributes ? 'userName';
