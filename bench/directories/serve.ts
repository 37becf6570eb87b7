import { createCompany } from "../../demo/company.ts";
import { connectors } from "../../connectors/registry.ts";
import { createLog } from "../../src/log.ts";
import { OPEN_NETWORK } from "../network.ts";
import type { Size } from "../site.ts";
import { connectorOf, type KindName } from "./kinds.ts";
import { rememberAnswersOf } from "./remembering.ts";
import { fillSystem } from "./systems/fill.ts";

/** The first message: what to serve. */
export interface ServeJob {
  kind: KindName;
  size: Size;
  folder: string;
}

export type ServeRequest = { do: "change"; count: number } | { do: "take count" } | { do: "stop" };

export interface Served {
  settings: Readonly<Record<string, unknown>>;
  /** Every run reads everything: the connector has no increments. */
  alwaysFull: boolean;
}

export type ServeAnswer = { ok: true; value: unknown } | { ok: false; message: string };

/** The process that holds one system: fills it, has each of its pages made once before anybody is timed, and serves them from memory. */
async function serve({ kind, size, folder }: ServeJob): Promise<{ served: Served; answer: (request: ServeRequest) => Promise<unknown> }> {
  const company = createCompany({ ...size, organised: false });
  const filled = await fillSystem(kind, { company, folder });
  const front = filled.origin === undefined ? undefined : await rememberAnswersOf(filled.origin);
  const settings = filled.settings(front?.address ?? "");
  const hasIncrements = await readThrough(kind, settings);
  front?.takeCount();
  return {
    served: { settings, alwaysFull: !hasIncrements },
    async answer(request) {
      if (request.do === "take count") return front?.takeCount() ?? 0;
      if (request.do === "stop") return filled.stop();
      await filled.change(request.count);
      front?.forget();
      if (!hasIncrements) await readThrough(kind, settings);
      front?.takeCount();
      return request.count;
    },
  };
}

/** Asks for everything that a full read asks for, so that it has been made. Returns whether the connector has increments. */
async function readThrough(kind: KindName, settings: Readonly<Record<string, unknown>>): Promise<boolean> {
  const connector = connectors[connectorOf(kind)];
  if (connector?.openSource === undefined) throw new Error(`${kind} is no source.`);
  const source = await connector.openSource({
    settings: connector.settings.parse(settings),
    log: createLog({ level: "error" }),
    signal: new AbortController().signal,
    now: () => new Date(),
    network: OPEN_NETWORK,
  });
  try {
    for (const each of source.kinds) for await (const page of source.readAll(each)) void page.records.length;
    return source.readChanges !== undefined;
  } finally {
    await source.close();
  }
}

let serving: Awaited<ReturnType<typeof serve>> | undefined;
process.on("message", (message: ServeJob | ServeRequest) => {
  const work = async (): Promise<unknown> => {
    if ("do" in message) return serving?.answer(message);
    serving = await serve(message);
    return serving.served;
  };
  work().then(
    (value) => void process.send?.({ ok: true, value } satisfies ServeAnswer),
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ ok: false, message: text } satisfies ServeAnswer);
    },
  );
});
// Whatever was started besides ends with this process.
process.once("disconnect", () => process.exit(0));
