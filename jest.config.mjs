/** Real PostgreSQL for every test: one embedded cluster for the run, a template database cloned per test file. */
export default {
  testEnvironment: "node",
  // Modules are Node's own, TypeScript included: Jest's sandbox would load the product anew for every file.
  testRunner: "<rootDir>/test/helpers/native/runner.mjs",
  transform: {},
  // Where tests are looked for: Jest would walk through all packages, too.
  roots: ["<rootDir>/test"],
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/data/"],
  globalSetup: "<rootDir>/test/helpers/global-setup.mjs",
  globalTeardown: "<rootDir>/test/helpers/global-teardown.mjs",
  testSequencer: "<rootDir>/test/helpers/slow-first.mjs",
  reporters: ["default", "<rootDir>/scripts/closing-line.mjs"],
  // Two cores; who waits for PostgreSQL or a child process leaves room for a third.
  maxWorkers: 3,
  // A hang is what it ends; a test that takes minutes on a busy machine is none.
  testTimeout: 180_000,
};
