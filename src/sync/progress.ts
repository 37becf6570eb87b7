import type { Kind } from "../../connectors/contract.ts";

export type Stage = "read units" | "read people" | "read groups" | "remap" | "list ids" | "sweep" | "close" | "guard" | "apply";

export interface Progress {
  stage: Stage;
  done: number;
  /** Known before the end only for some stages. */
  total?: number;
}

export type OnProgress = (progress: Progress) => void;

export const READ_STAGE: Readonly<Record<Kind, Stage>> = { unit: "read units", user: "read people", group: "read groups" };

/** Milliseconds spent per stage. */
export type Timings = Partial<Record<Stage, number>>;

/** Runs `work` and adds what it took to the stage's time. */
export async function timed<T>(timings: Timings, stage: Stage, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    timings[stage] = (timings[stage] ?? 0) + (performance.now() - started);
  }
}
