-- Whether anybody has signed in from a browser before is asked by the hash of its cookie alone.
CREATE INDEX "sign_in_devices_hash_idx" ON "sign_in_devices" ("hash");
