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
    'jwtGenerator',
    'jwtIssuer',
    'management',
    'mandateInternalKeyValidation',
    'mandateSubscriptionValidation',
    'metrics',
    'restServer',
    'restserver',
    'soap',
    'throttling',
  ],
  'enforcer.authService': ['keepAliveTime', 'maxHeaderLimit', 'threadPool'],
  'enforcer.security': ['APIkey', 'apikey', 'authHeader', 'internalKey', 'tokenService'],
};
