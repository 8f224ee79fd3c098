import { type Message, typed } from './extension.ts';

/** Which HTTP a cluster speaks. */
export const httpProtocolOptions = (options: Message): Message => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    options,
  ),
});

/** So many requests a client may have open on one connection. */
export const streamsPerConnection = 100;
