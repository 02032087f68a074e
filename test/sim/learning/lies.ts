// What a liar among the participants does with each message that its honest machine wants to send.

import type { SeededRandom } from "../../../src/learning/index.ts";
import { setOf } from "../../../src/learning/protocol/decision.ts";
import {
  encodeHeader,
  encodeProposal,
  encodeResult,
  encodeStatement,
  encodeVote,
  type ProposalMessage,
  type RoundMessage,
  type StatementMessage,
} from "../../../src/learning/protocol/messages.ts";
import {
  digestOf,
  type Lie,
  type RoundNetwork,
  sha256,
  type SimulatedNode,
} from "./round-network.ts";

/** Everything that liars know: they share what they see. */
class Knowledge {
  /** Values proposed in each round, and one that nobody proposed. */
  readonly values = new Map<number, Set<string>>();
  readonly statements = new Map<number, StatementMessage[]>();

  learn(message: RoundMessage): void {
    if (message.kind === "proposal") this.valuesOf(message.round).add(message.value);
    if (message.kind !== "statement") return;
    const known = this.statements.get(message.round) ?? [];
    known.push(message);
    this.statements.set(message.round, known);
  }

  valuesOf(round: number): Set<string> {
    const known = this.values.get(round) ?? new Set([digestOf("nobody's value")]);
    this.values.set(round, known);
    return known;
  }
}

/** Liars that do all of it, at random; `network` is there once the first message is sent. */
export function manyLies(network: () => RoundNetwork): {
  lie: Lie;
  learn: (m: RoundMessage) => void;
} {
  const knowledge = new Knowledge();
  return {
    learn: (message) => knowledge.learn(message),
    lie: (message, bytes, liar) => lieAbout(network(), knowledge, message, bytes, liar),
  };
}

function lieAbout(
  network: RoundNetwork,
  knowledge: Knowledge,
  message: RoundMessage,
  bytes: Uint8Array,
  liar: SimulatedNode,
): [number, Uint8Array][] {
  const { random, nodes } = network;
  const others = nodes.filter((node) => node !== liar).map(({ index }) => index);
  const mood = random.below(6);
  if (mood === 0) return [];
  if (mood === 1) return others.map((to) => [to, bytes]);
  const alternatives = [bytes, ...lies(network, knowledge, message, liar)];
  const sent = others.map((to): [number, Uint8Array] => [to, pick(random, alternatives)]);
  if (mood === 2) sent.push([pick(random, others), pick(random, network.past)]);
  // To some both, at once: what makes a proof.
  if (mood === 3)
    sent.push(...others.map((to): [number, Uint8Array] => [to, pick(random, alternatives)]));
  return sent;
}

function pick<Item>(random: SeededRandom, items: readonly Item[]): Item {
  return items[random.below(items.length)] as Item;
}

function lies(
  network: RoundNetwork,
  knowledge: Knowledge,
  message: RoundMessage,
  { signer, disk }: SimulatedNode,
): Uint8Array[] {
  const { random } = network;
  switch (message.kind) {
    case "header": {
      if (random.below(3) === 0) disk.updates.delete(message.header.digest);
      const update = digestOf("twin", message.header.update);
      const twin = encodeHeader(signer, message, { ...message.header, update });
      const wrongBase = encodeHeader(signer, message, { ...message.header, baseModel: update });
      return [twin, wrongBase];
    }
    case "statement": {
      const all = network.participants.ids.map((_, index) => ({
        index,
        age: 0,
        header: digestOf("nobody's header", String(index)),
      }));
      return [encodeStatement(signer, message, []), encodeStatement(signer, message, all)];
    }
    case "proposal":
      return proposals(network, knowledge, message, signer);
    case "prevote":
    case "precommit": {
      const { kind, view, round } = message;
      const values = [undefined, ...knowledge.valuesOf(round)];
      return values.map((value) => encodeVote(signer, message, { kind, view, value }));
    }
    case "result": {
      const result = { ...message.result, model: digestOf("wrong model") };
      return [encodeResult(signer, message, { ...message, result })];
    }
  }
}

/** Other sets that statements give, a set that they do not give, void, and a quorum that never was. */
function proposals(
  network: RoundNetwork,
  knowledge: Knowledge,
  message: ProposalMessage,
  signer: SimulatedNode["signer"],
): Uint8Array[] {
  const { participants, random } = network;
  const { view, decision } = message;
  const encode = (content: Omit<Parameters<typeof encodeProposal>[2], "view">) => {
    const bytes = encodeProposal(signer, message, { ...content, view }, participants, sha256);
    const decoded = network.decode(bytes);
    if (decoded !== undefined) knowledge.learn(decoded);
    return bytes;
  };
  const none = { validView: -1, excluded: [], statements: [] };
  const made = [encode({ ...none, decision: { kind: "void" } })];
  if (view > 0) made.push(encode({ ...none, validView: view - 1, decision }));
  if (decision.kind === "set" && decision.entries.length > 1) {
    const picked = { kind: "set", entries: decision.entries.slice(1) } as const;
    const statements = message.statements.map(({ bytes }) => bytes);
    made.push(encode({ ...none, decision: picked, statements }));
  }
  const known = knowledge.statements.get(message.round) ?? [];
  for (let i = 0; i < 2; i++) {
    const chosen = new Map<string, StatementMessage>();
    const order = random.shuffle(known.map((_, index) => index));
    for (const index of order) {
      const statement = known[index] as StatementMessage;
      if (statement.previous === message.previous) chosen.set(statement.nodeId, statement);
    }
    const enough = participants.ids.length - participants.byzantine;
    const sorted = [...chosen.values()]
      .slice(0, enough)
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const set = setOf(
      sorted.map(({ holdings }) => holdings),
      new Set(),
      participants,
    );
    if (set.kind === "void") continue;
    made.push(encode({ ...none, decision: set, statements: sorted.map(({ bytes }) => bytes) }));
  }
  return made;
}
