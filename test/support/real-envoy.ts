import { EnvoyNotFound, type FoundEnvoy, findEnvoy } from '../../envoy/find-envoy.ts';

/**
 * The Envoy for a test, and why to skip it where there is none. In CI a missing Envoy is a failure.
 *
 * @throws EnvoyNotFound in CI
 */
export async function realEnvoy(): Promise<
  { readonly envoy: FoundEnvoy; readonly skip: false } | { readonly envoy: undefined; readonly skip: string }
> {
  try {
    return { envoy: await findEnvoy((line) => process.stderr.write(`${line}\n`)), skip: false };
  } catch (error) {
    if (!(error instanceof EnvoyNotFound) || process.env.CI) throw error;
    return { envoy: undefined, skip: error.message };
  }
}
