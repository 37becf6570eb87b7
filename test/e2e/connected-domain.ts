import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { connectionDefinitionSchema } from "../../src/connections/definition.ts";
import { addConnection } from "../../src/connections/store.ts";
import { runSync, type RunOptions } from "../../src/sync/run.ts";
import type { RunSummary } from "../../src/sync/finish.ts";
import { openDomain, type Domain } from "../helpers/active-directory.ts";
import { startWorld, type World } from "../provision/world.ts";

/** A real domain, a directory connected to it by the mapping that is shipped, and an application downstream. */
export interface ConnectedDomain {
  domain: Domain;
  world: World;
  sync(mode?: "full" | "incremental", options?: Partial<Pick<RunOptions, "onProgress">> & { signal?: AbortSignal }): Promise<RunSummary>;
  /** Who is in which group, by the directory's own ids: people, and groups directly in it. */
  memberships(): Promise<Record<string, string[]>>;
  stop(): Promise<void>;
}

const MEMBERSHIPS = `
  select g.native_id as id,
      array(select a.native_id from accounts a
             where a.id in (select m.account_id from memberships m where m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null
                      union select n.account_id from nestings n where n.parent_group_id = g.group_id and n.recorded_to is null and n.valid_to is null)
             order by a.native_id collate "C") as members
    from accounts g where g.kind = 'group' and g.gone_at is null`;

export async function connectDomain(changes: "auto" | "uSNChanged" = "auto"): Promise<ConnectedDomain> {
  const domain = await openDomain();
  const world = await startWorld();
  const shipped = parse(readFileSync(new URL("../../config/mappings/active-directory.yaml", import.meta.url), "utf8")) as {
    name: string;
    settings: Record<string, Record<string, unknown>>;
  };
  const { settings } = shipped;
  const definition = connectionDefinitionSchema.parse({
    ...shipped,
    schedule: undefined,
    settings: {
      ...settings,
      changes,
      url: domain.url,
      caFile: domain.caFile,
      bindDn: domain.adminDn,
      bindPassword: domain.adminPassword,
      users: { ...settings["users"], base: domain.people },
      groups: { base: domain.groups },
      units: { base: domain.people },
    },
    limits: {
      disable: { count: 10_000, share: 1, floor: 10_000 },
      delete: { count: 10_000, share: 1, floor: 10_000 },
      window: { count: 10_000, share: 1, floor: 10_000 },
      shrink: 1,
      failures: 100,
    },
    policy: { writeBack: { disable: true, groups: true } },
  });
  await world.work((work) => addConnection(work, { definition, keyRing: world.keyRing }));
  return {
    domain,
    world,
    sync: async (mode = "incremental", { signal = world.ctx.signal, ...options } = {}) => {
      const ctx = { ...world.ctx, signal };
      const summary = await runSync(ctx, {
        db: world.db,
        keyRing: world.keyRing,
        connection: shipped.name,
        mode,
        trigger: "cli",
        ...options,
      });
      await world.drain();
      return summary;
    },
    memberships: async () => {
      const { rows } = await world.db.pool.query<{ id: string; members: string[] }>(MEMBERSHIPS);
      return Object.fromEntries(rows.map(({ id, members }) => [id, members]));
    },
    stop: async () => {
      await world.stop();
      await domain.stop();
    },
  };
}
