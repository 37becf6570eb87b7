/** Whether an If-Match or If-None-Match header names this version. Tags are compared weakly (RFC 9110 section 8.8.3.2): ours are weak. */
export function isMatch(header: string, version: string): boolean {
  if (header.trim() === "*") return true;
  const strip = (tag: string) => tag.trim().replace(/^W\//i, "");
  return header.split(",").some((tag) => strip(tag) === strip(version));
}
