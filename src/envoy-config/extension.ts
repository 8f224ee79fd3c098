/** A message of Envoy's configuration, as its YAML has it. */
export type Message = { readonly [field: string]: unknown };

const prefix = 'type.googleapis.com/';

/** A message where Envoy takes one of any type: its type is written into it. */
export const typed = (type: string, fields: Message = {}): Message => ({ '@type': prefix + type, ...fields });

/** An extension of Envoy, by its name. */
export const extension = (name: string, type: string, fields?: Message): Message => ({
  name,
  typed_config: typed(type, fields),
});

export const seconds = (count: number): string => `${count}s`;

export const socketAddress = (address: string, port: number): Message => ({
  socket_address: { address, port_value: port },
});
