/** One question on the way to a decision, and what came of it. */
export type Stage = {
  readonly name: string;
  /** refused: the decision ended here. */
  readonly result: 'passed' | 'refused' | 'told';
  readonly lines: readonly string[];
};

const stage =
  (result: Stage['result']) =>
  (name: string, ...lines: readonly string[]): Stage => ({ name, result, lines });

export const told = stage('told');
export const passed = stage('passed');
export const refused = stage('refused');
