import { createToken } from "../src/auth/tokens.ts";
import { inTransaction } from "../src/db/database.ts";
import { addFromFile, relative } from "./acts.ts";
import type { Cast } from "./cast.ts";
import type { Screen } from "./screen.ts";
import type { World } from "./world.ts";

const EVERY_MINUTE = "* * * * *";

/** Leaves the server running with a schedule, and says how to look around. */
export async function lookAround(world: World, { screen, cast }: { screen: Screen; cast: Cast }): Promise<void> {
  const { ctx, db, server, directory, downstream } = world;
  await addFromFile(world, { file: directory.definitionFile, schedule: EVERY_MINUTE, replace: true });
  const { token } = await inTransaction(db, ctx, (work) =>
    createToken(work, { name: "demo", scope: "scim", expiresAt: new Date(ctx.now().getTime() + 86_400_000) }),
  );
  const rollcall = `ROLLCALL_DATA=${relative(world.folder)} npx rollcall`;
  const { uid } = cast.mover.person;

  screen.heading("Look around: everything is still running");
  screen.facts({ Rollcall: server.url, Application: downstream.url, Directory: `${directory.about}; read every minute from now on` });
  screen.line();
  screen.line(`export TOKEN=${token}`);
  screen.line(`curl -s -H "Authorization: Bearer $TOKEN" '${server.url}/scim/v2/Users?filter=userName%20eq%20%22${uid}%22'`);
  screen.line(`curl -s -H "Authorization: Bearer ${downstream.token}" '${downstream.url}/Users?count=3'`);
  screen.line(`curl -s ${server.url}/metrics`);
  screen.line();
  for (const command of ["connection list", `person show ${uid}`, "plan list", "delivery list", "audit tail"])
    screen.line(`${rollcall} ${command}`);
  screen.line();
  screen.line(`Change something yourself: ${directory.tryIt}`);
  screen.line("Ctrl-C stops everything.");
}
