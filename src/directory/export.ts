import { z } from "zod";
import type { Sql } from "../db/database.ts";
import { open, type KeyRing, type SealingKey } from "../db/envelope.ts";
import { openPersonKey } from "./personal.ts";

const PERIOD = `valid_from as "from", valid_to as "to", recorded_from as "recordedFrom", recorded_to as "recordedTo"`;

/** What is handed out beside the trail, by name. Hashes of secrets are in none of it. */
const SECTIONS: Readonly<Record<string, string>> = {
  profile: `select p.id, p.user_name::text as "userName", p.email::text, p.state, p.active, p.attributes, p.custom, p.local as "editedHere",
      coalesce((select jsonb_object_agg(m.key, coalesce(c.name, m.value)) from jsonb_each_text(p.mastery) m left join connections c on c.id::text = m.value), '{}') as mastery,
      origin.name as origin, p.manager_id as "managerId", p.version, p.created_at as "createdAt", p.modified_at as "modifiedAt"
    from people p left join connections origin on origin.id = p.origin_id where p.id = $1`,
  photos: `select format, size, set_at as "setAt", encode(bytes, 'base64') as base64 from person_photos where person_id = $1 order by size desc, format limit 1`,
  accounts: `select c.name as connection, a.kind, a.native_id as "nativeId", a.reference, a.attributes, a.situation, a.written_back as "writtenBack",
      a.first_seen_at as "firstSeenAt", a.changed_at as "changedAt", a.gone_at as "goneAt" from accounts a join connections c on c.id = a.connection_id where $1 in (a.person_id, a.former_person_id) order by a.id`,
  targets: `select c.name as target, p.native_id as "nativeId", p.desired_state as "desiredState", p.desired, p.delivered_state as "deliveredState", p.delivered, p.delivered_at as "deliveredAt"
    from projections p join connections c on c.id = p.connection_id where p.person_id = $1 order by p.id`,
  units: `select u.name::text as unit, u.code::text, u.type, c.name as connection, ${prefixed("pu")} from person_units pu join units u on u.id = pu.unit_id
    left join connections c on c.id = pu.connection_id where pu.person_id = $1 order by pu.id`,
  memberships: `select g.display_name::text as "group", c.name as connection, ${prefixed("m")} from memberships_ever m join groups g on g.id = m.group_id
    left join connections c on c.id = m.connection_id where m.person_id = $1 order by m.recorded_from, m.id`,
  grants: `select g.grant_id as id, r.key as role, u.name::text as unit, g.source, g.reason, g.granted_by as "grantedBy", ${prefixed("g")}
    from grants g join roles r on r.id = g.role_id join units u on u.id = g.unit_id where g.person_id = $1 order by g.id`,
  accessRequests: `select q.id, r.key as role, u.name::text as unit, q.reason, q.state, q.requested_at as "requestedAt", q.decided_at as "decidedAt", q.decision_reason as "decisionReason"
    from access_requests q join roles r on r.id = q.role_id join units u on u.id = q.unit_id where q.person_id = $1 or q.requested_by = $1 order by q.requested_at, q.id`,
  lifecycle: `select state, reason, ${PERIOD} from lifecycle_periods where person_id = $1 order by id`,
  blocks: `select owner, effect, reason, ${PERIOD} from blocks where person_id = $1 order by id`,
  employmentAbsences: `select effect, ${PERIOD} from employment_absences where person_id = $1 order by id`,
  endsOfAccess: `select reason, ${PERIOD} from person_expiries where person_id = $1 order by id`,
  sessions: `select id, created_at as "createdAt", last_seen_at as "lastSeenAt", expires_at as "expiresAt", ended_at as "endedAt", ended_reason as "endedReason", user_agent as "userAgent", ip, methods, proven_at as "provenAt"
    from sessions where person_id = $1 order by created_at, id`,
  offlineGrants: `select c.name as connection, o.subject, o.granted_at as "grantedAt", o.refreshed_at as "refreshedAt" from offline_grants o
    join connections c on c.id = o.connection_id where o.person_id = $1 order by o.granted_at`,
  devices: `select id, first_seen_at as "firstSeenAt", last_seen_at as "lastSeenAt", user_agent as "userAgent", network from sign_in_devices where person_id = $1 order by first_seen_at, id`,
  secondFactors: `select id, kind, label, created_at as "createdAt", last_used_at as "lastUsedAt" from factors where person_id = $1 order by created_at, id`,
  factorRequirements: `select reason, created_at as "createdAt", created_by as "createdBy" from factor_requirements where person_id = $1`,
  notices: `select id, notice, channel, language, state, problem, created_at as "createdAt", ended_at as "endedAt" from notices where person_id = $1 order by created_at, id`,
  noticePreferences: `select notice, wanted, set_at as "setAt" from notice_preferences where person_id = $1 order by notice`,
  passwords: `select set_at as "setAt", temporary_until as "temporaryUntil" from passwords where person_id = $1`,
  loginLinks: `select purpose, delivery, created_at as "createdAt", created_by as "createdBy", expires_at as "expiresAt", used_at as "usedAt", revoked_at as "revokedAt"
    from login_links where person_id = $1 order by created_at, id`,
  undeliverableAddresses: `select channel, problem, since, last_at as "lastAt", count from undeliverable_addresses where person_id = $1 order by since`,
  addressChanges: `select c.at, c.old_address as "from", c.new_address as "to", k.name as connection, c.told_at as "toldAt", c.answer, c.answered_at as "answeredAt"
    from address_changes c left join connections k on k.id = c.connection_id where c.person_id = $1 order by c.id`,
  tokens: `select id, name, prefix, scope, permissions, created_at as "createdAt", expires_at as "expiresAt", last_used_at as "lastUsedAt", last_used_from as "lastUsedFrom", revoked_at as "revokedAt"
    from tokens where person_id = $1 order by created_at, id`,
  attemptsToSignIn: `select at, kind, outcome, address, network, why from sign_in_attempts where person_id = $1 order by id`,
  incidents: `select i.id, i.kind, i.state, i.outcome, i.response, i.opened_at as "openedAt", i.last_at as "lastAt", i.closed_at as "closedAt",
      (select jsonb_agg(jsonb_build_object('firstAt', e.first_at, 'lastAt', e.last_at, 'facts', e.facts) order by e.hour) from incident_evidence e where e.incident_id = i.id) as evidence
    from incidents i where i.person_id = $1 order by i.opened_at, i.id`,
};

