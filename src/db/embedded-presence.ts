import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

/** What a connection is called that says "somebody uses this server" for as long as a process does. */
export const PRESENCE = "rollcall-presence";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Being there, through whatever happens to the server. */
export interface Presence {
  /** The connection of now; the latest, when it was lost. */
  client(): pg.Client;
  /** From now on nobody comes back. */
  leave(): void;
}

export interface PresenceOptions {
  /** Starts the server where it does not run, and is present there anew. */
  comeBack: () => Promise<pg.Client>;
  /** Told that the server was lost, and each time that it can't be started. */
  onTrouble?: ((error: Error) => void) | undefined;
}

export async function bePresent(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: PRESENCE });
  // The server may be stopped or restarted under us; leaving copes with that.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/**
 * A server that was killed, or gave up because its disk was full, is started again by whoever used it: nobody else would, and all who come
 * would be told for ever that it does not answer. Who restarts it on purpose has a second for it.
 */
export function stayPresent(first: pg.Client, { comeBack, onTrouble }: PresenceOptions): Presence {
  const state = { client: first, left: false };
  const watch = (client: pg.Client): void => {
    state.client = client;
    client.once("end", () => {
      if (state.left) return;
      onTrouble?.(new Error("the embedded PostgreSQL is gone: it is started again"));
      void again();
    });
  };
  const again = async (): Promise<void> => {
    for (let wait = FIRST_WAIT_MS; !state.left; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      await sleep(wait, undefined, { ref: false });
      if (state.left) return;
      try {
        watch(await comeBack());
        if (state.left) await state.client.end();
        return;
      } catch (error) {
        onTrouble?.(error instanceof Error ? error : new Error(String(error)));
      }
    }
  };
  watch(first);
  return { client: () => state.client, leave: () => void (state.left = true) };
}
