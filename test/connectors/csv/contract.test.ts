import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Kind } from "../../../connectors/contract.ts";
import { csvSettings } from "../../../connectors/csv/config.ts";
import { csv } from "../../../connectors/csv/index.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { silentLog } from "../../helpers/database.ts";

const PEOPLE = 1200;
let file = "";

/** An HR system that writes its feed beside the file and renames it into place. */
async function openWorld(): Promise<SourceWorld> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-contract-"));
  file = path.join(folder, "people.csv");
  const people = new Map<string, { title: string; groups: string; unit: string }>();
  for (let index = 0; index < PEOPLE; index++)
    people.set(String(index), { title: "Engineer", groups: index % 2 ? "Odd" : "Even;All", unit: `Lab/Room-${index % 7}` });
  const write = () => {
    const lines = [...people].map(([id, { title, groups, unit }]) => `${id},p${id},${title},${groups},${unit}`);
    writeFileSync(`${file}.new`, ["id,login,title,groups,unit", ...lines, `END,${people.size}`, ""].join("\n"));
    renameSync(`${file}.new`, file);
  };
  write();
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
      write();
      return id;
    },
    async changePerson(id) {
      const person = people.get(id);
      if (person) person.title = `${person.title} II`;
      write();
    },
    async removePerson(id) {
      people.delete(id);
      write();
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

sourceContract({
  name: "csv",
  world: openWorld,
  open: async ({ signal }) => {
    const settings = csvSettings.parse({
      file,
      idColumn: "id",
      groupsColumn: "groups",
      unitColumn: "unit",
      unitSeparator: "/",
      trailer: "END",
    });
    const source = await csv.openSource?.({ settings, log: silentLog, signal, now: () => new Date() });
    if (!source) throw new Error("csv has a source");
    return source;
  },
});
