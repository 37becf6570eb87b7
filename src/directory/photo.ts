import { createHash } from "node:crypto";
import type { Sharp, SharpOptions } from "sharp";
import { AppError } from "../errors.ts";

/** Edges of the squares that are kept, in pixels. */
export const PHOTO_SIZES = [64, 256, 640] as const;
export const PHOTO_FORMATS = ["webp", "jpeg"] as const;
export type PhotoSize = (typeof PHOTO_SIZES)[number];
export type PhotoFormat = (typeof PHOTO_FORMATS)[number];

/** What is taken. HEIC is not: its decoder may not be handed on, and phones send JPEG to whoever doesn't take it. */
export const PHOTO_TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"] as const;
/** What is said of those that people send most often beside them. */
export const REFUSED_PHOTO_TYPES: Readonly<Record<string, string>> = {
  "image/heic": "This is a HEIC picture, as iPhones take them, which is not taken here. Save or share it as JPEG and send it again.",
  "image/heif": "This is a HEIF picture, which is not taken here. Save or share it as JPEG and send it again.",
  "image/avif": "This is an AVIF picture, which is not taken here. Save it as JPEG, PNG or WebP and send it again.",
};
export const MOST_PHOTO_BYTES = 10 * 1024 * 1024;

const MOST_PIXELS = 50_000_000;
const FEWEST_PIXELS_OF_AN_EDGE = 32;
/** A picture of somebody is no banner. */
const MOST_TIMES_AS_LONG = 8;
const MOST_SECONDS = 10;
/** Decoding is work for a core; who comes when so many wait is sent away. */
const MOST_WAITING = 16;

export interface PhotoRendition {
  size: PhotoSize;
  format: PhotoFormat;
  bytes: Buffer;
}

export interface EncodedPhoto {
  /** Of the pixels that are kept; hexadecimal. */
  hash: string;
  renditions: readonly PhotoRendition[];
}

/**
 * Makes of an uploaded picture the squares that are kept: decoded, turned as its orientation says, cut to what draws the eye, encoded
 * anew. Nothing else of the file is left: no metadata (places, cameras, thumbnails), no colour profile, no further frames. Throws `unsupported_type` for
 * what is no picture of ours, `invalid` for broken or immoderate ones, `busy` when too many wait.
 */
export async function encodePhoto(bytes: Buffer): Promise<EncodedPhoto> {
  if (pictureType(bytes) === undefined)
    throw new AppError(
      "unsupported_type",
      REFUSED_PHOTO_TYPES[otherType(bytes) ?? ""] ?? "This is no JPEG, PNG, WebP or GIF picture. Save it as JPEG and send it again.",
      { field: "body" },
    );
  const { default: sharp } = await import("sharp");
  // One thread a picture, and nothing of one person's picture kept in memory for the next.
  sharp.concurrency(1);
  sharp.cache(false);
  if (sharp.counters().queue > MOST_WAITING)
    throw new AppError("busy", "Many photos are being prepared; send it again in a moment.", { retryAfter: 2 });
  const options: SharpOptions = { limitInputPixels: MOST_PIXELS, failOn: "error", sequentialRead: true, pages: 1 };
  const largest = PHOTO_SIZES.at(-1) ?? 0;
  const { data, info } = await readable(async () => {
    refuseImmoderate(await sharp(bytes, options).metadata());
    return sharp(bytes, options)
      .timeout({ seconds: MOST_SECONDS })
      .autoOrient()
      .resize(largest, largest, { fit: "cover", position: "attention" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
  });
  const base = { raw: { width: info.width, height: info.height, channels: info.channels } };
  const renditions: PhotoRendition[] = [];
  for (const size of PHOTO_SIZES)
    for (const format of PHOTO_FORMATS)
      renditions.push({ size, format, bytes: await as(format, sharp(data, base).resize(size, size)).toBuffer() });
  return { hash: createHash("sha256").update(data).digest("hex"), renditions };
}

function as(format: PhotoFormat, picture: Sharp): Sharp {
  // JPEG knows no transparency.
  return format === "webp"
    ? picture.webp({ quality: 82 })
    : picture.flatten({ background: "white" }).jpeg({ quality: 84, progressive: true });
}

function refuseImmoderate({ width, height }: { width: number; height: number }): void {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (width * height > MOST_PIXELS)
    throw new AppError("invalid", `The picture has ${width} × ${height} pixels, more than ${MOST_PIXELS / 1_000_000} million.`, {
      field: "body",
    });
  if (short < FEWEST_PIXELS_OF_AN_EDGE)
    throw new AppError("invalid", `The picture has ${width} × ${height} pixels; each edge needs ${FEWEST_PIXELS_OF_AN_EDGE} at least.`, {
      field: "body",
    });
  if (long > MOST_TIMES_AS_LONG * short)
    throw new AppError("invalid", `The picture has ${width} × ${height} pixels, which is no shape for a photo of somebody.`, {
      field: "body",
    });
}

/** What the decoder says of bytes that it can't read is the sender's business. */
async function readable<T>(decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof AppError) throw error;
    const pixels = error instanceof Error && /pixel limit/i.test(error.message);
    throw new AppError(
      "invalid",
      pixels
        ? `The picture has more than ${MOST_PIXELS / 1_000_000} million pixels.`
        : "The picture can't be read: it is damaged or cut off, or takes too long to decode. Save it anew and send it again.",
      { field: "body", cause: error },
    );
  }
}

/** By its first bytes, whatever its name says. SVG is no picture here: it is a document that may hold scripts. */
export function pictureType(bytes: Buffer): (typeof PHOTO_TYPES)[number] | undefined {
  const begins = (text: string, at = 0) => bytes.toString("latin1", at, at + text.length) === text;
  if (begins("\xff\xd8\xff")) return "image/jpeg";
  if (begins("\x89PNG\r\n\x1a\n")) return "image/png";
  if (begins("RIFF") && begins("WEBP", 8)) return "image/webp";
  return begins("GIF87a") || begins("GIF89a") ? "image/gif" : undefined;
}

/** By the brands of an ISO base media file (ISO 14496-12), which HEIC, HEIF and AVIF are. */
function otherType(bytes: Buffer): string | undefined {
  if (bytes.toString("latin1", 4, 8) !== "ftyp") return undefined;
  const brands = bytes.toString("latin1", 8, Math.min(bytes.length, 64));
  if (/avi[fs]/.test(brands)) return "image/avif";
  return /hei[cxms]|hev[cx]/.test(brands) ? "image/heic" : /mif1|msf1/.test(brands) ? "image/heif" : undefined;
}

/** The format that an Accept header asks for (RFC 9110 section 12.5.1); WebP where both are as welcome. */
export function acceptedFormat(accept: string | undefined): PhotoFormat | undefined {
  const ranges = (accept ?? "*/*").split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const quality = Number(parameters.find((each) => each.startsWith("q="))?.slice(2) ?? 1);
    return { type, quality: Number.isNaN(quality) ? 0 : quality };
  });
  const welcome = (format: PhotoFormat) =>
    [`image/${format}`, "image/*", "*/*"]
      .map((type) => ranges.find((each) => each.type === type)?.quality)
      .find((each) => each !== undefined) ?? 0;
  const [first, second] = [welcome("webp"), welcome("jpeg")];
  return first === 0 && second === 0 ? undefined : first >= second ? "webp" : "jpeg";
}
