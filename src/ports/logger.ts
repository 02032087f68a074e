// Logging comes in through this port.

/** Plain fields of a log line. Never secrets; nothing from the network as free text at info or above. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A structured logger: a constant message plus fields. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
