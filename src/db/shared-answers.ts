/**
 * One question for all who ask the same: while one is on its way, those who come wait, and the next one is for all of them. So nobody
 * is given an answer that was asked for before he came, and a hundred at once cost two questions.
 */
export interface SharedAnswers<T> {
  /** The answer to what `key` names; `ask` is called when its turn comes, or another's who asks the same. What it throws is thrown to all. */
  of(key: string, ask: () => Promise<T>): Promise<T>;
}

interface Place<T> {
  underWay: Promise<T>;
  next: Promise<T> | undefined;
}

export function createSharedAnswers<T>(): SharedAnswers<T> {
  const places = new Map<string, Place<T>>();

  const begin = (key: string, ask: () => Promise<T>): Promise<T> => {
    const place: Place<T> = { underWay: ask(), next: undefined };
    places.set(key, place);
    const over = () => {
      if (!place.next) places.delete(key);
    };
    place.underWay.then(over, over);
    return place.underWay;
  };

  return {
    of(key, ask) {
      const place = places.get(key);
      if (!place) return begin(key, ask);
      const again = () => begin(key, ask);
      return (place.next ??= place.underWay.then(again, again));
    },
  };
}
