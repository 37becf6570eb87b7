-- When the session at the identity provider ends by which a sign-in passed its first step, so that ours ends no later.
alter table sign_ins add column federation_until timestamptz;
