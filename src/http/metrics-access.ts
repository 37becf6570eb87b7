import { Gauge, type Registry } from "prom-client";
import type { AccessSnapshot, SnapshotStatus } from "../access/snapshot/snapshot.ts";

/** How old and how large this node's access snapshot is; without an age while nobody has asked for it. */
export function measureAccessSnapshot(registry: Registry, snapshot: AccessSnapshot): void {
  const gauge = (name: string, { help, read }: { help: string; read: (status: SnapshotStatus) => number | null }) =>
    new Gauge({
      name: `rollcall_access_snapshot_${name}`,
      help,
      registers: [registry],
      collect() {
        const value = read(snapshot.status());
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  gauge("age_seconds", {
    help: "Since this node last looked for changes of access; above 1 it answers no checks.",
    read: ({ ageMs }) => (ageMs === null ? null : ageMs / 1000),
  });
  gauge("people", { help: "People in the access snapshot.", read: ({ people }) => people });
  gauge("bytes", { help: "Memory of people's facts in the access snapshot.", read: ({ bytes }) => bytes });
  gauge("read_anew", { help: "How often everything was read since the start.", read: ({ readAnew }) => readAnew });
  gauge("changes", { help: "Changes that were read alone since the start.", read: ({ changes }) => changes });
}
