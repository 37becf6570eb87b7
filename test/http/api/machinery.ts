import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startWorker, type Worker } from "../../../src/jobs/worker.ts";
import { loopback, silentLog } from "../../helpers/database.ts";
import { until } from "../../jobs/waiting.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

export interface HrRow {
  number: string;
  login: string;
  department?: string;
}

export interface RunBody {
  id: number;
  state: string;
  planId: number | null;
  [field: string]: unknown;
}

/** The API beside a worker, and a file of people that can be written anew. */
export interface Machinery {
  door: ApiDoor;
  file: string;
  /** Writes the whole file, with its proof of completeness. */
  write(rows: readonly HrRow[]): void;
  /** A connection that reads the file. */
  hr(name: string, more?: Record<string, unknown>): Record<string, unknown>;
  /** Asks for a run, and waits until it moves no more. */
  sync(name: string, body?: Record<string, unknown>): Promise<RunBody>;
  /** Reads the run until it is in one of these states. */
  untilRun(id: number, states: readonly string[]): Promise<RunBody>;
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

const ENDED = ["held", "done", "failed", "crashed", "cancelled", "superseded"];

export async function startMachinery(): Promise<Machinery> {
  const door = await openApi();
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-api-"));
  const file = path.join(folder, "people.csv");
  let worker: Worker | undefined;
  const untilRun: Machinery["untilRun"] = async (id, states) =>
    until(
      async () => (await door.request("GET", `/runs/${id}`).expect(200)).body as RunBody,
      ({ state }) => states.includes(state),
    );
  const machinery: Machinery = {
    door,
    file,
    write: (rows) =>
      writeFileSync(
        file,
        [
          "number,login,department",
          ...rows.map(({ number, login, department = "" }) => `${number},${login},${department}`),
          `END,${rows.length},`,
          "",
        ].join("\n"),
      ),
    hr: (name, more = {}) => ({
      name,
      connector: "csv",
      settings: { file, idColumn: "number", trailer: "END" },
      mapping: {
        user: { attributes: { userName: "account.login", employeeNumber: "account.number", department: "account.department" } },
        match: ["employeeNumber", "userName"],
      },
      ...more,
    }),
    async sync(name, body = {}) {
      const asked = await door.request("POST", `/connections/${name}/sync`, { body }).expect(202);
      return untilRun((asked.body as RunBody).id, ENDED);
    },
    untilRun,
    async startWorker() {
      worker = await startWorker({
        db: door.db,
        keyRing,
        log: silentLog,
        config: { worker: { concurrency: 3 }, outbound: { allow: [...loopback.allow], direct: [] } },
        now: door.clock.now,
      });
    },
    async stopWorker() {
      await worker?.stop();
      worker = undefined;
    },
    async close() {
      await machinery.stopWorker();
      await door.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await machinery.startWorker();
  return machinery;
}

export const people = (count: number, department = "Sales"): HrRow[] =>
  Array.from({ length: count }, (_, index) => ({ number: String(1000 + index), login: `p${index}`, department }));
