import { z } from "zod";

const changed = z.object({
  changed: z.array(z.string()).optional(),
  connection: z.string().optional(),
  plan: z.number().optional(),
  run: z.number().optional(),
  account: z.number().optional(),
});
const named = z.object({ name: z.string() });
const asked = z.object({ role: z.string(), unit: z.string() });

/**
 * Every event there is, with the shape of its `data`, which holds no personal values: those go into `sealed`
 * (`before`, `after`), encrypted with the person's key.
 */
export const EVENTS = {
  "person.joined": changed,
  "person.linked": changed,
  "person.updated": changed,
  "person.vouched": changed,
  "person.suspended": changed.extend({ owner: z.string() }),
  "person.deactivated": changed.extend({ owner: z.string() }),
  "person.activated": changed.extend({ owner: z.string() }),
  "person.deleted": changed,
  /** Deleted for good by hand: how many accounts were known of the person, and whether it was done before targets had been told. */
  "person.erased": z.object({ accounts: z.number(), forced: z.boolean() }),
  /** Targets were told, and what was kept of the person for that is gone. */
  "person.erasure_finished": z.object({}),
  /** Everything that is known of the person was handed out. */
  "person.exported": z.object({}),
  "person.photo_set": z.object({}),
  "person.photo_removed": z.object({}),
  "people.import_previewed": z.object({ create: z.number(), update: z.number(), unchanged: z.number(), errors: z.number() }),
  "people.import_applied": z.object({ hash: z.string(), created: z.number(), updated: z.number() }),
  "people.import_discarded": z.object({}),
  /** When its access ends by itself; the end is null when there is none any more. */
  "person.expiry_set": z.object({ until: z.string().nullable() }),
  /** A block reason beside others: the person's state stayed what it was. */
  "block.raised": z.object({ owner: z.string(), effect: z.string(), connection: z.string().optional() }),
  "block.lifted": z.object({ owner: z.string(), connection: z.string().optional() }),
  "account.gone": changed,
  "account.disputed": changed.extend({ candidates: z.array(z.string()) }),
  "account.settled": changed.extend({ choice: z.string() }),
  "group.created": changed,
  "group.updated": changed,
  "group.deleted": changed,
  "group.members_changed": changed.extend({ added: z.number(), removed: z.number() }),
  "unit.created": changed,
  "unit.updated": changed,
  "unit.moved": changed,
  "unit.deleted": changed,
  "unit.restored": changed,
  /** What it held went into another unit: how many people, grants, rules and units below it. */
  "unit.merged": z.object({ into: z.string(), people: z.number(), grants: z.number(), rules: z.number(), children: z.number() }),
  "unit_type.created": named,
  "unit_type.removed": named,
  "attribute.created": named.extend({ type: z.string() }),
  "attribute.updated": named.extend({ changed: z.array(z.string()) }),
  "attribute.removed": named.extend({ type: z.string() }),
  "role.created": named,
  "role.deleted": named.extend({ grants: z.number() }),
  "role.updated": named.extend({ version: z.number() }),
  "rule.created": named,
  "rule.updated": named.extend({ version: z.number() }),
  "rule.deleted": named,
  "grant.given": z.object({
    role: z.string(),
    unit: z.string(),
    source: z.string(),
    from: z.string(),
    until: z.string().nullable(),
    rule: z.string().optional(),
  }),
  "grant.changed": z.object({
    role: z.string(),
    unit: z.string(),
    source: z.string(),
    until: z.string().nullable(),
    before: z.string().nullable(),
  }),
  "grant.revoked": z.object({ role: z.string(), unit: z.string(), source: z.string(), rule: z.string().optional() }),
  "grant.started": z.object({ role: z.string(), unit: z.string(), source: z.string() }),
  "grant.expired": z.object({ role: z.string(), unit: z.string(), source: z.string(), members: z.number().optional() }),
  /** It ends within a week; its person was told, if they want to hear of it. */
  "grant.ending": z.object({ until: z.string() }),
  "request.made": asked.extend({ from: z.string().nullable(), until: z.string().nullable() }),
  "request.approved": asked.extend({ grant: z.string(), until: z.string().nullable() }),
  "request.refused": asked,
  "request.withdrawn": asked,
  /** Nobody decided in time. */
  "request.lapsed": asked,
  /** Somebody signed in, and how. */
  "session.started": z.object({ session: z.string(), methods: z.array(z.string()) }),
  /** Somebody proved again who they are, and how. */
  "session.proven": z.object({ session: z.string(), methods: z.array(z.string()) }),
  /** A security notice to the person waits to be sent. */
  "notice.queued": z.object({ notice: z.string(), channel: z.string(), id: z.string() }),
  /** It could not be sent, and is not tried again by itself. */
  "notice.failed": z.object({ notice: z.string(), channel: z.string(), id: z.string() }),
  "notice.resent": z.object({ notice: z.string(), channel: z.string(), id: z.string() }),
  /** Of whether a changed e-mail address is theirs: mine or not_mine, `by` session or old_address. */
  "address.answered": z.object({ answer: z.string(), by: z.string() }),
  /** More addresses changed at once than old ones are told of. */
  "addresses.not_told": z.object({ count: z.number() }),
  "notice.chosen": z.object({ notice: z.string(), wanted: z.boolean() }),
  /** `changed` by the person, `reset` or `invitation` by a link, `temporary` by an administrator, `command` on the machine. */
  "password.set": z.object({ how: z.string() }),
  "login_link.created": z.object({ purpose: z.string(), delivery: z.string(), until: z.string() }),
  "login_link.revoked": z.object({ purpose: z.string(), count: z.number() }),
  "login_link.used": z.object({ purpose: z.string() }),
  "session.ended": z.object({ count: z.number() }),
  "factor.added": z.object({ kind: z.string(), factor: z.string() }),
  "factor.removed": z.object({ kind: z.string(), factor: z.string() }),
  /** All of a person's second factors were taken away by somebody else. */
  "factor.reset": z.object({ factors: z.number(), recoveryCodes: z.number() }),
  /** A passkey's counter did not go on from where it was: there may be a copy of it. It was refused. */
  "factor.counter_regressed": z.object({ factor: z.string(), known: z.number(), came: z.number() }),
  "factor.recovery_code_used": z.object({ left: z.number() }),
  "factor.recovery_codes_made": z.object({ count: z.number() }),
  "factor.requirement_set": z.object({ kind: z.string(), requirement: z.string() }),
  "factor.requirement_removed": z.object({ kind: z.string(), requirement: z.string() }),
  /** A pattern in the attempts to get in; `subject` is what kind of thing it is about. */
  "incident.opened": z.object({ kind: z.string(), subject: z.string() }),
  /** It happened again, or somebody looks at it again. */
  "incident.reopened": z.object({ kind: z.string(), subject: z.string() }),
  "incident.changed": z.object({ kind: z.string(), changed: z.array(z.string()) }),
  /** What was done at once to the person it is about. */
  "incident.responded": z.object({ kind: z.string(), response: z.string() }),
  "incident.closed": z.object({ kind: z.string(), outcome: z.string() }),
  "token.created": named.extend({ scope: z.string(), prefix: z.string(), expires: z.string().nullable() }),
  /** It ends soon, and nothing has taken its place. */
  "token.ending": named.extend({ expires: z.string() }),
  "token.renewed": named.extend({ expires: z.string() }),
  /** Who answers for a service's token has lost access: it opens nothing until somebody rotates it. */
  "token.stopped": named,
  "token.rotated": named.extend({ replacedBy: z.string(), until: z.string() }),
  "oauth_client.created": named.extend({ expires: z.string().nullable() }),
  "oauth_client.revoked": named.extend({ tokens: z.number() }),
  "token.revoked": z.object({ name: z.string().optional(), count: z.number().optional() }),
  "connection.created": named.extend({ connector: z.string() }),
  "connection.updated": named.extend({ changed: z.array(z.string()) }),
  "connection.flagged": named,
  "connection.quarantined": named.extend({ failures: z.number() }),
  "connection.resumed": named,
  /** It was silent for longer than its policy allows: its people's other origins master what it did. */
  "connection.handed_over": named.extend({ people: z.number() }),
  "connection.removed": named,
  /** A key of ours at an identity provider: published beside the one in use, or in use from now on. */
  "connection.key_changed": named.extend({ state: z.enum(["published", "in_use"]) }),
  /** An identity provider signs with other certificates than before, or is reached elsewhere. */
  "connection.provider_changed": named.extend({ changed: z.array(z.string()) }),
  /** A file was handed in. */
  "connection.uploaded": named.extend({ file: z.string(), bytes: z.number(), sha256: z.string() }),
  /** The secret that its change notifications bear is to be replaced. */
  "connection.hook_secret_renewed": named,
  /** Its change notifications can't be kept up; syncs go on by their schedule. */
  "connection.notifications_failed": named,
  "run.finished": z.object({ run: z.number(), mode: z.string(), counts: z.record(z.string(), z.unknown()) }),
  "run.requested": z.object({ run: z.number(), mode: z.string(), planOnly: z.boolean() }),
  "run.cancelled": z.object({ run: z.number() }),
  "run.failed": z.object({ run: z.number(), code: z.string() }),
  "plan.held": z.object({ plan: z.number(), guards: z.array(z.string()) }),
  "plan.approved": z.object({ plan: z.number(), hash: z.string() }),
  "plan.rejected": z.object({ plan: z.number(), hash: z.string() }),
  "plan.applied": z.object({ plan: z.number(), hash: z.string(), counts: z.record(z.string(), z.unknown()) }),
  "request.held": z.object({ guard: z.string() }),
  "delivery.delivered": z.object({ target: z.string(), operation: z.string() }),
  "delivery.dead": z.object({ target: z.string(), operation: z.string(), fault: z.string() }),
  "delivery.held": z.object({ target: z.string(), action: z.string(), count: z.number() }),
  "delivery.retried": z.object({ target: z.string(), count: z.number() }),
  "target.drift_repaired": z.object({ target: z.string(), count: z.number() }),
  "key.rotated": z.object({ from: z.string(), to: z.string(), values: z.number() }),
  "audit.exported": z.object({ format: z.string(), upTo: z.number() }),
  "audit.retention_set": z.object({ days: z.number().nullable(), before: z.number().nullable() }),
  /** Events whose time was over; `audit_removals` has the proof. */
  "audit.removed": z.object({ count: z.number(), first: z.number(), last: z.number(), days: z.number() }),
  "roles.loaded": z.object({ created: z.number(), updated: z.number(), removed: z.number() }),
} as const;

export type EventName = keyof typeof EVENTS;
export type EventData<N extends EventName> = z.input<(typeof EVENTS)[N]>;
