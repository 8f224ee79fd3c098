/**
 * What Choreo Connect documents in tables that we read too, and what concerns none of ours: accepted and not used,
 * so that its config.toml works here unchanged.
 */
export const choreoConnectOnly: Readonly<Record<string, readonly string[]>> = {
  '': ['adapter', 'analytics', 'controlPlane', 'globalAdapter', 'tracing'],
  router: [
    'accessLogs',
    'clusterTimeoutInSeconds',
    'connectionTimeout',
    'enforcerResponseTimeoutInSeconds',
    'filters',
    'listenerCodecType',
    'payloadPassingToEnforcer',
    'systemHost',
    'useRemoteAddress',
  ],
  'router.upstream': ['dns', 'health', 'http2', 'retry'],
  'router.upstream.timeouts': ['maxRouteTimeoutInSeconds'],
  enforcer: [
    'apimCredentials',
    'cache',
    'client',
    'filters',
    'jwtIssuer',
    'management',
    'mandateInternalKeyValidation',
    'mandateSubscriptionValidation',
    'restServer',
    'restserver',
    'soap',
    'throttling',
  ],
  'enforcer.authService': ['keepAliveTime', 'maxHeaderLimit', 'threadPool'],
  'enforcer.metrics': ['type'],
  'enforcer.security': ['APIkey', 'apikey', 'internalKey'],
  'enforcer.jwtGenerator': [
    'claimsExtractorImpl',
    'enableUserClaims',
    'gatewayGeneratorImpl',
    'keystore',
    'useKid',
  ],
  'enforcer.security.authHeader': ['tempTestConsoleHeadersMode', 'testConsoleHeadersMode'],
};

/** Tables that nobody but Choreo Connect has: the file is its own, and its tokens are as it issues them. */
export const isChoreoConnectFile = (ignored: readonly string[]): boolean =>
  ignored.some(
    (key) =>
      ['adapter', 'analytics', 'controlPlane', 'globalAdapter'].includes(key) ||
      /^enforcer\.(jwtIssuer|throttling|apimCredentials)$/.test(key),
  );
