import type { EntraSettings } from "../../../connectors/entra/config.ts";
import type { GoogleSettings } from "../../../connectors/google/config.ts";
import type { LdapSettings } from "../../../connectors/ldap/config.ts";
import type { OktaSettings } from "../../../connectors/okta/config.ts";
import { connectors } from "../../../connectors/registry.ts";
import { connectorOf, type KindName } from "../kinds.ts";
import { readActiveDirectoryBare } from "./active-directory.ts";
import { readCsvBare } from "./csv.ts";
import { readEntraBare } from "./entra.ts";
import { readGoogleBare } from "./google.ts";
import { readOktaBare } from "./okta.ts";
import type { BareCount } from "./pages.ts";

export interface BareDirectoryJob {
  kind: KindName;
  /** Of a connection; the connector's defaults are filled in, so that the same is asked for. */
  settings: Readonly<Record<string, unknown>>;
  /** The fastest of so many reads counts. */
  repeat: number;
}

export interface BareDirectoryRead extends BareCount {
  /** Milliseconds of the fastest read, the sign-in included. */
  ms: number;
  /** Milliseconds of processor time in it. */
  cpuMs: number;
}

/** What any program must do before it can decide anything: sign in, ask for the same pages one after another, parse them, and count. */
export async function readBareDirectory({ kind, settings, repeat }: BareDirectoryJob): Promise<BareDirectoryRead> {
  const parsed: unknown = connectors[connectorOf(kind)]?.settings.parse(settings);
  const reads: BareDirectoryRead[] = [];
  for (let turn = 0; turn < repeat; turn++) {
    const started = performance.now();
    const before = process.cpuUsage();
    const count = await readOnce(kind, parsed);
    const { user, system } = process.cpuUsage(before);
    reads.push({ ...count, ms: performance.now() - started, cpuMs: (user + system) / 1000 });
  }
  return reads.reduce((best, read) => (read.ms < best.ms ? read : best));
}

function readOnce(kind: KindName, settings: unknown): Promise<BareCount> {
  if (kind === "entra") return readEntraBare(settings as EntraSettings);
  if (kind === "okta") return readOktaBare(settings as OktaSettings);
  if (kind === "google") return readGoogleBare(settings as GoogleSettings);
  if (kind === "active-directory") return readActiveDirectoryBare(settings as LdapSettings);
  return readCsvBare((settings as { file: string }).file);
}
