// Recall of incidents: how often it reminds of the right ones (planted families, see recall/families.ts), what each half of it would do
// alone, and what it takes with as many incidents as are kept and with 10,000.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteArchive } from "../src/adapters/sqlite/incident-archive.ts";
import {
  FEATURES,
  type Incident,
  type IncidentArchive,
  KnowledgeBase,
  knowledgeDefaults,
} from "../src/healing/index.ts";
import { VectorIndex } from "../src/healing/knowledge/vector-index.ts";
import { wordsOf } from "../src/healing/knowledge/words.ts";
import type { WallMs } from "../src/ports/index.ts";
import { SeededRandom } from "../src/sim/index.ts";
import { type BenchSuite, measureMs, summarize } from "./measure.ts";
import { families, PlantedHost } from "./recall/families.ts";
import { precisionAtFive, type Recall } from "./recall/precision.ts";

const SEEDS = 10;
const MANY = 10_000;

export const suite: BenchSuite = async (report, options) => {
  const ways: Readonly<Record<string, ((archive: IncidentArchive) => Recall) | undefined>> = {
    "as the daemon does": undefined,
    "by numbers alone": byNumbers,
    "by words alone": byWords,
    "by chance": byChance,
  };
  for (const [name, way] of Object.entries(ways)) {
    const samples = Array.from({ length: SEEDS }, (_, seed) =>
      inDirectory((archive) => precisionAtFive(archive, seed + 1, way).atFive),
    );
    report(summarize(`precision at 5 of recall, ${name}`, "share", samples));
  }
  for (const count of [knowledgeDefaults.ownMax, MANY]) {
    const directory = mkdtempSync(join(tmpdir(), "recall-"));
    const archive = new SqliteArchive(directory);
    const base = new KnowledgeBase(archive, 0 as WallMs, { ownMax: count });
    const host = new PlantedHost(SeededRandom.fromSeed(1));
    let turn = 0;
    const next = (): Incident => host.next(families[turn++ % families.length]).incident;
    const vectors = new VectorIndex(FEATURES);
    for (let at = 0; at < count; at++) {
      const incident = next();
      base.record(incident);
      vectors.set(incident.id, incident.features);
    }
    const asked = next();
    const of = `of ${count} incidents`;
    report(await measureMs(`nearest 40 ${of}`, () => vectors.nearest(asked.features, 40), options));
    const words = wordsOf(asked);
    report(
      await measureMs(`best 40 by words ${of}`, () => archive.search(words, 40, "own"), options),
    );
    report(await measureMs(`recall ${of}`, () => base.recall(next()), options));
    report(await measureMs(`record, ${count} kept`, () => base.record(next()), options));
    archive.close();
    rmSync(directory, { recursive: true });
  }
};

function byWords(archive: IncidentArchive): Recall {
  return (incident) => archive.search(wordsOf(incident), 5, "own");
}

function byNumbers(archive: IncidentArchive): Recall {
  return (incident) => {
    const vectors = new VectorIndex(FEATURES);
    for (const past of archive.all()) vectors.set(past.incident.id, past.incident.features);
    return vectors.nearest(incident.features, 5).map(({ id }) => id);
  };
}

function byChance(archive: IncidentArchive): Recall {
  const random = SeededRandom.fromSeed(0);
  return () => random.sample([...archive.all()], 5).map(({ incident }) => incident.id);
}

function inDirectory<T>(use: (archive: IncidentArchive) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "recall-"));
  const archive = new SqliteArchive(directory);
  try {
    return use(archive);
  } finally {
    archive.close();
    rmSync(directory, { recursive: true });
  }
}
