import { type Decision, denials } from '../decision.ts';
import { inert, type Paper, wrapped } from '../observability/paper.ts';
import type { Change, CodeMeaning, Explanation } from './explanation.ts';
import type { Logged } from './logged.ts';
import type { Stage } from './stage.ts';

export function explanationText({ decision, stages, change }: Explanation, paper: Paper): string {
  const column = Math.max(...stages.map(({ name }) => name.length)) + 4;
  const lines = [
    ...headText(decision, paper),
    '',
    ...stages.flatMap((stage) => stageText(stage, column, paper)),
    ...(change === undefined ? [] : ['', ...changeText(change, paper)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function headText(decision: Decision, paper: Paper): readonly string[] {
  const { paint } = paper;
  if (decision.outcome === 'allow') {
    const { client, token } = decision;
    const who = client === undefined ? 'without a certificate' : `as ${JSON.stringify(client.alias)}`;
    const more = token === undefined ? '' : `, with a token of ${JSON.stringify(token.issuer.name)}`;
    return [paint('good', 'admitted') + inert(` ${who}${more}`)];
  }
  const { status, number, sentence } = denials[decision.code];
  return [
    `${paint('bad', 'denied')}: ${paint('strong', decision.code)} (HTTP ${status}, ${number})`,
    ...wrapped(sentence, { indent: '', paper }),
  ];
}

const marks = { passed: 'ok', refused: 'NO', told: '  ' } as const;
const styles = { passed: 'good', refused: 'bad', told: 'quiet' } as const;

function stageText({ name, result, lines }: Stage, column: number, paper: Paper): readonly string[] {
  const indent = ' '.repeat(column);
  const [first = '', ...rest] = lines.flatMap((line) => wrapped(line, { indent, paper }));
  const mark = paper.paint(styles[result], marks[result]);
  const label = `${mark} ${paper.paint('quiet', name.padEnd(column - 3))}`;
  return [label + first.slice(column), ...rest];
}

const turns: Readonly<Record<Change['turn'], string>> = {
  client: 'for the client',
  sender: 'for whoever passes the certificate on',
  operator: 'for you, the operator',
};

function changeText({ turn, text, toml }: Change, paper: Paper): readonly string[] {
  return [
    `${paper.paint('strong', 'What to change')}, ${turns[turn]}:`,
    ...wrapped(text, { indent: '  ', paper }),
    // As they are: they are to be copied.
    ...(toml.length === 0 ? [] : ['', ...toml.map((line) => inert(line === '' ? '' : `    ${line}`))]),
  ];
}

export function meaningText(
  { code, status, number, level, sentence, remedy }: CodeMeaning,
  paper: Paper,
): string {
  const lines = [
    `${paper.paint('strong', code)} (HTTP ${status}, ${number}, logged as ${level})`,
    ...wrapped(sentence, { indent: '', paper }),
    '',
    ...changeText({ ...remedy, toml: [] }, paper),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** What was decided then, above what is decided now. */
export function loggedText({ time, outcome, reason, detail, alias, clientId }: Logged, paper: Paper): string {
  const who = [alias && `as "${alias}"`, clientId && `token of client "${clientId}"`]
    .filter(Boolean)
    .join(', ');
  const said =
    outcome === 'allow' ? ['admitted', who].join(' ') : ['denied', reason, detail].filter(Boolean).join(': ');
  const lines = wrapped(`logged${time === undefined ? '' : ` at ${time}`}: ${said.trim()}`, {
    indent: '',
    paper,
  });
  return [...lines, paper.paint('quiet', 'again, by the configuration as it is now:'), '', ''].join('\n');
}
