/** HISTORY_SECONDS gives more, for CHAOS_HISTORIES and the like; no test of histories ends before four minutes. */
const SECONDS = Number(process.env["HISTORY_SECONDS"] ?? 60);

/**
 * A property's history that is begun only while there is time, by default for a minute: a busy machine plays fewer, and a failure is
 * told with the smallest history found so far. The first is always played, and so are more until there were `enough`.
 * One that has begun is never abandoned (as fast-check's interruptAfterTimeLimit does): it would go on beneath the tests that follow.
 */
export function whileTimeLasts<Given extends unknown[]>(
  history: (...given: Given) => Promise<void>,
  { seconds = SECONDS, enough = () => true }: { seconds?: number; enough?: () => boolean } = {},
): (...given: Given) => Promise<void> {
  let end: number | undefined;
  let failed = false;
  return async (...given) => {
    end ??= performance.now() + seconds * 1000;
    if (performance.now() > end && (failed || enough())) return;
    try {
      await history(...given);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
}
