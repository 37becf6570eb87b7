import type { Target, WriteBack } from "../../connectors/contract.ts";
import { loadConnection, openTarget, openWriteBack, type LoadedConnection, type OpenConnectionOptions } from "../connections/open.ts";
import type { Sql } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { createPace, type Pace } from "./pace.ts";

/** Opened targets, kept open between jobs, so that discovery and sign-in happen once, not once per delivery. */
export interface Targets {
  /** Who of them may be asked for something now. */
  readonly pace: Pace;
  /** The connection as it is stored now, read through the caller's client. Throws `not_found`, `misconfigured`. */
  load(sql: Sql, connectionId: number): Promise<LoadedConnection>;
  withTarget<T>(connection: LoadedConnection, use: (target: Target) => Promise<T>): Promise<T>;
  withWriteBack<T>(connection: LoadedConnection, use: (writeBack: WriteBack) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface TargetsOptions extends OpenConnectionOptions {
  keyRing: KeyRing;
  /** How long an unused target stays open. */
  idleMs?: number;
  /** See createPace; slow targets have two workers when absent. */
  pace?: Pace;
}

interface Closable {
  close(): Promise<void>;
}

interface Slot {
  opened: Promise<Closable>;
  users: number;
  timer?: NodeJS.Timeout;
}

export function openTargets({ keyRing, idleMs = 60_000, pace = createPace({ slowAtOnce: 2 }), ...opening }: TargetsOptions): Targets {
  const slots = new Map<string, Slot>();

  async function discard(key: string): Promise<void> {
    const slot = slots.get(key);
    if (!slot) return;
    slots.delete(key);
    clearTimeout(slot.timer);
    try {
      await (await slot.opened).close();
    } catch (error) {
      opening.log.debug({ err: error }, "a target did not close cleanly");
    }
  }

  async function using<C extends Closable, T>(
    key: string,
    { open, use }: { open: () => Promise<C>; use: (opened: C) => Promise<T> },
  ): Promise<T> {
    const slot: Slot = slots.get(key) ?? { opened: open(), users: 0 };
    slots.set(key, slot);
    clearTimeout(slot.timer);
    slot.users++;
    try {
      return await use((await slot.opened) as C);
    } catch (error) {
      // What could not be opened is tried anew by the next job.
      await slot.opened.catch(() => slots.delete(key));
      throw error;
    } finally {
      slot.users--;
      if (slot.users === 0 && slots.get(key) === slot) slot.timer = setTimeout(() => void discard(key), idleMs).unref();
    }
  }

  // The version is part of the key: changed settings open anew, and the old one closes when it has been idle.
  const keyOf = (side: string, { id, row }: LoadedConnection) => `${side}:${id}:${row.version}`;
  return {
    pace,
    load: (sql, connectionId) => loadConnection(sql, keyRing, connectionId),
    withTarget: (connection, use) => using(keyOf("target", connection), { open: () => openTarget(connection, opening), use }),
    withWriteBack: (connection, use) => using(keyOf("write-back", connection), { open: () => openWriteBack(connection, opening), use }),
    close: async () => {
      await Promise.all([...slots.keys()].map(discard));
    },
  };
}
