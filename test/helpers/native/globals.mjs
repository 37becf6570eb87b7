/** What `@jest/globals` is in a test that Node loads (hooks.mjs): the functions of the file that runs, which the runner hands over. */
export let afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test;

export function takeGlobals(globals) {
  ({ afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } = globals);
}
