-- Change notifications of a connection: what we asked its system for, and what it told.
-- No foreign key: a connection that is removed leaves this row until its subscriptions are ended.
CREATE TABLE "hooks" (
    "connection_id" INTEGER NOT NULL,
    "secret" TEXT,
    "address" TEXT,
    "subscriptions" JSONB NOT NULL DEFAULT '[]',
    "renew_asked_at" TIMESTAMPTZ(6),
    "kept_at" TIMESTAMPTZ(6),
    "problem" TEXT,
    "notified_at" TIMESTAMPTZ(6),
    "notifications" BIGINT NOT NULL DEFAULT 0,
    "left_behind" JSONB,

    CONSTRAINT "hooks_pkey" PRIMARY KEY ("connection_id")
);

-- Ids of events that have been told already. What a crash of the database loses costs a run that finds nothing.
CREATE UNLOGGED TABLE "hook_events" (
    "connection_id" INTEGER NOT NULL,
    "event_id" TEXT NOT NULL,
    "seen_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "hook_events_pkey" PRIMARY KEY ("connection_id", "event_id")
);
CREATE INDEX "hook_events_seen_at_idx" ON "hook_events"("seen_at");
