import { find, type Aim } from "./aims.ts";
import type { Measured } from "./measure.ts";
import { SERVERS, type SizeResult } from "./run.ts";

const TITLES = { ours: "ours", bare: "bare", memory: "routers, memory", postgres: "routers, PostgreSQL" } as const;

/** A table a size: each operation at each concurrency, with the rate and the time of each server. */
export function renderMeasured(sizes: readonly SizeResult[]): string {
  return sizes.map((size) => [`${size.people.toLocaleString("en")} people`, renderSize(size), ...remarks(size)].join("\n")).join("\n\n");
}

function renderSize({ servers }: SizeResult): string {
  const present = SERVERS.filter((name) => servers.some(({ server }) => server === name));
  const lines = new Map<string, { turn: string; concurrency: number }>();
  for (const { measured } of servers)
    for (const { turn, concurrency } of measured) lines.set(`${turn} ${concurrency}`, { turn, concurrency });
  const head = ["requests/s (p50, p99 in ms)", "at once", ...present.map((name) => TITLES[name])];
  const body = [...lines.values()].map(({ turn, concurrency }) => [
    turn,
    String(concurrency),
    ...present.map((name) =>
      cell(
        find(
          servers.find(({ server }) => server === name),
          turn,
          concurrency,
        ),
      ),
    ),
  ]);
  return aligned([head, ...body], [0]);
}

/** `~` before a rate that a few answers told. */
function cell(measured: Measured | undefined): string {
  if (!measured) return "";
  return `${measured.slow ? "~" : ""}${number(measured.rate)} (${number(measured.p50)}, ${number(measured.p99)})`;
}

function remarks({ servers }: SizeResult): string[] {
  return servers.flatMap(({ server, failed, missing, peakBytes }) => [
    ...(peakBytes === undefined ? [] : [`${TITLES[server]}: peak memory ${Math.round(peakBytes / 1024 / 1024)} MB`]),
    ...missing.map((key) => `${TITLES[server]}: does not offer ${key}`),
    ...failed.map(({ key, message }) => `${TITLES[server]}: ${key} failed: ${message.replace(/\s+/g, " ").slice(0, 240)}`),
  ]);
}

/** One line a promise: value, limit, verdict. */
export function renderAims(aims: readonly Aim[]): string {
  const body = aims.map(({ what, unit, value, limit, sense, met, remark }) => [
    what,
    value === undefined ? "–" : number(value),
    `${sense} ${number(limit)} ${unit}`,
    [met === undefined ? "" : met ? "ok" : "MISSED", remark ?? ""].filter(Boolean).join(", "),
  ]);
  const missed = aims.filter(({ met }) => met === false).length;
  const verdict = missed === 0 ? "All aims are met." : `${missed} of ${aims.length} aims are missed.`;
  return `${aligned([["aim", "value", "limit", ""], ...body], [0, 2, 3])}\n\n${verdict}`;
}

/** Columns of one width each; those named stand to the left. */
function aligned(lines: readonly (readonly string[])[], left: readonly number[]): string {
  const [head = []] = lines;
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const text = (line: readonly string[]) =>
    line
      .map((value, column) => (left.includes(column) ? value.padEnd(widths[column] ?? 0) : value.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  const [first = "", ...rest] = lines.map(text);
  return [first, "-".repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...rest].join("\n");
}

function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
