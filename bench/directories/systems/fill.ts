import type { KindName } from "../kinds.ts";
import { fillActiveDirectory } from "./active-directory.ts";
import { fillCsv } from "./csv.ts";
import { fillEntra } from "./entra.ts";
import type { Filled, FillOptions } from "./filled.ts";
import { fillGoogle } from "./google.ts";
import { fillOkta } from "./okta.ts";

const FILL: Readonly<Record<KindName, (options: FillOptions) => Promise<Filled>>> = {
  entra: fillEntra,
  okta: fillOkta,
  google: fillGoogle,
  csv: fillCsv,
  "active-directory": fillActiveDirectory,
};

export function fillSystem(kind: KindName, options: FillOptions): Promise<Filled> {
  return FILL[kind](options);
}
