// Who has committed to what, which of it is here, and who says to hold it.

import type { ParticipantId } from "../task.ts";
import type { Holding } from "./decision.ts";
import type { HeaderMessage, StatementMessage } from "./messages.ts";
import type { Population } from "./population.ts";
import type { Digest, UpdateHeader } from "./types.ts";

/**
 * New headers taken of one participant in a round: an honest one has the round's own, and the one before when that came late.
 * A flooder is held to the same, and fills no place but its own.
 */
export const HEADERS_PER_ROUND = 2;

/** Ages that a statement can tell. */
const AGES = 256;

interface Held {
  readonly message: HeaderMessage;
  state: "missing" | "here" | "refused";
}

/** Headers of the rounds that updates may be from, and the statements of the round under way. */
export class Holdings {
  readonly #participants: Population;
  /** Oldest first, each a round of its own. None is forgotten while the round lasts in which it may have been stated. */
  readonly #headers = new Map<ParticipantId, Held[]>();
  /** How many came in the round under way. */
  readonly #taken = new Map<ParticipantId, number>();
  readonly #statements = new Map<ParticipantId, StatementMessage>();
  /** Proven to have contradicted themselves. */
  readonly #faulty: ReadonlyMap<ParticipantId, Uint8Array>;

  constructor(participants: Population, faulty: ReadonlyMap<ParticipantId, Uint8Array>) {
    this.#participants = participants;
    this.#faulty = faulty;
  }

  /**
   * A round has begun: forgets statements, and updates of models before that of round `oldest`. Of each participant the newest
   * update that is here stays, and the newest of all.
   */
  advance(oldest: number): void {
    this.#statements.clear();
    this.#taken.clear();
    for (const [nodeId, headers] of this.#headers) {
      const young = headers.filter(({ message }) => message.header.baseRound >= oldest);
      const here = young.findLast(({ state }) => state === "here");
      const kept = young.filter((held, i) => held === here || i === young.length - 1);
      if (kept.length === 0) this.#headers.delete(nodeId);
      else this.#headers.set(nodeId, kept);
    }
  }

  committed(nodeId: ParticipantId, round: number): HeaderMessage | undefined {
    return this.#headers.get(nodeId)?.find(({ message }) => message.round === round)?.message;
  }

  /** Whether a participant has sent all that is taken of it in a round. */
  isFull(nodeId: ParticipantId): boolean {
    return (this.#taken.get(nodeId) ?? 0) >= HEADERS_PER_ROUND;
  }

  /** Takes a verified header into its empty slot. */
  addHeader(message: HeaderMessage): void {
    const { nodeId } = message;
    const headers = [...(this.#headers.get(nodeId) ?? []), { message, state: "missing" } as Held];
    headers.sort((a, b) => a.message.round - b.message.round);
    this.#headers.set(nodeId, headers);
    this.#taken.set(nodeId, (this.#taken.get(nodeId) ?? 0) + 1);
  }

  /** Whether no later header of its author is known. */
  isNewest({ nodeId, digest }: UpdateHeader): boolean {
    return this.#headers.get(nodeId)?.at(-1)?.message.header.digest === digest;
  }

  /** Notes whether an update is here. False when its header is unknown. */
  mark(header: Digest, state: "here" | "refused"): boolean {
    const held = this.#find(header);
    if (held === undefined) return false;
    held.state = state;
    return true;
  }

  header(digest: Digest): UpdateHeader | undefined {
    return this.#find(digest)?.message.header;
  }

  isHere(digest: Digest): boolean {
    return this.#find(digest)?.state === "here";
  }

  /**
   * What this node holds: of each participant the newest sound update that is here. Within a round it only gets more or newer, so
   * the {@link worth} of two statements tells the later one: who is proven faulty is left out by proposals, not here.
   */
  holdings(round: number): Holding[] {
    const holdings: Holding[] = [];
    for (const [index, nodeId] of this.#participants.ids.entries()) {
      const newest = this.#headers.get(nodeId)?.findLast(({ state }) => state === "here")?.message;
      if (newest === undefined) continue;
      holdings.push({ index, age: round - newest.round, header: newest.header.digest });
    }
    return holdings;
  }

  /** The updates that this node holds of participants that nothing is proven against, by their headers. */
  sound(): Digest[] {
    const sound: Digest[] = [];
    for (const [nodeId, headers] of this.#headers) {
      const newest = headers.findLast(({ state }) => state === "here");
      if (newest !== undefined && !this.#faulty.has(nodeId))
        sound.push(newest.message.header.digest);
    }
    return sound;
  }

  /** Updates that are still to be fetched. */
  missing(): UpdateHeader[] {
    const missing: UpdateHeader[] = [];
    for (const [nodeId, headers] of this.#headers) {
      const newest = headers.at(-1);
      if (newest?.state === "missing" && !this.#faulty.has(nodeId)) {
        missing.push(newest.message.header);
      }
    }
    return missing;
  }

  /** The author, and who says to hold it; ascending. */
  holders({ digest, nodeId }: UpdateHeader): ParticipantId[] {
    const holders = new Set([nodeId]);
    for (const { nodeId: holder, holdings } of this.#statements.values()) {
      if (holdings.some(({ header }) => header === digest)) holders.add(holder);
    }
    return [...holders].sort();
  }

  statement(nodeId: ParticipantId): StatementMessage | undefined {
    return this.#statements.get(nodeId);
  }

  /** Whether a statement says more than the participant's last: others change nothing. */
  isNews(statement: StatementMessage): boolean {
    const known = this.#statements.get(statement.nodeId);
    return known === undefined || worth(statement.holdings) > worth(known.holdings);
  }

  /** Takes a verified statement. */
  addStatement(statement: StatementMessage): void {
    if (this.isNews(statement)) this.#statements.set(statement.nodeId, statement);
  }

  /** All statements, those that name most headers that are known here first: made-up ones win nothing. */
  statements(): StatementMessage[] {
    const known = new Set(this.headerMessages().map(({ header }) => header.digest));
    const worth = new Map<StatementMessage, number>();
    for (const statement of this.#statements.values()) {
      worth.set(statement, statement.holdings.filter(({ header }) => known.has(header)).length);
    }
    const worthOf = (statement: StatementMessage) => worth.get(statement) ?? 0;
    return [...worth.keys()].sort(
      (a, b) => worthOf(b) - worthOf(a) || (a.nodeId < b.nodeId ? -1 : 1),
    );
  }

  statementMessages(): Iterable<StatementMessage> {
    return this.#statements.values();
  }

  get statementCount(): number {
    return this.#statements.size;
  }

  /** Of each participant the newest first: who catches up takes no more of them than it needs. */
  headerMessages(): HeaderMessage[] {
    return [...this.#headers.values()].flatMap((held) =>
      held.toReversed().map(({ message }) => message),
    );
  }

  #find(digest: Digest): Held | undefined {
    for (const headers of this.#headers.values()) {
      const held = headers.find(({ message }) => message.header.digest === digest);
      if (held !== undefined) return held;
    }
    return undefined;
  }
}

/** Grows with each update that is added, and with each that a newer one of its author replaces. */
export function worth(holdings: readonly Holding[]): number {
  return holdings.reduce((sum, { age }) => sum + AGES - age, 0);
}
