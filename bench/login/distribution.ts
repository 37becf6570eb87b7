/**
 * Two-sample Kolmogorov–Smirnov test: how far two distributions are apart at most, as a share of what would be called a difference
 * at one error in a hundred (1.628 √((n + m) / nm)). Above 1 they are told apart.
 */
export function kolmogorovSmirnov(first: readonly number[], second: readonly number[]): number {
  const [left, right] = [Float64Array.from(first).sort(), Float64Array.from(second).sort()];
  let [i, j, apart] = [0, 0, 0];
  while (i < left.length && j < right.length) {
    const at = Math.min(left[i] ?? 0, right[j] ?? 0);
    while (i < left.length && (left[i] ?? 0) <= at) i += 1;
    while (j < right.length && (right[j] ?? 0) <= at) j += 1;
    apart = Math.max(apart, Math.abs(i / left.length - j / right.length));
  }
  return apart / (1.628 * Math.sqrt((left.length + right.length) / (left.length * right.length)));
}

const DRAWS = 200;

/**
 * What the test would have found: the smallest shift of one distribution against the other, in milliseconds, that at least 95 of a
 * hundred repetitions show. Repetitions are drawn from the times themselves (bootstrap); NaN when none of the shifts is found.
 */
export function detectableShift(times: readonly number[], { each }: { each: number }): number {
  const median = Float64Array.from(times).sort()[Math.floor(times.length / 2)] ?? 0;
  const shifts = [0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].map((share) => share * median);
  const draw = (shift: number) => Array.from({ length: each }, () => (times[Math.floor(Math.random() * times.length)] ?? 0) + shift);
  const found = (shift: number) => {
    let told = 0;
    for (let round = 0; round < DRAWS; round += 1) if (kolmogorovSmirnov(draw(0), draw(shift)) > 1) told += 1;
    return told / DRAWS;
  };
  return shifts.find((shift) => found(shift) >= 0.95) ?? Number.NaN;
}
