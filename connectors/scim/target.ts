import { Fault, type AttributeObject, type FaultKind, type Kind, type OpenOptions, type Target, type TargetAccount } from "../contract.ts";
import { openClient, resourceOf, type ScimClient } from "./client.ts";
import type { ScimSettings } from "./config.ts";
import { findAccounts } from "./find.ts";
import { listAll } from "./listing.ts";
import { changeMembers, memberIds } from "./members.ts";
import { limitedTo, patchOperations, replaced } from "./patch.ts";
import { refusalOrThrow } from "./refused-members.ts";
import { read, replaceResource, schemasOf } from "./replace.ts";

/** A SCIM 2.0 application as a target. The application is asked what it can do once, when first needed. */
export function openTarget(options: OpenOptions<ScimSettings>): Promise<Target> {
  const { settings, signal } = options;
  const client = openClient(options);
  // Where members are not to be compared, the application does not tell them.
  const groupOf = (resource: AttributeObject): TargetAccount => ({
    ...accountOf(resource),
    ...(settings.compareMembers && client.learned.showsMembers !== false ? { members: [...memberIds(resource)] } : {}),
  });
  const onlyPatch = settings.patch === "patch";
  const of = (kind: Kind) => (kind === "group" ? groupOf : accountOf);
  return Promise.resolve({
    kinds: ["user", "group"],
    async *list(kind) {
      const pages = listAll(client, { kind });
      for (;;) {
        const next = await pages.next();
        if (next.done) return next.value;
        yield next.value.map(of(kind));
      }
    },
    async get(kind, nativeId) {
      const resource = await client.get(kind, nativeId);
      return resource ? of(kind)(resource) : "gone";
    },
    find: async (kind, attributes, { thorough = false } = {}) =>
      (await findAccounts(client, { kind, attributes, thorough, filters: settings.filters })).map(accountOf),
    async create(kind, attributes) {
      return accountOf(await create(client, { kind, attributes }));
    },
    update: (kind, nativeId, change) => update(client, { kind, nativeId, ...change }),
    disable: (nativeId) => setActive(client, { nativeId, active: false, onlyPatch }),
    enable: (nativeId) => setActive(client, { nativeId, active: true, onlyPatch }),
    remove: (kind, nativeId) => client.remove(kind, nativeId),
    members: (groupId, change) => changeMembers(client, { groupId, ...change, settings, signal }),
    close: () => client.close(),
  });
}

/** One that was made without a word of its id is found by what it was called. */
async function create(client: ScimClient, { kind, attributes }: { kind: Kind; attributes: AttributeObject }): Promise<AttributeObject> {
  const created = await client.create(kind, { schemas: schemasOf(kind, attributes), ...attributes });
  if (created) return created;
  const { userName, displayName } = attributes;
  const [found, second] = await findAccounts(client, { kind, attributes: kind === "user" ? { userName } : { displayName } });
  return found && !second ? found : resourceOf(undefined);
}

/** `active` stands apart; id, meta and schemas are the application's own. */
function accountOf(resource: AttributeObject): TargetAccount {
  const { id, meta: _meta, schemas: _schemas, active, ...attributes } = resource;
  const said = activeOf(active);
  return { nativeId: String(id), ...(said === undefined ? {} : { active: said }), attributes };
}

/** Whether somebody is active, also where that is written as a text. */
function activeOf(value: AttributeObject[string] | undefined): boolean | undefined {
  if (typeof value === "boolean") return value;
  const text = typeof value === "string" ? value.toLowerCase() : "";
  return text === "true" ? true : text === "false" ? false : undefined;
}

interface Change {
  kind: Kind;
  nativeId: string;
  before: AttributeObject | null;
  after: AttributeObject;
}

async function update(client: ScimClient, { kind, nativeId, before, after }: Change): Promise<void> {
  if (await byPatch(client, kind)) {
    const from = before ?? limitedTo(await read(client, kind, nativeId), after);
    const operations = patchOperations(from, after);
    if (operations.length === 0 || (await client.patch(kind, nativeId, operations)) !== "not offered") return;
    client.learned[kind === "group" ? "groupPatch" : "userPatch"] = false;
  }
  await replaceResource(client, {
    kind,
    id: nativeId,
    change(current) {
      const from = before ?? limitedTo(current, after);
      return patchOperations(from, after).length === 0 ? undefined : replaced(current, { before: from, after });
    },
  });
}

async function byPatch(client: ScimClient, kind: Kind): Promise<boolean> {
  const { patch, groupPatch } = await client.abilities();
  return kind === "group" ? (client.learned.groupPatch ?? groupPatch) : (client.learned.userPatch ?? patch);
}

interface Switch {
  nativeId: string;
  active: boolean;
  /** Nothing but PATCH is to be used, whatever comes of it. */
  onlyPatch: boolean;
}

/**
 * An application that answers a PATCH well and shows the account as it was gets PUT, and so does one that refuses each form of it: nobody
 * may stay in because of it. One whose answers say nothing of it is looked at the first time.
 */
async function setActive(client: ScimClient, { nativeId, active, onlyPatch }: Switch): Promise<void> {
  let refusal: Fault | undefined;
  if (await byPatch(client, "user")) {
    const { answer, refused } = await patchActive(client, { nativeId, active });
    if (answer === "refused") {
      if (onlyPatch) throw refused;
      refusal = refused;
    } else if (answer === "not offered") client.learned.userPatch = false;
    else {
      if (onlyPatch) return;
      const said = activeOf(answer?.["active"]);
      const isSeen = said !== undefined || (client.learned.userPatch !== undefined && !refused);
      const shown = isSeen ? said : activeOf((await client.get("user", nativeId))?.["active"]);
      if (shown !== !active) {
        client.learned.userPatch ??= true;
        if (refused) client.learned.withoutPath = !client.learned.withoutPath;
        return;
      }
    }
  }
  const replacing = replaceResource(client, {
    kind: "user",
    id: nativeId,
    change(current) {
      if (activeOf(current["active"]) === active) return undefined;
      // What is refused of one may be taken of others.
      if (!refusal) client.learned.userPatch = false;
      return { ...current, active };
    },
  });
  // Where nothing is taken, the first words say most.
  await replacing.catch((error: unknown) => {
    throw refusal && error instanceof Fault && !PASSING.includes(error.kind) ? refusal : error;
  });
}

/** What is no answer to the question, or that there is nobody. */
const PASSING: readonly FaultKind[] = ["transient", "throttled", "gone"];

type Patched = { answer: AttributeObject | undefined | "not offered"; refused?: Fault } | { answer: "refused"; refused: Fault };

/** With a path, as the RFC's examples and Entra have it, or by a value without one, as Okta does: some applications know but the one. */
async function patchActive(client: ScimClient, { nativeId, active }: Pick<Switch, "nativeId" | "active">): Promise<Patched> {
  const forms = [
    { op: "replace", path: "active", value: active },
    { op: "replace", value: { active } },
  ];
  let refused: Fault | undefined;
  for (const operation of client.learned.withoutPath ? forms.reverse() : forms) {
    const answer = await client.patch("user", nativeId, [operation]).catch(refusalOrThrow);
    if (!(answer instanceof Fault)) return { answer, ...(refused ? { refused } : {}) };
    refused ??= answer;
  }
  return refused ? { answer: "refused", refused } : { answer: undefined };
}
