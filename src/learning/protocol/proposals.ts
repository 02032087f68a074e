// What a proposer proposes, and what makes a proposal right. A set follows from the statements it brings; nobody can
// pick updates, only statements, and n - f of them include those of most honest participants.

import { type Holding, setOf } from "./decision.ts";
import type { ProposalContent, ProposalMessage, StatementMessage } from "./messages.ts";
import type { Population } from "./population.ts";
import type { Decision } from "./types.ts";

/** A set to propose, of the first n - f statements: undefined when there are fewer, or nothing follows from them. */
export function freshSet(
  statements: readonly StatementMessage[],
  excluded: readonly number[],
  participants: Population,
): Omit<ProposalContent, "view" | "validView"> | undefined {
  const enough = participants.ids.length - participants.byzantine;
  if (statements.length < enough) return undefined;
  const chosen = statements.slice(0, enough).toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const decision = decide(chosen, excluded, participants);
  if (decision.kind === "void") return undefined;
  return { decision, excluded, statements: chosen.map(({ bytes }) => bytes) };
}

function decide(
  statements: readonly StatementMessage[],
  excluded: readonly number[],
  participants: Population,
): Decision {
  const holdings = statements.map((statement): readonly Holding[] => statement.holdings);
  return setOf(holdings, new Set(excluded), participants);
}

/** Why a proposal can never be voted for, whoever looks and whenever; undefined when it may be. */
export function flawOf(proposal: ProposalMessage, participants: Population): string | undefined {
  const { decision, validView, statements, excluded } = proposal;
  if (validView >= 0 || decision.kind === "void") {
    return statements.length + excluded.length > 0 ? "needless statements" : undefined;
  }
  const { round, previous, task } = proposal;
  const foreign = statements.some(
    (other) =>
      other.round !== round ||
      other.previous !== previous ||
      other.task !== task ||
      participants.indexOf(other.nodeId) === undefined,
  );
  if (foreign) return "statements of elsewhere";
  if (statements.length < participants.ids.length - participants.byzantine) {
    return `${statements.length} statements`;
  }
  const due = decide(statements, excluded, participants);
  return sameDecision(due, decision) ? undefined : "another set than the statements give";
}

function sameDecision(a: Decision, b: Decision): boolean {
  if (a.kind !== "set" || b.kind !== "set") return a.kind === b.kind;
  return (
    a.entries.length === b.entries.length &&
    a.entries.every(({ nodeId, header }, i) => {
      const other = b.entries[i];
      return other?.nodeId === nodeId && other.header === header;
    })
  );
}
