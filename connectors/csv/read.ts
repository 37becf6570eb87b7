import { Fault, type Completeness, type Kind, type Page, type RecordProblem, type SourceRecord } from "../contract.ts";
import type { CsvFile, Row } from "./client.ts";
import type { CsvSettings } from "./config.ts";
import { columnsOf, type Columns } from "./header.ts";
import { groupOf, isProblem, namesIn, personOf, saysWhom, unitsOf } from "./records.ts";

const PAGE = 500;

export interface Reading {
  file: CsvFile;
  settings: CsvSettings;
  granted?: readonly string[] | undefined;
}

export interface PersonLine {
  item: SourceRecord | RecordProblem;
  row: Row;
  columns: Columns;
}

/** What the file says about itself, known at its end. */
export interface End {
  people: number;
  /** The trailer or the expected count says that this is all, and every line says about whom it is, each about somebody else. */
  proven: boolean;
  /** The same of the groups and units that the lines name: no line is bad, since whatever is named nowhere else may stand there. */
  provenPlaces: boolean;
}

/** Every line as a person or a problem; returns whether the file proved itself whole. */
export async function* personLines({ file, settings, granted }: Reading): AsyncGenerator<PersonLine, End> {
  const seen = new Set<string>();
  let columns: Columns | undefined;
  let promised: number | undefined;
  let afterTrailer = false;
  let certain = true;
  let bad = false;
  let lines = 0;
  for await (const row of file.rows()) {
    if (columns === undefined) {
      if (row.torn) throw new Fault("transient", `${file.name} ends in its header line: it was cut off, or is not written yet.`);
      columns = columnsOf(row, { settings, granted, name: file.name });
      continue;
    }
    if (settings.trailer !== undefined && row.cells[0]?.trim() === settings.trailer) {
      promised = Number(row.cells[1]?.trim() || Number.NaN);
      continue;
    }
    // A line after the trailer: two files in one, or a trailer of the day before.
    afterTrailer ||= promised !== undefined;
    lines += 1;
    const item = personOf(row, { columns, settings, changedAt: file.changedAt });
    bad ||= isProblem(item);
    // Of two lines with one id, one may be about somebody else: whoever is missing from the file may stand there.
    certain &&= saysWhom(item, { row, columns }) && !seen.has(item.nativeId);
    if (seen.has(item.nativeId)) {
      yield {
        item: {
          kind: "user",
          nativeId: item.nativeId,
          code: "duplicate",
          message: `Line ${row.line}: ${settings.idColumn} ${item.nativeId} stands on an earlier line, too; the earlier one was taken. Nobody is taken to be gone until each stands there once.`,
        },
        row,
        columns,
      };
      continue;
    }
    seen.add(item.nativeId);
    yield { item, row, columns };
  }
  const byTrailer = settings.trailer === undefined || (promised === lines && !afterTrailer);
  const byCount = settings.expectedCount === undefined || settings.expectedCount === lines;
  const proven =
    columns !== undefined && certain && byTrailer && byCount && (settings.trailer !== undefined || settings.expectedCount !== undefined);
  return { people: lines, proven, provenPlaces: proven && !bad };
}

/** The kinds that follow from the people's lines, and are as complete as those. */
type Following = Exclude<Kind, "user">;

/**
 * Reads a kind in pages. Whoever has read the people through has seen all groups and units: the next read of these gives what was
 * gathered on the way, and the file is parsed once. It is given away once, so that it stands in memory no longer than it must.
 */
export function pageReader(reading: Reading): (kind: Kind) => AsyncGenerator<Page, Completeness> {
  const gathered = new Map<Following, Gathered>();
  async function* readPeople(): AsyncGenerator<Page, Completeness> {
    const { collected, end, count } = yield* peoplePages(reading);
    for (const kind of ["group", "unit"] as const) gathered.set(kind, { records: collected[kind].records(end), proven: end.provenPlaces });
    return { finalCursor: end.proven, count };
  }
  async function* readFollowing(kind: Following): AsyncGenerator<Page, Completeness> {
    const found = gathered.get(kind) ?? (await gather(reading, kind));
    gathered.delete(kind);
    const records = [...found.records];
    for (let at = 0; at < records.length; at += PAGE) yield { records: records.slice(at, at + PAGE) };
    return { finalCursor: found.proven, count: records.length };
  }
  return (kind) => (kind === "user" ? readPeople() : readFollowing(kind));
}

interface Gathered {
  records: Iterable<SourceRecord>;
  proven: boolean;
}

interface PeopleEnd {
  collected: Readonly<Record<Following, Collected>>;
  end: End;
  count: number;
}

async function* peoplePages(reading: Reading): AsyncGenerator<Page, PeopleEnd> {
  const collected = { group: collectGroups(reading), unit: collectUnits(reading) };
  let page: Required<Page> = { records: [], problems: [] };
  let count = 0;
  const lines = personLines(reading);
  for (;;) {
    const { done, value } = await lines.next();
    if (done) {
      if (page.records.length + page.problems.length > 0) yield page;
      return { collected, end: value, count };
    }
    collected.group.take(value);
    collected.unit.take(value);
    if (isProblem(value.item)) page.problems.push(value.item);
    else page.records.push(value.item);
    count += isProblem(value.item) ? 0 : 1;
    if (page.records.length + page.problems.length < PAGE) continue;
    yield page;
    page = { records: [], problems: [] };
  }
}

async function gather(reading: Reading, kind: Following): Promise<Gathered> {
  const collected = kind === "group" ? collectGroups(reading) : collectUnits(reading);
  const lines = personLines(reading);
  let step = await lines.next();
  for (; !step.done; step = await lines.next()) collected.take(step.value);
  return { records: collected.records(step.value), proven: step.value.provenPlaces };
}

/** Gathers records that many lines make together. */
interface Collected {
  take(line: PersonLine): void;
  records(end: End): Iterable<SourceRecord>;
}
type Collect = (reading: Reading) => Collected;

export const collectGroups: Collect = ({ file, settings }) => {
  const members = new Map<string, string[]>();
  return {
    take({ item, row, columns }) {
      if (columns.groups === undefined || isProblem(item)) return;
      for (const name of namesIn(row.cells[columns.groups] ?? "", settings.groupsSeparator)) {
        const list = members.get(name);
        if (list) list.push(item.nativeId);
        else members.set(name, [item.nativeId]);
      }
    },
    *records({ provenPlaces }) {
      // With a bad line, or without the proof that no line is missing, somebody's groups are unknown: then nobody is taken out of one.
      for (const [name, list] of members)
        yield groupOf(name, { members: provenPlaces ? { set: list } : { add: list, remove: [] }, changedAt: file.changedAt });
    },
  };
};

export const collectUnits: Collect = ({ file, settings }) => {
  const units = new Map<string, SourceRecord>();
  return {
    take({ item, row, columns }) {
      if (columns.unit === undefined || isProblem(item)) return;
      for (const unit of unitsOf(row.cells[columns.unit] ?? "", { separator: settings.unitSeparator, changedAt: file.changedAt })) {
        if (!units.has(unit.nativeId)) units.set(unit.nativeId, unit);
      }
    },
    records: () => units.values(),
  };
};
