// What this node has come to think of each participant, out of the rounds that it computed and the proofs that it holds. Nothing of
// it is kept: the reports on disk are enough to say it again.

import {
  ByzantineDetector,
  type Contribution,
  decodeRoundProof,
  type RoundReport,
  type Standing,
  type TaskManifest,
} from "../../learning/index.ts";

/** What an older daemon kept has shares only. */
function isExplained({ contributors }: RoundReport): boolean {
  const known: readonly Partial<Contribution>[] = contributors;
  return known.length > 0 && known.every(({ cosine }) => cosine !== undefined);
}

/**
 * By node id, after these rounds.
 * @param proofs that participants contradicted themselves; those of later rounds are left out
 */
export function standingsAfter(
  { participants }: Pick<TaskManifest, "participants">,
  reports: readonly RoundReport[],
  proofs: readonly Uint8Array[],
): ReadonlyMap<string, Standing> {
  const detector = new ByzantineDetector(participants);
  // Who took the result of others knows nothing of that round.
  for (const { contributors } of reports.filter(isExplained)) {
    detector.observe(
      contributors.map(({ nodeId }) => nodeId),
      {
        votes: contributors.map(({ votes }) => votes),
        clip: contributors.map(({ clip }) => clip),
        distances: contributors.map(({ distance }) => distance),
        cosines: contributors.map(({ cosine }) => cosine),
      },
    );
  }
  const newest = reports.at(-1)?.round ?? 0;
  for (const proof of proofs) {
    const decoded = decodeRoundProof(proof);
    if (!decoded.ok || decoded.value.round > newest) continue;
    detector.prove(decoded.value.nodeId, "equivocation", decoded.value.round);
  }
  return new Map(detector.standings().map((standing) => [standing.nodeId, standing]));
}
