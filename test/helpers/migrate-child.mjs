// A process of its own that migrates the database at URL, says that it begins, and may be killed at any moment.
// node migrate-child.mjs URL
const [url] = process.argv.slice(2);
const { migrate } = await import("../../dist/src/db/migrate.js");

process.stdout.write("here\n");
await migrate(url);
