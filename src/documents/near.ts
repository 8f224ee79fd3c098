/** Levenshtein's. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/**
 * The one of `names` that `name` can only be a slip of: it differs by case, blanks, dots or hyphens, or by a letter or
 * two. In a file of another system an unknown key is nothing to us, and one like this may have closed something.
 */
export function slipOf<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
  const plain = plainOf(name);
  return names.find((candidate) => {
    const meant = plainOf(candidate);
    const allowed = meant.length < 4 ? 0 : meant.length < 8 ? 1 : 2;
    // So far apart in length, they need no looking at.
    return (
      Math.abs(plain.length - meant.length) <= allowed && editDistance(plain.slice(0, 200), meant) <= allowed
    );
  });
}

const plainOf = (name: string): string => name.toLowerCase().replaceAll(/[\s_.-]/g, '');
