import type { IncomingHttpHeaders } from "node:http";
import { AppError } from "../../errors.ts";

/** What the headers say of the file that follows. */
export interface Feed {
  /** SHA-256 (RFC 9530 section 2); undefined when the sender gives none. */
  digest: Buffer | undefined;
}

const OF_CSV = new Set(["text/csv", "application/csv", "text/plain", "application/octet-stream", "application/vnd.ms-excel", ""]);

/** Judges a file by its headers, before a byte of it is read. Throws `unsupported_type`, `too_large` and `invalid`. */
export function feedOf(headers: IncomingHttpHeaders, { maxBytes }: { maxBytes: number }): Feed {
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (!OF_CSV.has(type))
    throw new AppError(
      "unsupported_type",
      `The file itself is sent as the body (curl --upload-file FILE), as text/csv and not as ${type.slice(0, 60)}.`,
      {
        field: "Content-Type",
      },
    );
  const coding = headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (coding !== "identity")
    throw new AppError("unsupported_type", "Compressed files are not taken: send it without Content-Encoding.", {
      field: "Content-Encoding",
    });
  if (headers["content-range"] !== undefined)
    throw new AppError("invalid", "A file is sent in one piece: Content-Range is not taken.", { field: "Content-Range" });
  const announced = headers["content-length"];
  if (announced !== undefined && Number(announced) > maxBytes)
    throw new AppError("too_large", `The file has ${announced} bytes; \`maxBytes\` of the connection allows ${maxBytes}.`, {
      field: "Content-Length",
    });
  return { digest: digestOf(headers["content-digest"]) };
}

/** `sha-256=:<base64>:` among what may be a list; other algorithms may stand there, too, and are passed over. */
function digestOf(header: string | string[] | undefined): Buffer | undefined {
  const text = Array.isArray(header) ? header.join(",") : header;
  const member = text
    ?.split(",")
    .map((each) => each.trim())
    .find((each) => each.toLowerCase().startsWith("sha-256="));
  if (member === undefined) return undefined;
  const [, base64] = /^sha-256=:([A-Za-z0-9+/]{43}=):$/i.exec(member) ?? [];
  if (base64 === undefined)
    throw new AppError("invalid", "Content-Digest is not of the form sha-256=:<base64>: (RFC 9530).", { field: "Content-Digest" });
  return Buffer.from(base64, "base64");
}
