import { Presets, SingleBar } from "cli-progress";
import type { Progress } from "../sync/progress.ts";
import type { Terminal } from "./output.ts";

export interface ProgressReport {
  onProgress: (progress: Progress) => void;
  /** Takes the bar away, or says the last stage's end. */
  stop(): void;
}

const LINE_EVERY = 10_000;

/** A bar on a terminal; elsewhere a line when a stage begins and after every 10,000 records. All on standard error. */
export function reportProgress(terminal: Terminal): ProgressReport {
  return terminal.watched ? bar() : lines(terminal);
}

function bar(): ProgressReport {
  let current: { stage: string; bar: SingleBar } | undefined;
  return {
    onProgress({ stage, done, total }) {
      if (current?.stage !== stage) {
        current?.bar.stop();
        // A total that nobody knows yet is shown as a count alone.
        const format = total === undefined ? "  {stage} {value}" : "  {stage} {bar} {percentage}% | {value}/{total}";
        current = {
          stage,
          bar: new SingleBar({ format, hideCursor: true, stream: process.stderr, clearOnComplete: false }, Presets.shades_classic),
        };
        current.bar.start(total ?? 0, 0, { stage: stage.padEnd(12) });
      }
      if (total !== undefined) current.bar.setTotal(total);
      current.bar.update(done);
    },
    stop: () => {
      current?.bar.stop();
      current = undefined;
    },
  };
}

function lines(terminal: Terminal): ProgressReport {
  let stage: string | undefined;
  let said = 0;
  let latest = 0;
  const say = (done: number, total?: number) => terminal.writeError(`${stage}: ${done}${total === undefined ? "" : ` of ${total}`}\n`);
  const end = () => {
    if (stage !== undefined && latest > said) say(latest);
    said = latest;
  };
  return {
    onProgress(progress) {
      if (progress.stage !== stage) {
        end();
        stage = progress.stage;
        said = 0;
        latest = 0;
      }
      latest = progress.done;
      if (latest - said < LINE_EVERY) return;
      said = latest;
      say(progress.done, progress.total);
    },
    stop: end,
  };
}
