import { writeRateLimitConfig } from '../envoy-config/ratelimit-service.ts';
import { type Command, configOf, configOption, say } from './command.ts';
import { load } from './load.ts';

export const rateLimitConfig: Command = {
  usage: '[--config FILE]',
  summary: 'print what the rate limit service counts',
  help: `mtls-enforcer ratelimit-config [--config FILE]

Prints the configuration of envoyproxy/ratelimit, made from [[tiers]] of the same file, for Envoys that share their
limits ([router.rateLimit] service). The service reads it again by itself when the file changes.

  mtls-enforcer ratelimit-config --config config.toml > $RUNTIME_ROOT/$RUNTIME_SUBDIRECTORY/config/mtls-enforcer.yaml
`,
  options: configOption,
  run: async (values) => {
    const loaded = await load(configOf(values));
    return typeof loaded === 'number' ? loaded : say(writeRateLimitConfig(loaded.tiers));
  },
};
