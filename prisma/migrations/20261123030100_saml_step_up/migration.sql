-- The sign-in that a request belongs to, where it began before: somebody who is signed in proves again who they are.
alter table saml_requests add column sign_in_id uuid;
