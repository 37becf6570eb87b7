import { createRequire, register } from "node:module";
import { pathToFileURL } from "node:url";
import circus from "jest-circus/runner";
import { endAsyncStores } from "./async-stores.mjs";
import { takeGlobals } from "./globals.mjs";

register("./hooks.mjs", import.meta.url);
process.setSourceMapsEnabled(true);

const require = createRequire(import.meta.url);
let files = 0;

/**
 * Jest's own runner of tests, with modules from Node instead of Jest's sandbox: what the product is made of is loaded once in a
 * worker, as in production, and stays warm; a test file and what else lies under `test` is evaluated anew for each file (hooks.mjs).
 * Of Jest's features this leaves out the ones that live from the sandbox: mocks of modules, `resetModules`, coverage.
 */
// oxlint-disable-next-line import/no-default-export -- Jest loads a runner by its default export
export default async function nativeRunner(globalConfig, config, environment, runtime, testPath, sendMessageToJest) {
  // Jest sets these for its sandbox, in which errors are others; here they would be the product's own.
  Error.prepareStackTrace = undefined;
  Error.stackTraceLimit = 10;
  const file = ++files;
  const modules = {
    requireInternalModule: requireAnew,
    requireModule: require,
    setGlobalsForRuntime: takeGlobals,
    unstable_shouldLoadAsEsm: () => true,
    unstable_importModule: (path) => import(`${pathToFileURL(path)}?file=${file}`),
    enterTestCode: () => runtime.enterTestCode(),
    leaveTestCode: () => runtime.leaveTestCode(),
  };
  try {
    return await circus.default(globalConfig, config, environment, modules, testPath, sendMessageToJest);
  } finally {
    endAsyncStores();
  }
}

/** jest-circus keeps its tree of tests under symbols of `globalThis`, which are a file's own in a sandbox. */
function requireAnew(path) {
  for (const symbol of Object.getOwnPropertySymbols(globalThis))
    if (symbol.description === "JEST_STATE_SYMBOL" || symbol.description === "EVENT_HANDLERS") delete globalThis[symbol];
  delete require.cache[path];
  return require(path);
}
