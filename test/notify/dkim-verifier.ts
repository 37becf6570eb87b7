import { createHash, createVerify, type KeyObject } from "node:crypto";

/**
 * Verifies a DKIM signature over a whole message (RFC 6376 section 6, canonicalization relaxed/relaxed, rsa-sha256) with a key at hand:
 * the fields that it covers in lower case, or undefined when it does not hold.
 */
export function verifiedFields(raw: string, publicKey: KeyObject): string[] | undefined {
  const end = raw.indexOf("\r\n\r\n");
  const fields = raw.slice(0, end).split(/\r\n(?![ \t])/);
  const named = (name: string) => fields.filter((field) => field.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  const [signatureField] = named("dkim-signature");
  if (signatureField === undefined) return undefined;
  const tags = new Map(
    signatureField
      .slice(signatureField.indexOf(":") + 1)
      .split(";")
      .map((tag) => tag.split(/=(.*)/s))
      .map(([name = "", value = ""]) => [name.trim(), value.replaceAll(/\s+/g, "")] as const),
  );
  if (tags.get("a") !== "rsa-sha256" || tags.get("c") !== "relaxed/relaxed") return undefined;
  if (
    createHash("sha256")
      .update(relaxedBody(raw.slice(end + 4)))
      .digest("base64") !== tags.get("bh")
  )
    return undefined;
  const covered = (tags.get("h") ?? "").toLowerCase().split(":");
  // Of several fields of one name the last is taken first (section 5.4.2).
  const left = new Map(covered.map((name) => [name, named(name)]));
  const signed = covered.flatMap((name) => left.get(name)?.pop() ?? []).map((field) => `${relaxedField(field)}\r\n`);
  const verifier = createVerify("RSA-SHA256").update([...signed, relaxedField(signatureField.replace(/(\bb=)[^;]*$/s, "$1"))].join(""));
  return verifier.verify(publicKey, tags.get("b") ?? "", "base64") ? covered : undefined;
}

/** Section 3.4.2. */
function relaxedField(field: string): string {
  const at = field.indexOf(":");
  return `${field.slice(0, at).trim().toLowerCase()}:${field
    .slice(at + 1)
    .replaceAll(/\r\n/g, "")
    .replaceAll(/[ \t]+/g, " ")
    .trim()}`;
}

/** Section 3.4.4. */
function relaxedBody(body: string): string {
  const text = body.replaceAll(/[ \t]+(?=\r\n)/g, "").replaceAll(/[ \t]+/g, " ");
  const trimmed = text.replace(/(\r\n)*$/, "");
  return trimmed === "" ? "" : `${trimmed}\r\n`;
}
