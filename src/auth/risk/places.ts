import { readFileSync, statSync } from "node:fs";
import { isIPv4 } from "node:net";
import { parse } from "csv-parse/sync";
import { isCidr } from "../../../connectors/kit/address.ts";
import { AppError, messageOf } from "../../errors.ts";

/** The place of a network; undefined where the operator says nothing. */
export type PlaceOf = (network: string) => string | undefined;

export const NOWHERE: PlaceOf = () => undefined;

const LARGEST = 64 * 1024 * 1024;

/** Answers from the operator's file of networks and places, which is read anew when it has changed. Throws `misconfigured`. */
export function createPlaces(file: string | undefined): () => PlaceOf {
  let read: { version: string; placeOf: PlaceOf } | undefined;
  return () => {
    if (file === undefined) return NOWHERE;
    try {
      const { mtimeMs, size } = statSync(file);
      if (size > LARGEST) throw new Error(`it has more than ${LARGEST} bytes`);
      const version = `${mtimeMs} ${size}`;
      if (read?.version !== version) read = { version, placeOf: readPlaces(readFileSync(file, "utf8")) };
      return read.placeOf;
    } catch (error) {
      throw new AppError("misconfigured", `The networks and places in ${file} can't be read: ${messageOf(error)}`, {
        field: "signIn.risk.placesFile",
        cause: error,
      });
    }
  };
}

/** Lines of `network,place`; of networks that hold an address the narrowest counts. Throws on a line that is none. Pure. */
export function readPlaces(text: string): PlaceOf {
  const places = new Map<string, string>();
  const lengths = new Set<number>();
  const lines = parse(text, { bom: true, trim: true, skip_empty_lines: true, relax_column_count: true, comment: "#" });
  for (const [at, [network = "", place = ""]] of lines.entries()) {
    if (at === 0 && network.toLowerCase() === "network") continue;
    if (!isCidr(network) || place === "") throw new Error(`line ${at + 1} is not a network and a place, such as 192.0.2.0/24,Helsinki`);
    const length = Number(network.split("/")[1]);
    lengths.add(length);
    places.set(keyOf(network, length), place);
  }
  const narrowest = [...lengths].toSorted((first, second) => second - first);
  return (network) => {
    const own = Number(network.split("/")[1]);
    for (const length of narrowest) {
      const place = length <= own ? places.get(keyOf(network, length)) : undefined;
      if (place !== undefined) return place;
    }
    return undefined;
  };
}

function keyOf(network: string, length: number): string {
  const [address = ""] = network.split("/");
  return `${isIPv4(address) ? 4 : 6} ${length} ${bitsOf(address).slice(0, length)}`;
}

function bitsOf(address: string): string {
  if (isIPv4(address))
    return address
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [first, last] = [groups(head), groups(tail)];
  const filled = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => "0"), ...last];
  return filled.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
