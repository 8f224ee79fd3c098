import { stringify } from 'yaml';
import type { Message } from './extension.ts';

/** Without anchors. */
export const asYaml = (message: Message): string =>
  stringify(message, {
    aliasDuplicateObjects: false,
    lineWidth: 0,
    // Envoy reads YAML 1.1, where a bare `off` or `0x10`, as an API may be called, is no text.
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
  });
