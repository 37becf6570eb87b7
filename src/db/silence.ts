import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

/** Notices a database that has fallen silent, and ends the connections that would wait for it for ever. */
export interface SilenceWatch {
  /** The pools' clients: each is watched from the moment that it is made. */
  Client: new (config?: pg.ClientConfig) => pg.Client;
  /** From now on all are expected to end: a farewell waits for the other side as a statement does. */
  ending(): void;
  stop(): void;
}

export interface SilenceOptions {
  url: string;
  onError?: ((error: Error) => void) | undefined;
  /** How often connections are looked at; a second when absent. */
  everyMs?: number | undefined;
}

// Counted in looks rather than timed: a process that was stopped for a while must not blame the database.
const EVERY_MS = 1000;
/** Of one that waits and has not heard a byte for so long, and for as long again, the database is asked whether it is there. */
const SUSPECT_AFTER = 5;
/** How long that may take. */
const ASK_WITHIN = 3;
/** So many times in a row it must say nothing: a machine that was short of breath once is no reason to lose work. */
const UNANSWERED = 2;
/** How long a new connection may wait to be let in. */
const LET_IN_WITHIN = 10;

/** Looks in a row at which a client waited and had not heard a byte since the one before. */
interface Heard {
  bytes: number;
  looks: number;
}

/**
 * A host that is gone without a word, or a server that stands still, is noticed by the system after a quarter of an hour or never, and
 * `pg`'s own limit takes hold of results that are read row by row. So connections are looked at from beside, which costs a statement
 * nothing: where one waits and hears nothing, the database is asked by another, and if that hears nothing either, all are ended. Who
 * waits gets an error; who comes is refused at once, until the database answers again.
 */
export function watchSilence({ url, onError, everyMs = EVERY_MS }: SilenceOptions): SilenceWatch {
  const clients = new Map<pg.Client, Heard>();
  const state = { silent: false, unanswered: 0, asking: false, ending: false, stopped: false };

  const ask = async (): Promise<void> => {
    state.asking = true;
    state.unanswered = (await answers(url, ASK_WITHIN * everyMs)) ? 0 : state.unanswered + 1;
    state.asking = false;
    const before = state.silent;
    state.silent = state.unanswered >= UNANSWERED;
    if (!state.silent || state.stopped) return;
    if (!before) onError?.(new Error("the database says nothing: whoever waits for it is told so, until it answers again"));
    for (const { connection } of clients.keys()) connection.stream.destroy();
  };

  const look = (): void => {
    let [waiting, due] = [state.silent, state.silent || state.unanswered > 0];
    for (const [client, heard] of clients) {
      const bytes = bytesRead(client);
      heard.looks = bytes === heard.bytes && (state.ending || !isReady(client)) ? heard.looks + 1 : 0;
      heard.bytes = bytes;
      waiting ||= heard.looks >= SUSPECT_AFTER;
      due ||= heard.looks > 0 && heard.looks % SUSPECT_AFTER === 0;
      if (heard.looks >= LET_IN_WITHIN && wasNeverReady(client)) client.connection.stream.destroy();
    }
    if (!waiting) state.unanswered = 0;
    else if (due && !state.asking) void ask();
  };
  const timer = setInterval(look, everyMs);
  timer.unref();

  class WatchedClient extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config);
      clients.set(this, { bytes: 0, looks: 0 });
      this.once("end", () => clients.delete(this));
    }

    override connect(): Promise<this>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<this> | void {
      if (!state.silent) return callback ? super.connect(callback) : super.connect().then(() => this);
      clients.delete(this);
      const refused = new Error("timeout expired");
      if (!callback) return Promise.reject(refused);
      process.nextTick(callback, refused);
    }
  }

  const stop = (): void => {
    state.stopped = true;
    clearInterval(timer);
  };
  return { Client: WatchedClient, ending: () => void (state.ending = true), stop };
}

/** What `pg` knows of a client and does not tell in its types: undefined until it was let in, false while it waits for an answer. */
function readiness(client: pg.Client): boolean | undefined {
  return (client as pg.Client & { readyForQuery?: boolean }).readyForQuery;
}

const isReady = (client: pg.Client): boolean => readiness(client) === true;
const wasNeverReady = (client: pg.Client): boolean => readiness(client) === undefined;

function bytesRead({ connection: { stream } }: pg.Client): number {
  return "bytesRead" in stream && typeof stream.bytesRead === "number" ? stream.bytesRead : 0;
}

/** Whether the database answers another connection, or says why it does not, within this time. A pooler on the way may let it in by itself. */
async function answers(url: string, withinMs: number): Promise<boolean> {
  const began = performance.now();
  const application_name = `rollcall:${process.pid}:asks`;
  const client = new pg.Client({ connectionString: url, application_name });
  const late = setTimeout(() => client.connection.stream.destroy(), withinMs);
  // Told by the promise as well.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return true;
    // A name that is not found for a second, or a pooler that starts anew, is no silence: what fails at once counts as what says nothing so long.
    await sleep(Math.max(0, withinMs - (performance.now() - began)), undefined, { ref: false });
    return false;
  } finally {
    clearTimeout(late);
    const { stream } = client.connection;
    stream.once("finish", () => stream.destroy());
    client.end().catch(() => undefined);
  }
}
