import { expect, test } from "@jest/globals";
import { saidNothing } from "../../src/db/contention.ts";
import { openDatabase } from "../../src/db/database.ts";
import { cuttable } from "../access/snapshot/cuttable.ts";
import { testDatabase } from "../helpers/database.ts";

test("a database whose host is gone without a word is given up after a while, and found again when it is back", async () => {
  const behind = await testDatabase();
  const way = await cuttable(behind.url);
  const db = openDatabase({ url: way.url });
  try {
    const ask = () => db.keyedReads.query<{ one: number }>({ text: "select $1::int as one", values: [1] });
    expect(await ask()).toEqual([{ one: 1 }]);
    way.silence();
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(saidNothing(error)).toBe(true);
    way.mend();
    expect(await ask()).toEqual([{ one: 1 }]);
  } finally {
    await db.close();
    await way.close();
    await behind.drop();
  }
}, 30_000);
