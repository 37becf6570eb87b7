-- Who answers for a service's token: it may do at most what that person may. Null where the operator made it.
ALTER TABLE "tokens" ADD COLUMN "responsible_id" UUID;

-- Those that people made so far, by the trail, and what was made in the place of those.
UPDATE "tokens" t SET "responsible_id" = substr(e.actor, 8)::uuid
FROM "audit_events" e
WHERE e.name = 'token.created' AND e.subject_type = 'token' AND e.subject_id = t.id::text
  AND t.scope = 'api' AND t.person_id IS NULL AND e.actor ~ '^person:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

CREATE INDEX "tokens_responsible" ON "tokens" ("responsible_id") WHERE "responsible_id" IS NOT NULL;
