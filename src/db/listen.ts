import pg from "pg";
import { SESSION } from "./session.ts";

/** A connection of its own that hears notifications, and is asked on by whoever opened it. */
export interface Listener {
  query: pg.Client["query"];
  /** Ends it at once, whatever is on its way. */
  close(): void;
}

export interface ListenOptions {
  url: string;
  channel: string;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  onNotification: () => void;
  /** The connection has ended, whoever ended it; told once. */
  onEnd: () => void;
}

/** Longest that opening may take. */
const CONNECT_WITHIN_MS = 3000;

/** Opens a connection that listens. Rejects when the server can't be reached. */
export async function listen({ url, channel, applicationName, onNotification, onEnd }: ListenOptions): Promise<Listener> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
  });
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    onEnd();
  };
  client.on("error", end);
  client.on("end", end);
  client.on("notification", onNotification);
  await client.connect();
  const listener: Listener = {
    query: client.query.bind(client) as pg.Client["query"],
    close() {
      end();
      // It may hang with a server that says nothing any more; then there is nobody to tell.
      client.end().catch(() => undefined);
    },
  };
  try {
    await client.query(`${SESSION}; listen ${pg.escapeIdentifier(channel)}`);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}
