-- From which network a token was last used: an IPv4 /24 or an IPv6 /48, never a single address.
ALTER TABLE tokens ADD COLUMN last_used_from text;
-- Who asks for somebody's tokens, or for one by the readable part that was found somewhere.
CREATE INDEX tokens_prefix_idx ON tokens (prefix);
