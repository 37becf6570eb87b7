import { Fault, type AttributeObject, type Kind, type OpenOptions, type Target, type TargetAccount } from "../contract.ts";
import { GROUP, openClient, USER, type ScimClient } from "./client.ts";
import type { ScimSettings } from "./config.ts";
import { findAccounts } from "./find.ts";
import { listAll } from "./listing.ts";
import { changeMembers } from "./members.ts";
import { limitedTo, patchOperations, replaced } from "./patch.ts";

/** A SCIM 2.0 application as a target. The application is asked what it can do once, when first needed. */
export function openTarget(options: OpenOptions<ScimSettings>): Promise<Target> {
  const { settings } = options;
  const client = openClient(options);
  return Promise.resolve({
    kinds: ["user", "group"],
    async *list(kind) {
      const pages = listAll(client, { kind, pageSize: settings.pageSize });
      for (;;) {
        const next = await pages.next();
        if (next.done) return next.value;
        yield next.value.map(accountOf);
      }
    },
    async get(kind, nativeId) {
      const resource = await client.get(kind, nativeId);
      return resource ? accountOf(resource) : "gone";
    },
    find: async (kind, attributes, { thorough = false } = {}) =>
      (await findAccounts(client, { kind, attributes, thorough, pageSize: settings.pageSize })).map(accountOf),
    async create(kind, attributes) {
      return accountOf(await client.create(kind, { schemas: schemasOf(kind, attributes), ...attributes }));
    },
    update: (kind, nativeId, change) => update(client, { kind, nativeId, ...change }),
    disable: (nativeId) => setActive(client, { nativeId, active: false }),
    enable: (nativeId) => setActive(client, { nativeId, active: true }),
    remove: (kind, nativeId) => client.remove(kind, nativeId),
    members: (groupId, change) =>
      changeMembers(client, { groupId, ...change, batch: settings.memberBatch, compare: settings.compareMembers }),
    close: () => client.close(),
  });
}

/** `active` stands apart; id, meta and schemas are the application's own. */
function accountOf(resource: AttributeObject): TargetAccount {
  const { id, meta: _meta, schemas: _schemas, active, ...attributes } = resource;
  return { nativeId: String(id), ...(typeof active === "boolean" ? { active } : {}), attributes };
}

function schemasOf(kind: Kind, attributes: AttributeObject): string[] {
  return [kind === "user" ? USER : GROUP, ...Object.keys(attributes).filter((name) => name.startsWith("urn:"))];
}

interface Change {
  kind: Kind;
  nativeId: string;
  before: AttributeObject | null;
  after: AttributeObject;
}

async function update(client: ScimClient, { kind, nativeId, before, after }: Change): Promise<void> {
  const { patch } = await client.abilities();
  if (patch && before !== null) {
    const operations = patchOperations(before, after);
    if (operations.length > 0) await client.patch(kind, nativeId, operations);
    return;
  }
  const current = await client.get(kind, nativeId);
  if (!current) throw gone(nativeId);
  const from = before ?? limitedTo(current, after);
  const operations = patchOperations(from, after);
  if (operations.length === 0) return;
  if (patch) await client.patch(kind, nativeId, operations);
  else await put(client, { kind, nativeId, resource: replaced(current, { before: from, after }) });
}

async function put(
  client: ScimClient,
  { kind, nativeId, resource }: { kind: Kind; nativeId: string; resource: AttributeObject },
): Promise<void> {
  await client.put(kind, nativeId, { ...resource, schemas: schemasOf(kind, resource) });
}

async function setActive(client: ScimClient, { nativeId, active }: { nativeId: string; active: boolean }): Promise<void> {
  const { patch } = await client.abilities();
  if (patch) return client.patch("user", nativeId, [{ op: "replace", path: "active", value: active }]);
  const current = await client.get("user", nativeId);
  if (!current) throw gone(nativeId);
  if (current["active"] === active) return;
  const { meta: _meta, ...held } = current;
  await put(client, { kind: "user", nativeId, resource: { ...held, active } });
}

function gone(nativeId: string): Fault {
  return new Fault("gone", `The SCIM application has no resource ${nativeId} any more.`);
}
