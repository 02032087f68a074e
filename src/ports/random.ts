// Randomness comes in through this port: the operating system's in production, a seed in tests.

/** A source of randomness. The production one is cryptographically secure. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1) with at least 32 random bits; for jitter and sampling, never for keys. */
  fraction(): number;
}
