import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { addConnection } from "../../src/connections/store.ts";
import { validateDefinition } from "../../src/connections/validate.ts";
import type { RunSummary } from "../../src/sync/finish.ts";
import { runSync, type RunOptions } from "../../src/sync/run.ts";
import { startWorld, type World } from "../provision/world.ts";

/** A directory connected by the mapping that is shipped for it, and an application downstream. */
export interface Connected {
  world: World;
  /** The connection's name. */
  connection: string;
  sync(mode?: "full" | "incremental", options?: Partial<Pick<RunOptions, "onProgress">> & { signal?: AbortSignal }): Promise<RunSummary>;
  stop(): Promise<void>;
}

/** The same, with an administrator's hand in the directory. */
export interface Upstream extends Connected {
  /** Somebody who may sign in there. Answers the directory's own id. */
  hire(name: string): Promise<string>;
  disable(nativeId: string): Promise<void>;
  enable(nativeId: string): Promise<void>;
  isEnabled(nativeId: string): Promise<boolean>;
}

const UNGUARDED = { count: 10_000, share: 1, floor: 10_000 };

interface Shipped {
  name: string;
  settings: Record<string, Record<string, unknown>>;
  mapping: { user: { attributes: Record<string, unknown> }; situations?: Record<string, unknown> };
}

/**
 * Connects a system by a definition from config/mappings, with settings that reach it here, no limits, write-back allowed, and grants
 * closed of whoever is disabled there.
 * What must be stopped besides is stopped last.
 */
export async function connectUpstream({
  shipped,
  world,
  settings,
  mapped = {},
  stop,
}: {
  /** File in config/mappings, without its ending. */
  shipped: string;
  world?: World;
  settings: (shipped: Shipped["settings"], world: World) => Record<string, unknown> | Promise<Record<string, unknown>>;
  /** Attributes of people that are mapped besides. */
  mapped?: Record<string, string>;
  stop: () => Promise<unknown>;
}): Promise<Connected> {
  const here = world ?? (await startWorld());
  const file = parse(readFileSync(new URL(`../../config/mappings/${shipped}.yaml`, import.meta.url), "utf8")) as Shipped;
  const { mapping } = file;
  const definition = validateDefinition(
    {
      ...file,
      schedule: undefined,
      settings: await settings(file.settings, here),
      mapping: {
        ...mapping,
        user: { ...mapping.user, attributes: { ...mapping.user.attributes, ...mapped } },
        situations: { ...mapping.situations, disabled: "deactivate" },
      },
      limits: { disable: UNGUARDED, delete: UNGUARDED, window: UNGUARDED, members: UNGUARDED, shrink: 1, failures: 100 },
      policy: { writeBack: { disable: true, groups: true } },
    },
    {},
  );
  await here.work((work) => addConnection(work, { definition, keyRing: here.keyRing }));
  return {
    world: here,
    connection: file.name,
    sync: async (mode = "incremental", { signal = here.ctx.signal, ...options } = {}) => {
      const { db, keyRing } = here;
      const summary = await runSync({ ...here.ctx, signal }, { db, keyRing, connection: file.name, mode, trigger: "cli", ...options });
      await here.drain();
      return summary;
    },
    stop: async () => {
      await here.stop();
      await stop();
    },
  };
}
