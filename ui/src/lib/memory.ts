// What a browser remembers of how its user likes the page. Nothing of the broker's is kept.

export function recall<T>(name: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(`leveret.${name}`) ?? 'null') as T | null;
  } catch {
    return null;
  }
}

export function remember(name: string, value: unknown) {
  try {
    localStorage.setItem(`leveret.${name}`, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing is as good.
  }
}
