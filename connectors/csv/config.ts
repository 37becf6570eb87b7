import { z } from "zod";

const column = z.string().trim().min(1);

/** A file of people with a header line: one person a line. It holds no secret. */
export const csvSettings = z.strictObject({
  /** The path, as this process sees it. */
  file: z.string().min(1),
  /** Never changes and is never given to another person: an employee number, not an e-mail address. */
  idColumn: column,
  /** Names of the person's groups, more than one parted by `groupsSeparator`. */
  groupsColumn: column.optional(),
  groupsSeparator: z.string().min(1).default(";"),
  /** The unit that the person belongs to; with `unitSeparator` a path from the top: `Company/Sales/North`. */
  unitColumn: column.optional(),
  unitSeparator: z.string().min(1).optional(),
  encoding: z.enum(["utf8", "utf16le", "latin1"]).default("utf8"),
  delimiter: z.string().length(1).default(","),
  /**
   * The first column of a last line that proves the file whole; its second column is the number of people:
   * with `END`, the line `END,2000`.
   */
  trailer: z.string().min(1).optional(),
  /** The other proof: exactly so many people. Without either, nobody is taken to be gone because a line is missing. */
  expectedCount: z.number().int().min(0).optional(),
});

export type CsvSettings = z.output<typeof csvSettings>;
