import { randomBytes } from "node:crypto";
import type { Page, SourceRecord } from "../../connectors/contract.ts";
import { connectionDefinitionSchema } from "../../src/connections/definition.ts";
import { addConnection } from "../../src/connections/store.ts";
import type { Context } from "../../src/context.ts";
import { inTransaction, type Database } from "../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../src/db/envelope.ts";
import { runSync, type RunOptions } from "../../src/sync/run.ts";
import type { RunSummary } from "../../src/sync/finish.ts";
import { worldSource, type World } from "./memory-source.ts";

export const testKeyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };

export interface TestConnectionOptions {
  name?: string;
  mapping?: Record<string, unknown>;
  limits?: Record<string, unknown>;
  policy?: Record<string, unknown>;
  precedence?: number;
}

const WIDE = { count: 10_000, share: 1, floor: 10_000 };
/** Limits that hold nothing: no guard stands before a wrong decision. */
export const UNGUARDED = { disable: WIDE, delete: WIDE, window: WIDE, members: WIDE, shrink: 1, failures: 100 };

const MAPPING = {
  user: {
    attributes: {
      userName: "account.uid",
      "name.givenName": "account.givenName",
      "name.familyName": "account.sn",
      "emails.work": "account.mail",
      displayName: "account.cn",
      title: "account.title",
      department: "account.department",
      employeeNumber: "account.number",
      manager: "account.manager",
      active: "account.active",
      units: "list(account.units)",
    },
  },
  group: { attributes: { displayName: "account.cn" } },
  unit: { attributes: { name: "account.ou", code: "account.ou" } },
};

/** A connection whose source a test hands over (see RunOptions.source). */
export async function testConnection(db: Database, ctx: Context, options: TestConnectionOptions = {}): Promise<string> {
  const definition = connectionDefinitionSchema.parse({
    name: options.name ?? "corp",
    connector: "scim-inbound",
    mapping: { ...MAPPING, ...options.mapping },
    limits: options.limits ?? {},
    policy: options.policy ?? {},
    precedence: options.precedence ?? 100,
  });
  await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing: testKeyRing }));
  return definition.name;
}

export function syncWorld(
  db: Database,
  ctx: Context,
  options: { world: World; connection?: string } & Partial<Pick<RunOptions, "mode" | "planOnly" | "onProgress">>,
): Promise<RunSummary> {
  return runSync(ctx, {
    db,
    keyRing: testKeyRing,
    connection: options.connection ?? "corp",
    mode: options.mode ?? "full",
    trigger: "cli",
    planOnly: options.planOnly,
    onProgress: options.onProgress,
    source: worldSource(options.world),
  });
}

/** An incremental run of people, told these changes once. */
export function syncTold(
  db: Database,
  ctx: Context,
  { world, changes }: { world: World; changes: readonly SourceRecord[] },
): Promise<RunSummary> {
  return runSync(ctx, {
    db,
    keyRing: testKeyRing,
    connection: "corp",
    mode: "incremental",
    trigger: "cli",
    source: {
      ...worldSource(world, ["user"]),
      async *readChanges(): AsyncGenerator<Page, { at: number }> {
        yield { records: [...changes] };
        return { at: 2 };
      },
    },
  });
}

export function person(uid: string, attributes: Record<string, string | boolean | readonly string[]> = {}): SourceRecord {
  return {
    kind: "user",
    nativeId: `id-${uid}`,
    reference: `uid=${uid}`,
    attributes: { uid, cn: uid, sn: uid, mail: `${uid}@lab.test`, ...attributes },
  };
}

export function group(cn: string, members: readonly string[]): SourceRecord {
  return { kind: "group", nativeId: `id-${cn}`, reference: `cn=${cn}`, attributes: { cn }, members: { set: members } };
}

export function unit(ou: string, parent?: string): SourceRecord {
  return {
    kind: "unit",
    nativeId: `id-${ou}`,
    reference: `ou=${ou}`,
    attributes: { ou },
    ...(parent === undefined ? {} : { parent: `ou=${parent}` }),
  };
}
