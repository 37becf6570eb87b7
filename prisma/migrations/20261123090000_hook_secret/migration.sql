-- The secret of change notifications that takes the place of the last, once every subscription bears it.
ALTER TABLE "hooks" ADD COLUMN "next_secret" TEXT;
