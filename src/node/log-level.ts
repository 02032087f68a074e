// The log level: what the configuration says, or for a while what an operator said since. A restart and a reload end that while.

import type { LogLevel, PinoLogger } from "../adapters/telemetry/pino-logger.ts";

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export class LogLevelSwitch {
  readonly #logger: PinoLogger;
  #configured: LogLevel;
  #level: LogLevel;

  constructor(logger: PinoLogger, configured: LogLevel) {
    this.#logger = logger;
    this.#configured = configured;
    this.#level = configured;
  }

  get level(): LogLevel {
    return this.#level;
  }

  get configured(): LogLevel {
    return this.#configured;
  }

  /** An operator's wish. The log tells of it, at whichever of the two levels shows more. */
  set(level: LogLevel): void {
    const from = this.#level;
    if (level === from) return;
    const louder = rank[level] < rank[from] ? level : from;
    this.#logger.setLevel(louder);
    this.#logger.warn({ from, to: level }, "log level changed by an operator");
    this.#logger.setLevel(level);
    this.#level = level;
  }

  /** What the configuration says now. */
  configure(level: LogLevel): void {
    this.#configured = level;
    this.#level = level;
    this.#logger.setLevel(level);
  }
}
