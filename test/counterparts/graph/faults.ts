/** What can go wrong on the way, each as Microsoft documents it, or as networks do it. */
export type FaultKind =
  | "throttled"
  | "throttled without Retry-After"
  | "near the limit"
  | "expired"
  | "syncStateNotFound"
  | "denied"
  | "unauthorised"
  | "server error"
  | "unavailable"
  | "reset"
  | "reset after the work"
  | "truncated"
  | "slow"
  | "empty page"
  | "repeated page"
  | "no link"
  | "foreign link"
  | "circle"
  | "not found"
  | "throttled in the batch";

export interface PlannedFault {
  kind: FaultKind;
  /** `GET /users/delta`: the method and the beginning of the path below the version; absent = any. */
  at?: string;
  /** How many matching requests pass before it strikes. */
  after?: number;
  /** How many it strikes. */
  times?: number;
}

export interface Faults {
  plan(fault: PlannedFault): void;
  clear(): void;
  /** What strikes this request. */
  next(method: string, path: string): FaultKind | undefined;
  /** How many are still to strike. */
  pending(): number;
}

export function createFaults(): Faults {
  let planned: Required<PlannedFault>[] = [];
  return {
    plan: (fault) => void planned.push({ at: "", after: 0, times: 1, ...fault }),
    clear: () => {
      planned = [];
    },
    next(method, path) {
      const matching = planned.filter(({ at, times }) => times > 0 && `${method} ${path}`.startsWith(at));
      const striking = matching.find(({ after }) => after === 0);
      for (const fault of matching) if (fault.after > 0) fault.after -= 1;
      if (striking) striking.times -= 1;
      return striking?.kind;
    },
    pending: () => planned.reduce((sum, { times }) => sum + times, 0),
  };
}
