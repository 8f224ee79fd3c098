/**
 * Whether some object in a JSON text has a member twice: RFC 7515 section 4 and RFC 7519 section 4 forbid it, and parsers
 * differ in which one they take.
 *
 * @param json valid JSON
 */
export function hasRepeatedMember(json: string): boolean {
  /** Names seen in each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (const [piece] of json.matchAll(/"(?:[^"\\]|\\.?)*(?:"|$)|[{}[\],:]/g)) {
    if (piece === '{') open.push(new Set());
    else if (piece === '[') open.push(undefined);
    else if (piece === '}' || piece === ']') open.pop();
    else if (piece.startsWith('"') && isName) {
      const names = open.at(-1);
      const name = JSON.parse(piece) as string;
      if (names?.has(name)) return true;
      names?.add(name);
    }
    isName = piece === '{' || (piece === ',' && open.at(-1) !== undefined);
  }
  return false;
}
