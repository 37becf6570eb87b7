import { Fault, type Completeness, type Connector, type Kind, type OpenOptions, type Page, type Source } from "../contract.ts";
import { check } from "./check.ts";
import { openCsv } from "./client.ts";
import { csvSettings, type CsvSettings } from "./config.ts";
import { createLookup } from "./lookup.ts";
import { placeOf } from "./place.ts";
import { pageReader } from "./read.ts";
import { withoutPeople } from "./without-people.ts";

/** An HR feed: people, and their groups and units by columns, from one CSV file. */
export const csv: Connector<CsvSettings> = {
  name: "csv",
  title: "CSV file",
  settings: csvSettings,
  secretFields: ["sftp.password", "sftp.privateKey", "sftp.passphrase"],
  destinations: ["sftp.host", "sftp.port", "sftp.hostKey"],
  localPaths: ["file", "folder.path"],
  openSource,
  check,
  uploads: ({ upload, maxBytes }) => (upload === undefined ? undefined : { keep: upload.keep, maxBytes }),
  uploadWithout: withoutPeople,
  scopeOf: ({ file, folder, upload, sftp, idColumn, groupsColumn, unitColumn, unitSeparator }) => ({
    file,
    idColumn,
    groupsColumn,
    unitColumn,
    unitSeparator,
    ...(folder && { folder: { path: folder.path, match: folder.match } }),
    ...(upload && { upload: true }),
    ...(sftp && { sftp: { host: sftp.host, path: sftp.path, match: sftp.match } }),
  }),
};

async function openSource(options: OpenOptions<CsvSettings>): Promise<Source> {
  const { settings, signal, granted } = options;
  const kinds = kindsOf(settings);
  const place = placeOf(options);
  try {
    const file = await openCsv(place, { settings, signal });
    const readAll = pageReader({ file, settings, granted });
    return {
      kinds,
      readAll: (kind) => (kinds.includes(kind) ? readAll(kind) : refuse(kind)),
      readOne: createLookup({ place, file, settings, signal, granted }),
      async close() {
        await file.close();
        await place.close();
      },
    };
  } catch (error) {
    await place.close();
    throw error;
  }
}

function kindsOf({ groupsColumn, unitColumn }: CsvSettings): Kind[] {
  // People first: the others follow from their lines.
  return ["user", ...(unitColumn === undefined ? [] : ["unit" as const]), ...(groupsColumn === undefined ? [] : ["group" as const])];
}

// eslint-disable-next-line require-yield -- it refuses before there is anything to give
async function* refuse(kind: Kind): AsyncGenerator<Page, Completeness> {
  throw new Fault(
    "misconfigured",
    `No column says who belongs to which ${kind}: set \`${kind === "group" ? "groupsColumn" : "unitColumn"}\`.`,
  );
}
