import { BlockList, isIP, isIPv4 } from "node:net";

/** Loopback, link-local, private, shared, multicast, and what else is no public host (RFC 6890 and IANA's special-purpose registries). */
const RESERVED_IPV4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
/** Public hosts are in 2000::/3 only; these parts of it hold none. */
const RESERVED_IPV6 = ["2001::/23", "2001:db8::/32", "3fff::/20"];

const reservedIpv4 = blocks(RESERVED_IPV4);
const reservedIpv6 = blocks(RESERVED_IPV6);
const publicIpv6 = blocks(["2000::/3"]);

/** Whether an address, as the resolver gives it, is a public one, or in one of the networks (CIDR) that are allowed all the same. */
export function mayReach(address: string, allow: readonly string[]): boolean {
  const { text, family } = effective(address);
  if (family === undefined) return false;
  if (blocks(allow).check(text, family)) return true;
  if (family === "ipv4") return !reservedIpv4.check(text, family);
  return publicIpv6.check(text, family) && !reservedIpv6.check(text, family);
}

/** Whether this is a block of addresses: `10.0.0.0/8`, `fd00::/8`. */
export function isCidr(text: string): boolean {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const family = isIP(address);
  return rest.length === 0 && family !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** Whether these are proxies as Express takes them: hops, all or none, or a list of ranges by name, addresses and networks. */
export function areProxies(proxies: unknown): boolean {
  if (typeof proxies !== "string") return typeof proxies === "boolean" || (Number.isInteger(proxies) && Number(proxies) >= 0);
  return proxies.split(",").every((each) => {
    const one = each.trim();
    const [address = "", mask = ""] = one.split("/");
    const isMasked = isIPv4(address) && isIPv4(mask);
    return ["loopback", "linklocal", "uniquelocal"].includes(one) || isIP(one) !== 0 || isMasked || (isCidr(one) && Number(mask) > 0);
  });
}

function blocks(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** An IPv6 address that only wraps one of IPv4 reaches that one, and is judged as that one. */
function effective(address: string): { text: string; family: "ipv4" | "ipv6" | undefined } {
  // A zone names an interface of this machine, and changes nothing of where the address belongs.
  const text = address.split("%")[0] ?? "";
  const kind = isIP(text);
  if (kind === 4) return { text, family: "ipv4" };
  if (kind !== 6) return { text, family: undefined };
  const wrapped = wrappedIpv4(groupsOf(text));
  return wrapped === undefined ? { text, family: "ipv6" } : { text: wrapped, family: "ipv4" };
}

/** The eight groups of an IPv6 address, as numbers. */
function groupsOf(text: string): number[] {
  // The URL parser writes every form alike: without dotted parts and leading zeros.
  const [head = "", tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const numbers = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [before, after] = [numbers(head), numbers(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** IPv4-mapped (RFC 4291 section 2.5.5.2), IPv4-compatible (2.5.5.1), NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses. */
function wrappedIpv4(groups: readonly number[]): string | undefined {
  const dotted = (at: number) => [groups[at] ?? 0, groups[at + 1] ?? 0].flatMap((group) => [group >> 8, group & 255]).join(".");
  const starts = (...prefix: readonly number[]) => prefix.every((group, index) => groups[index] === group);
  if (starts(0, 0, 0, 0, 0, 0xffff) || starts(0x64, 0xff9b, 0, 0, 0, 0)) return dotted(6);
  // `::` and `::1` are addresses of their own.
  if (starts(0, 0, 0, 0, 0, 0) && (groups[6] ?? 0) !== 0) return dotted(6);
  return starts(0x2002) ? dotted(1) : undefined;
}
