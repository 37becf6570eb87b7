import { rmSync } from "node:fs";

export default async function teardown() {
  const test = globalThis.__ROLLCALL_TEST_CLUSTER__;
  if (!test) return;
  test.cluster.stop();
  rmSync(test.folder, { recursive: true, force: true });
}
