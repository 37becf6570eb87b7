-- An invitation that was sent is for whoever reads the address that it went to, for as long as that is the person's.
ALTER TABLE "login_links" ADD COLUMN "address_hash" BYTEA;
