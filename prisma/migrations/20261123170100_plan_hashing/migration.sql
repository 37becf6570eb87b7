-- The bytes of a text, declared immutable because the encoding is named. Escaping and unescaping the text, as before, came to the same
-- bytes, and took longer than hashing them. The planner does not put this body in place of the call, which costs far less than that.
create function utf8_bytes(value text) returns bytea language sql immutable strict parallel safe return convert_to(value, 'UTF8');
create or replace function text_sha256(value text) returns bytea language sql immutable strict parallel safe return sha256(utf8_bytes(value));
