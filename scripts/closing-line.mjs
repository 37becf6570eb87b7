/** The last line of a test run, for those who read only that: `N passed, N failed`. */
// oxlint-disable-next-line import/no-default-export -- Jest loads a reporter by its default export
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    process.once("exit", () => process.stdout.write(`\n${results.numPassedTests} passed, ${failed} failed\n`));
  }
}