const EVENTS = {
  eventsAbout: "subject_id = $1::uuid::text",
  eventsBy: "actor = 'person:' || $1::uuid::text and subject_id is distinct from $1::uuid::text",
} as const;
const EVENTS_A_PAGE = 500;

/**
 * Everything that is known of somebody, as one JSON document in portions: the profile, the photo, accounts, what they were in and held over
 * time, sessions and tokens, and the trail about and by them, with what was sealed opened. Reads as it is read from.
 */
export async function* exportPerson(
  sql: Sql,
  { personId, keyRing, at }: { personId: string; keyRing: KeyRing; at: Date },
): AsyncGenerator<string> {
  const key = await keyOf(sql, { personId, keyRing });
  yield `{"exportedAt":${JSON.stringify(at)},"personId":${JSON.stringify(personId)}`;
  for (const [name, statement] of Object.entries(SECTIONS)) {
    const { rows } = await sql.query<Record<string, unknown>>(statement, [personId]);
    yield `,${JSON.stringify(name)}:${JSON.stringify(name === "profile" ? (rows[0] ?? null) : rows)}`;
  }
  yield `,"imports":${JSON.stringify(await importsOf(sql, { personId, key }))}`;
  for (const [name, where] of Object.entries(EVENTS)) {
    yield `,${JSON.stringify(name)}:[`;
    let separator = "";
    for await (const event of eventsOf(sql, { where, personId, key })) {
      yield `${separator}${JSON.stringify(event)}`;
      separator = ",";
    }
    yield "]";
  }
  yield "}";
}

function prefixed(alias: string): string {
  return PERIOD.replaceAll(/\b(valid|recorded)_(from|to)\b/g, `${alias}.$&`);
}

interface StoredEvent {
  id: number;
  sealed: string | null;
}

async function* eventsOf(
  sql: Sql,
  { where, personId, key }: { where: string; personId: string; key: SealingKey | undefined },
): AsyncGenerator<Record<string, unknown>> {
  for (let after = 0; ;) {
    const { rows } = await sql.query<StoredEvent>(
      `select id, at, name, actor, subject_type as "subjectType", subject_id as "subjectId", correlation_id as "correlationId", reason, data, sealed
       from audit_events where ${where} and id > $2 order by id limit ${EVENTS_A_PAGE}`,
      [personId, after],
    );
    for (const { sealed, ...event } of rows)
      yield { ...event, personal: where === EVENTS.eventsAbout ? opened(sealed, { personId, key }) : null };
    const last = rows.at(-1);
    if (!last || rows.length < EVENTS_A_PAGE) return;
    after = last.id;
  }
}

async function importsOf(sql: Sql, { personId, key }: { personId: string; key: SealingKey | undefined }): Promise<unknown[]> {
  const { rows } = await sql.query<{ content: string | null }>(
    `select i.applied_at as "appliedAt", i.applied_by as "appliedBy", r.action, r.content from people_import_rows r join people_imports i on i.id = r.import_id
     where r.person_id = $1 and i.state = 'applied' order by i.applied_at, i.id`,
    [personId],
  );
  return rows.map(({ content, ...row }) => ({ ...row, changes: opened(content, { personId, key }) }));
}

async function keyOf(sql: Sql, { personId, keyRing }: { personId: string; keyRing: KeyRing }): Promise<SealingKey | undefined> {
  const { rows } = await sql.query<{ wrapped: string }>("select wrapped from person_keys where person_id = $1", [personId]);
  return rows[0] && openPersonKey(keyRing, { personId, wrapped: rows[0].wrapped });
}

function opened(sealed: string | null, { personId, key }: { personId: string; key: SealingKey | undefined }): unknown {
  if (sealed === null || key === undefined) return null;
  return z.json().parse(JSON.parse(open({ current: key, older: [] }, { purpose: `audit:${personId}`, sealed })));
}
