/** Levenshtein's, and two neighbours that changed places are one slip (Damerau). */
export function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          row[j]! + 1,
          next[j - 1]! + 1,
          row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
          isSwapped ? before[j - 2]! + 1 : Infinity,
        ),
      );
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}

/**
 * The one of `names` that `name` can only be a slip of: it differs by case, blanks, dots, hyphens or by letters that only
 * look the same, or by a letter or two. In a file of another system an unknown key is nothing to us, and one like this
 * may have closed something.
 */
export function slipOf<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
  const plain = plainOf(name.slice(0, 200));
  return names.find((candidate) => {
    const meant = plainOf(candidate);
    const allowed = meant.length < 4 ? 0 : meant.length < 8 ? 1 : 2;
    // So far apart in length, they need no looking at.
    return Math.abs(plain.length - meant.length) <= allowed && editDistance(plain, meant) <= allowed;
  });
}

/** Cyrillic and Greek letters, and the Latin ones that they are taken for. */
const [alike, latin] = ['авеһіјкмнорѕтухԁԛԝαεικνορτυχ', 'abehijkmhopstyxdqwaeikvoptux'];

/** Full-width forms, accents and what is not seen, too. */
const plainOf = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\s_.\-\p{M}\p{C}]/gu, '')
    .replaceAll(/[\u0370-\u052f]/g, (letter) => latin[alike.indexOf(letter)] ?? letter);
