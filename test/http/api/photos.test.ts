import { crc32, deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { acceptedFormat, pictureType } from "../../../src/directory/photo.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
beforeAll(async () => void (door = await openApi()));
afterAll(() => door?.close());

const picture = (width: number, height: number, background: string | { r: number; g: number; b: number; alpha: number } = "red") =>
  sharp({ create: { width, height, channels: 4, background } });
const put = (id: string, body: Buffer, type = "image/png") =>
  door.request("PUT", `/people/${id}/photo`, { body, headers: { "Content-Type": type } });
const get = (id: string, headers: Record<string, string> = {}, query = "") =>
  door.request("GET", `/people/${id}/photo${query}`, { headers }).buffer(true).parse(asBuffer);

function asBuffer(response: object, done: (error: Error | null, body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  // supertest's types leave out that an answer is a stream.
  const stream = response as NodeJS.ReadableStream;
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => done(null, Buffer.concat(chunks)));
}

/** A whole PNG of one bit a pixel: some kilobytes that decode to as many pixels as one likes. */
function blackSquare(edge: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(edge, 0);
  header.writeUInt32BE(edge, 4);
  header[8] = 1;
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const pixels = deflateSync(Buffer.alloc(edge * (edge / 8 + 1)));
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

describe("photos", () => {
  test.each(["jpeg", "png", "webp", "gif"] as const)(
    "P3: a %s is encoded anew as squares of three sizes, WebP or JPEG by Accept",
    async (kind) => {
      const id = await door.newPerson();
      await put(id, await picture(900, 700).toFormat(kind).toBuffer(), `image/${kind}`).expect(204);
      for (const size of [64, 256, 640])
        for (const format of ["webp", "jpeg"]) {
          const { body, headers } = await get(id, { Accept: `image/${format}` }, `?size=${size}`).expect(200);
          expect(headers).toMatchObject({
            "content-type": `image/${format}`,
            "cache-control": "private, no-cache",
            "x-content-type-options": "nosniff",
          });
          expect(await sharp(body).metadata()).toMatchObject({ width: size, height: size, format });
        }
    },
  );

  test("P3: nothing of the file but the picture is kept, and it stands upright", async () => {
    const id = await door.newPerson();
    // Left half red, right half blue, and a note that it is to be turned by a quarter clockwise: red on top.
    const halves = await sharp({ create: { width: 400, height: 400, channels: 3, background: "red" } })
      .composite([{ input: await picture(200, 400, "blue").png().toBuffer(), left: 200, top: 0 }])
      .withExif({ IFD0: { Copyright: "SECRET PLACE" }, IFD3: { GPSLatitudeRef: "N" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect((await sharp(halves).metadata()).orientation).toBe(6);
    await put(id, halves, "image/jpeg").expect(204);
    const { body } = await get(id, { Accept: "image/jpeg" }).expect(200);
    expect(await sharp(body).metadata()).not.toMatchObject({ exif: expect.anything() });
    expect((await sharp(body).metadata()).icc).toBeUndefined();
    const { data, info } = await sharp(body).raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
    expect(at(128, 20)[0]).toBeGreaterThan(200);
    expect(at(128, 236)[2]).toBeGreaterThan(200);
    const { rows } = await door.db.pool.query<{ bytes: Buffer }>("select bytes from person_photos where person_id = $1", [id]);
    expect(rows.some(({ bytes }) => bytes.includes("SECRET"))).toBe(false);
  });

  test("P3: it is not sent again to who has it, and is sent when it is another", async () => {
    const id = await door.newPerson();
    await get(id).expect(404);
    await put(id, await picture(300, 300).png().toBuffer()).expect(204);
    const first = await get(id).expect(200);
    const known = { "If-None-Match": String(first.headers["etag"]) };
    expect((await get(id, known).expect(304)).headers["etag"]).toBe(first.headers["etag"]);
    await get(id, { ...known, Accept: "image/jpeg" }).expect(200);
    await put(id, await picture(300, 300).png().toBuffer()).expect(204);
    await get(id, known).expect(304);
    await put(id, await picture(300, 300, "green").png().toBuffer()).expect(204);
    await get(id, known).expect(200);
    await door.request("DELETE", `/people/${id}/photo`).expect(204);
    await get(id).expect(404);
    await door.request("DELETE", `/people/${id}/photo`).expect(404);
    const { rows } = await door.db.pool.query(
      "select name, data from audit_events where subject_id = $1 and name like 'person.photo%' order by id",
      [id],
    );
    expect(rows.map(({ name }) => name)).toEqual(["person.photo_set", "person.photo_set", "person.photo_removed"]);
  });

  test("P3: a picture as iPhones take them is refused with what to do instead, whatever it says that it is", async () => {
    const id = await door.newPerson();
    const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypheic\0\0\0\0mif1heic"), Buffer.alloc(100)]);
    for (const type of ["image/heic", "image/jpeg"]) {
      const { body } = await put(id, heic, type).expect(415);
      expect(body.detail).toBe(
        "This is a HEIC picture, as iPhones take them, which is not taken here. Save or share it as JPEG and send it again.",
      );
    }
  });

  test("P3: bombs, monsters, and what only says that it is a picture, are refused and change nothing", async () => {
    const id = await door.newPerson();
    const png = await picture(300, 300).png().toBuffer();
    await put(id, png).expect(204);
    const { headers } = await get(id).expect(200);
    const noise = await sharp(Buffer.from(Array.from({ length: 300 * 300 * 3 }, (_, index) => (index * 7919) % 251)), {
      raw: { width: 300, height: 300, channels: 3 },
    })
      .jpeg()
      .toBuffer();
    const huge = blackSquare(8000);
    const lying = Buffer.from(png);
    lying.writeUInt32BE(60_000, 16);
    lying.writeUInt32BE(60_000, 20);
    const cases: [string, Buffer, string, number][] = [
      ["a bomb", huge, "image/png", 422],
      ["a header that promises too much", lying, "image/png", 422],
      ["a line", await picture(4000, 1).png().toBuffer(), "image/png", 422],
      ["a banner", await picture(4000, 100).png().toBuffer(), "image/png", 422],
      ["a dot", await picture(1, 1).png().toBuffer(), "image/png", 422],
      ["a cut-off one", noise.subarray(0, noise.length / 2), "image/jpeg", 422],
      ["a header alone", png.subarray(0, 40), "image/png", 422],
      ["nothing", Buffer.alloc(0), "image/png", 422],
      ["SVG that says it is PNG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'), "image/png", 415],
      ["HTML that says it is JPEG", Buffer.from("<script>alert(1)</script>"), "image/jpeg", 415],
      ["SVG", Buffer.from("<svg/>"), "image/svg+xml", 415],
      ["TIFF", await picture(300, 300).tiff().toBuffer(), "image/tiff", 415],
      ["too much", Buffer.alloc(11 * 1024 * 1024), "image/png", 413],
    ];
    for (const [what, body, type, status] of cases) {
      const answer = await put(id, body, type);
      expect([what, answer.status, answer.type]).toEqual([what, status, "application/problem+json"]);
    }
    await get(id, { "If-None-Match": String(headers["etag"]) }).expect(304);
  });

  test("P3: whoever says which photo they have seen replaces or removes no other (RFC 9110 section 13.1)", async () => {
    const id = await door.newPerson();
    const [red, blue] = [await picture(64, 64).png().toBuffer(), await picture(64, 64, "blue").png().toBuffer()];
    const send = (method: string, given: Record<string, string>, body?: Buffer) =>
      door.request(method, `/people/${id}/photo`, { headers: { "Content-Type": "image/png", ...given }, ...(body ? { body } : {}) });
    await send("PUT", { "If-Match": "*" }, red).expect(412);
    await send("PUT", { "If-None-Match": "*" }, red).expect(204);
    await send("PUT", { "If-None-Match": "*" }, blue).expect(412);
    const tag = String((await get(id, { Accept: "image/jpeg" }, "?size=64").expect(200)).headers["etag"]);
    await send("PUT", { "If-Match": tag }, blue).expect(204);
    const { body } = await send("DELETE", { "If-Match": tag }).expect(412);
    expect(body).toMatchObject({ field: "If-Match" });
    const now = String((await get(id).expect(200)).headers["etag"]);
    await send("PUT", { "If-None-Match": now }, red).expect(412);
    await send("DELETE", { "If-Match": `"other", ${now}` }).expect(204);
    await send("DELETE", { "If-Match": now }).expect(412);
    await send("DELETE", {}).expect(404);
  });

  test("P3: a form that there is no photo in is not acceptable", async () => {
    const id = await door.newPerson();
    const answer = await get(id, { Accept: "image/png" }).expect(406);
    expect(JSON.parse(String(answer.body))).toMatchObject({ field: "Accept", code: "not_acceptable" });
  });

  test("P3, P7: people set their own photo; whoever may not see somebody is told nothing", async () => {
    const [id, other] = [await door.newPerson(), await door.newPerson()];
    const token = await door.newToken({ personId: id });
    const body = await picture(100, 100).png().toBuffer();
    const headers = { "Content-Type": "image/png" };
    await door.request("PUT", `/people/${id}/photo`, { body, headers, token }).expect(204);
    await door.request("PUT", `/people/${other}/photo`, { body, headers, token }).expect(404);
    await door.request("GET", `/people/${other}/photo`, { token }).expect(404);
    await door.request("GET", `/people/${id}/photo?size=100`, { token }).expect(422);
  });

  test("the format follows Accept; what no browser shows is known by its first bytes", () => {
    expect(
      [
        undefined,
        "*/*",
        "image/*",
        "image/jpeg",
        "image/webp;q=0.5, image/jpeg",
        "image/jpeg;q=0.5, */*",
        "text/html",
        "image/webp;q=0",
      ].map(acceptedFormat),
    ).toEqual(["webp", "webp", "webp", "jpeg", "jpeg", "webp", undefined, undefined]);
    expect(pictureType(Buffer.from("GIF89b"))).toBeUndefined();
  });
});
