import { stringify } from 'yaml';
import { quotedEscapes } from '../observability/paper.ts';
import type { Message } from './extension.ts';

/** Without anchors; on a terminal, too, names of foreign files are nothing but names. */
export const asYaml = (message: Message): string =>
  quotedEscapes(
    stringify(message, {
      aliasDuplicateObjects: false,
      lineWidth: 0,
      // Envoy reads YAML 1.1, where a bare `off` or `0x10`, as an API may be called, is no text.
      defaultStringType: 'QUOTE_DOUBLE',
      defaultKeyType: 'PLAIN',
    }),
  );
