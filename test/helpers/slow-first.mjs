import path from "node:path";
import Sequencer from "@jest/test-sequencer";

/** Files that take half a minute and more, most of it in processes of their own; begun last they would keep one worker busy alone. */
const SLOW = /^test\/(bench|demo|e2e)\/|(chaos|crash|dialects|hostile|who-may-call|sftp)\.test\.ts$/;

/** Jest's own order, which where nothing was run before goes by the files' sizes, but the slow ones before all others. */
export default class SlowFirst extends Sequencer {
  async sort(tests) {
    const ordered = await super.sort(tests);
    const isSlow = (test) => SLOW.test(path.relative(test.context.config.rootDir, test.path).replaceAll(path.sep, "/"));
    return [...ordered.filter(isSlow), ...ordered.filter((test) => !isSlow(test))];
  }
}
