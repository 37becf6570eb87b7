import { isIP, isIPv4 } from "node:net";

/** `192.0.2.4:51234`, `[2001:db8::4]:51234`. */
const WITH_PORT = /^(?:\[([0-9a-f:.]+)\]|(\d+(?:\.\d+){3}))(?::\d+)?$/i;

/** The address alone: some proxies (Azure Application Gateway, IIS) put the port into X-Forwarded-For, which is another with each connection. */
export function withoutPort(address: string): string {
  const [, six, four] = WITH_PORT.exec(address) ?? [];
  return six ?? four ?? address;
}

/** The network of an address, as coarse as is useful: `192.0.2.0/24`, `2001:db8:1::/48`; null for what is no address. */
export function networkOf(address: string | undefined): string | null {
  const bare =
    address === undefined
      ? ""
      : withoutPort(address)
          .replace(/^::ffff:(?=\d+\.)/i, "")
          .replace(/%.*$/, "");
  if (isIP(bare) === 0) return null;
  if (isIPv4(bare)) return `${bare.split(".").slice(0, 3).join(".")}.0/24`;
  const [head = "", tail = ""] = bare.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const missing = bare.includes("::") ? 8 - groups.length - (tail === "" ? 0 : tail.split(":").length) : 0;
  const first = [...groups, ...Array.from({ length: missing }, () => "0"), ...tail.split(":")]
    .slice(0, 3)
    .map((group) => group.replace(/^0+(?=.)/, ""));
  return `${first.join(":")}::/48`;
}
