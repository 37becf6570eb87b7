// A process of its own that starts the embedded PostgreSQL of FOLDER, says that it begins, and may be killed at any moment.
// node embedded-child.mjs FOLDER
const [folder] = process.argv.slice(2);
const { startEmbeddedPostgres } = await import("../../dist/src/db/embedded.js");

process.stdout.write("here\n");
const { release } = await startEmbeddedPostgres({ folder, settings: ["fsync=off"] });
await release();
