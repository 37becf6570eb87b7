/** Takes a turn after so many, so that others get theirs. */
const A_TURN = 200;

/** Makes something of each of many thousands, one after the other, and gives way to others in between. */
export async function inTurns<Given, Made>(given: readonly Given[], make: (each: Given) => Made): Promise<Made[]> {
  const made: Made[] = [];
  for (const [index, each] of given.entries()) {
    made.push(make(each));
    if (index % A_TURN === A_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return made;
}
