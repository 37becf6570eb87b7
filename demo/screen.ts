import { styleText } from "node:util";
import cliProgress from "cli-progress";

/** What the demo shows, and how: on a terminal with colours and bars, elsewhere as plain lines. */
export interface Screen {
  heading(text: string): void;
  line(text?: string): void;
  /** Names and values, aligned. */
  facts(facts: Readonly<Record<string, string>>): void;
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Something that worked, or did not. */
  verdict(ok: boolean, text: string): void;
  progress(label: string): Bar;
  dim(text: string): string;
}

export interface Bar {
  update(done: number, total?: number): void;
  /** Ends the bar with what came out of it. */
  end(result: string): void;
}

const LABEL_WIDTH = 22;

export function createScreen(out: NodeJS.WriteStream): Screen {
  const colours = out.isTTY === true;
  const paint = (format: Parameters<typeof styleText>[0], text: string) => (colours ? styleText(format, text) : text);
  const write = (text = "") => void out.write(`${text}\n`);
  const started = performance.now();
  return {
    heading(text) {
      write();
      write(`${paint(["bold", "cyan"], text)}${paint("dim", `  +${elapsed(performance.now() - started)}`)}`);
    },
    line: (text) => write(text === undefined ? "" : `  ${text}`),
    facts(facts) {
      const width = Math.max(...Object.keys(facts).map((name) => name.length));
      for (const [name, value] of Object.entries(facts)) write(`  ${paint("dim", name.padEnd(width))}  ${value}`.trimEnd());
    },
    table(head, rows) {
      const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => [...(row[column] ?? "")].length)));
      const text = (cells: readonly string[]) =>
        cells
          .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - [...cell].length))
          .join("  ")
          .trimEnd();
      write(`  ${paint("dim", text(head))}`);
      for (const row of rows) write(`  ${text(row)}`);
    },
    verdict: (ok, text) => write(`  ${ok ? paint("green", "✓") : paint("red", "✗")} ${text}`),
    progress: (label) => (colours ? liveBar(label, { out, write, dim: (text) => paint("dim", text) }) : quietBar(label, write)),
    dim: (text) => paint("dim", text),
  };
}

function liveBar(
  label: string,
  { out, write, dim }: { out: NodeJS.WriteStream; write: (text: string) => void; dim: (text: string) => string },
): Bar {
  const name = label.padEnd(LABEL_WIDTH);
  const started = performance.now();
  const bar = new cliProgress.SingleBar(
    { stream: out, format: `  ${name} {bar} {value}{of}`, clearOnComplete: true, hideCursor: true, barsize: 30, fps: 12 },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0, { of: "" });
  return {
    update(done, total) {
      bar.setTotal(Math.max(total ?? done, 1));
      bar.update(done, { of: total === undefined ? "" : ` of ${total}` });
    },
    end(result) {
      bar.stop();
      write(`  ${name} ${result}  ${dim(elapsed(performance.now() - started))}`);
    },
  };
}

/** Without a terminal a bar is one line, when it ends: a log is no place for pictures. */
function quietBar(label: string, write: (text: string) => void): Bar {
  const started = performance.now();
  let said = started;
  return {
    update(done, total) {
      if (performance.now() - said < 5_000) return;
      said = performance.now();
      write(`  ${label.padEnd(LABEL_WIDTH)} ${done}${total === undefined ? "" : ` of ${total}`} …`);
    },
    end: (result) => write(`  ${label.padEnd(LABEL_WIDTH)} ${result}  ${elapsed(performance.now() - started)}`),
  };
}

/** A duration for reading: `320 ms`, `4.2 s`, `1 min 12 s`. */
export function elapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
