import { z } from "zod";

const column = z.string().trim().min(1).max(200);
const place = z.string().min(1).max(1000);
const megabyte = 1024 * 1024;

/** File names with `*` for any characters and `?` for one: `people-*.csv`. */
const pattern = z
  .string()
  .min(1)
  .max(200)
  .refine((value) => !/[/\\]/.test(value), "must be the name of a file, without folders");

/** Newest file of a folder that others write into. */
const folderSettings = z.strictObject({
  /** The folder, as this process sees it. */
  path: place,
  match: pattern.default("*.csv"),
  /** A file is taken once it has not changed for so long. */
  settleSeconds: z.number().min(0).max(600).default(5),
});

/** Files handed in by `PUT /feeds/NAME` or `rollcall connection upload`. */
const uploadSettings = z.strictObject({
  /** So many of the last files are kept. */
  keep: z.number().int().min(1).max(1000).default(5),
});

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

const sftpSettings = z
  .strictObject({
    host: z.string().min(1).max(253),
    port: z.number().int().min(1).max(65535).default(22),
    user: z.string().min(1).max(200),
    password: z.string().min(1).max(1000).optional(),
    /** PEM or OpenSSH's own form. */
    privateKey: z.string().min(1).max(20_000).optional(),
    passphrase: z.string().min(1).max(1000).optional(),
    /** The server's key, as `ssh-keygen -l` shows it. Another one is refused before anything is sent. */
    hostKey: z.string().regex(FINGERPRINT, "must be a fingerprint such as SHA256:… of 43 letters, as `ssh-keygen -l` shows it"),
    /** The file there; with `match` the folder, of which the newest file that fits is taken. */
    path: place,
    match: pattern.optional(),
    /** Of connecting, and of every answer. */
    timeoutSeconds: z.number().min(1).max(600).default(30),
  })
  .refine(({ password, privateKey }) => password !== undefined || privateKey !== undefined, {
    message: "needs a password or a privateKey",
    path: ["password"],
  })
  .refine(({ passphrase, privateKey }) => passphrase === undefined || privateKey !== undefined, {
    message: "belongs to a privateKey, and there is none",
    path: ["passphrase"],
  });

const WAYS = ["file", "folder", "upload", "sftp"] as const;

/** A file of people with a header line: one person a line. */
export const csvSettings = z
  .strictObject({
    /** One of these four says where the file comes from. This one: a path, as this process sees it. */
    file: place.optional(),
    folder: folderSettings.optional(),
    upload: uploadSettings.optional(),
    sftp: sftpSettings.optional(),
    /** Most bytes of a file. */
    maxBytes: z
      .number()
      .int()
      .min(1)
      .max(4096 * megabyte)
      .default(256 * megabyte),
    /** Never changes and is never given to another person: an employee number, not an e-mail address. */
    idColumn: column,
    /** Names of the person's groups, more than one parted by `groupsSeparator`. */
    groupsColumn: column.optional(),
    groupsSeparator: z.string().min(1).max(10).default(";"),
    /** The unit that the person belongs to; with `unitSeparator` a path from the top: `Company/Sales/North`. */
    unitColumn: column.optional(),
    unitSeparator: z.string().min(1).max(10).optional(),
    /** Header to the name that it has in mappings, where that should be another: `"E-mail (work)": mail`. */
    columns: z.record(column, column).optional(),
    /** `auto`: by the mark at the beginning, else UTF-8 when all of it is, else windows-1252. */
    encoding: z.enum(["auto", "utf8", "utf16le", "utf16be", "latin1", "windows-1252"]).default("auto"),
    /** `auto`: that of `,` `;` `|` and the tabulator which the header line has most of. */
    delimiter: z.union([z.literal("auto"), z.string().length(1)]).default("auto"),
    /** Whether a last line without a line break is a line, or the beginning of one that was cut off. */
    lastLineBreak: z.enum(["required", "optional"]).default("required"),
    /**
     * The first column of a last line that proves the file whole; its second column is the number of people:
     * with `END`, the line `END,2000`.
     */
    trailer: z.string().min(1).max(200).optional(),
    /** The other proof: exactly so many people. Without either, nobody is taken to be gone, or out of a group. */
    expectedCount: z.number().int().min(0).optional(),
  })
  .refine((settings) => WAYS.filter((way) => settings[way] !== undefined).length === 1, {
    message: `say where the file comes from by exactly one of ${WAYS.join(", ")}`,
    path: ["file"],
  });

export type CsvSettings = z.output<typeof csvSettings>;
export type FolderSettings = z.output<typeof folderSettings>;
export type SftpSettings = z.output<typeof sftpSettings>;

/** The way that was chosen, with what it needs. */
export type Way =
  { way: "file"; file: string } | { way: "folder"; folder: FolderSettings } | { way: "upload" } | { way: "sftp"; sftp: SftpSettings };

/** The schema lets exactly one through. */
export function wayOf({ file, folder, sftp }: CsvSettings): Way {
  if (file !== undefined) return { way: "file", file };
  if (folder !== undefined) return { way: "folder", folder };
  return sftp === undefined ? { way: "upload" } : { way: "sftp", sftp };
}
