import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe } from "@jest/globals";
import type { Kind } from "../../../connectors/contract.ts";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { csv } from "../../../connectors/csv/index.ts";
import { uploadedFiles } from "../../../src/connections/upload-read.ts";
import { receiveUpload } from "../../../src/connections/upload-receive.ts";
import { storeUpload } from "../../../src/connections/uploads.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { startSshServer, type SshServer } from "../../helpers/ssh-server.ts";

const PEOPLE = 1200;

/** How the file of an HR system comes to us. */
interface Delivery {
  name: string;
  /** Brings a whole new file. */
  bring(text: string): Promise<void>;
  settings(): object;
}

let folder = "";
let db: TestDatabase;
let connection = { id: 0, name: "hr" };
let server: SshServer;
let files = 0;

const inPlace = (name: string): Pick<Delivery, "bring"> & { file(): string } => {
  const file = () => path.join(folder, name);
  return {
    file,
    async bring(text) {
      writeFileSync(`${file()}.new`, text);
      renameSync(`${file()}.new`, file());
    },
  };
};
const local = inPlace("people.csv");
const remote = inPlace("people-there.csv");

const DELIVERIES: readonly Delivery[] = [
  { name: "csv, one file", bring: local.bring, settings: () => ({ file: local.file() }) },
  {
    name: "csv, the newest file of a folder",
    async bring(text) {
      // Written beside, then renamed: of two files of one millisecond the one whose name comes last is the newer.
      const name = `drop-${String(++files).padStart(6, "0")}.csv`;
      writeFileSync(path.join(folder, `.${name}`), text);
      renameSync(path.join(folder, `.${name}`), path.join(folder, name));
    },
    settings: () => ({ folder: { path: folder, match: "drop-*.csv", settleSeconds: 0 } }),
  },
  {
    name: "csv, uploads",
    async bring(text) {
      const input = (async function* () {
        yield Buffer.from(text);
      })();
      const received = await receiveUpload(input, { maxBytes: 10_000_000 });
      await inTransaction(db, testContext(), (work) => storeUpload(work, { connection, keyRing: testKeyRing, received, keep: 3 }));
      await received.close();
    },
    settings: () => ({ upload: { keep: 3 } }),
  },
  {
    name: "csv, SFTP",
    bring: remote.bring,
    settings: () => ({
      sftp: {
        host: "127.0.0.1",
        port: server.port,
        user: server.user,
        privateKey: server.privateKey,
        hostKey: server.fingerprint,
        path: remote.file(),
      },
    }),
  },
];

/** An HR system that writes its feed as a whole, each time. */
async function openWorld({ bring }: Delivery): Promise<SourceWorld> {
  const people = new Map<string, { title: string; groups: string; unit: string }>();
  for (let index = 0; index < PEOPLE; index++)
    people.set(String(index), { title: "Engineer", groups: index % 2 ? "Odd" : "Even;All", unit: `Lab/Room-${index % 7}` });
  const write = () => {
    const lines = [...people].map(([id, { title, groups, unit }]) => `${id},p${id},${title},${groups},${unit}`);
    return bring(["id,login,title,groups,unit", ...lines, `END,${people.size}`, ""].join("\n"));
  };
  await write();
  let next = PEOPLE;
  const expected: Readonly<Record<Kind, () => string[]>> = {
    user: () => [...people.keys()],
    group: () => ["All", "Even", "Odd"],
    unit: () => ["Lab", ...Array.from({ length: 7 }, (_, index) => `Lab/Room-${index}`)],
  };
  return {
    unknownId: "nobody",
    expected: async (kind) => expected[kind](),
    async addPerson() {
      const id = String(next++);
      people.set(id, { title: "New", groups: "Odd", unit: "Lab" });
      await write();
      return id;
    },
    async changePerson(id) {
      const person = people.get(id);
      if (person) person.title = `${person.title} II`;
      await write();
    },
    async removePerson(id) {
      people.delete(id);
      await write();
    },
    close: async () => undefined,
  };
}

describe("every way of a CSV feed", () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-contract-"));
    [server, db] = await Promise.all([startSshServer(), testDatabase()]);
    const { rows } = await db.pool.query<{ id: number }>("insert into connections (name, connector) values ('hr', 'csv') returning id");
    connection = { id: rows[0]?.id ?? 0, name: "hr" };
  });
  afterAll(async () => {
    await Promise.all([server?.stop(), db?.drop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  for (const delivery of DELIVERIES) {
    sourceContract({
      name: delivery.name,
      world: () => openWorld(delivery),
      open: async ({ signal }) => {
        const settings = csvSettings.parse({
          ...delivery.settings(),
          idColumn: "id",
          groupsColumn: "groups",
          unitColumn: "unit",
          unitSeparator: "/",
          trailer: "END",
        });
        const uploads = uploadedFiles(db.pool, { connectionId: connection.id, keyRing: testKeyRing });
        const source = await csv.openSource?.({ settings, log: silentLog, signal, now: () => new Date(), network: loopback, uploads });
        if (!source) throw new Error("csv has a source");
        return source;
      },
    });
  }
});
