// What a node remembers and what it is reminded of; over both archives, memory and SQLite.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SqliteArchive } from "../../../src/adapters/sqlite/incident-archive.ts";
import {
  type ActionOutcome,
  type IncidentArchive,
  INCIDENT_SIMILAR_MAX,
  KnowledgeBase,
  type KnowledgeOptions,
  MemoryArchive,
  type TakenAction,
} from "../../../src/healing/index.ts";
import { features, incident, wall } from "./incidents.ts";

const NODE = "ab".repeat(32);
const OTHER = "cd".repeat(32);

function memory(): { archive: IncidentArchive; end: () => void } {
  return { archive: new MemoryArchive(), end: () => undefined };
}

function sqlite(): { archive: IncidentArchive; end: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "incidents-"));
  const archive = new SqliteArchive(directory);
  const end = (): void => {
    archive.close();
    rmSync(directory, { recursive: true });
  };
  return { archive, end };
}

for (const [name, open] of Object.entries({ memory, sqlite })) {
  describe(`knowledge in ${name}`, () => {
    const check = (
      title: string,
      run: (base: KnowledgeBase, archive: IncidentArchive) => void,
      options: Partial<KnowledgeOptions> = {},
    ): void => {
      test(title, () => {
        const { archive, end } = open();
        try {
          run(new KnowledgeBase(archive, wall(1_000), options), archive);
        } finally {
          end();
        }
      });
    };

    check("an incident comes back whole, and its new state takes the place of the old", (base) => {
      const opened = incident("a", "mesh/isolated", {
        outcome: "open",
        features: features(0.25, 1),
      });
      base.record(opened);
      assert.deepEqual(base.find("a"), opened);
      base.record({ ...opened, outcome: "mended" });
      assert.equal(base.find("a")?.outcome, "mended");
      assert.equal(base.list(10).length, 1);
    });

    check("the newest come first in the list, and others' never", (base) => {
      for (const id of ["a", "b", "c"]) base.record(incident(id));
      base.hear(NODE, incident("x"));
      assert.deepEqual(
        base.list(2).map(({ id }) => id),
        ["c", "b"],
      );
      assert.equal(base.list(10).length, 3);
    });

    check(
      "what looks alike is recalled, the most alike first, and never itself or an open one",
      (base) => {
        base.record(
          incident("far", "node/clock-stepped", { features: features(0, 0, 0, 1, 1, 1) }),
        );
        base.record(incident("near", "mesh/isolated", { features: features(0.6) }));
        base.record(incident("same", "mesh/isolated"));
        base.record(incident("open", "mesh/isolated", { outcome: "open" }));
        const now = incident("now", "mesh/isolated", { outcome: "open" });
        base.record(now);
        const similar = base.recall(now);
        assert.deepEqual(
          similar.map(({ id }) => id),
          ["same", "near"],
        );
        assert.equal(similar[0]?.similarity, 1);
      },
    );

    check("at most five are recalled", (base) => {
      for (let at = 0; at < 9; at++) base.record(incident(`past-${at}`));
      assert.equal(base.recall(incident("now")).length, INCIDENT_SIMILAR_MAX);
    });

    check("the same peer is remembered, though the numbers are another incident's", (base) => {
      const about = (id: string, subject: string, value: number): void => {
        const seen = { code: "mesh/peer-unreachable", severity: "info", subject } as const;
        const symptoms = [{ ...seen, firstSeenMs: wall(1), evidence: [] }];
        const cause = { code: seen.code, subject, why: "" };
        base.record(incident(id, seen.code, { symptoms, cause, features: features(value) }));
      };
      for (let at = 0; at < 8; at++) about(`other-${at}`, OTHER, 0.5);
      about("known", NODE, 0.4);
      about("now", NODE, 0.5);
      const [now] = base.list(1);
      assert.ok(now !== undefined);
      assert.ok(base.recall(now).some(({ id }) => id === "known"));
    });

    check(
      "a node that tells of many has one place among the similar, below own experience",
      (base) => {
        for (let at = 0; at < 20; at++) base.hear(NODE, incident(`lie-${at}`));
        base.hear(OTHER, incident("word"));
        base.record(incident("own", "mesh/isolated", { features: features(0.7) }));
        const similar = base.recall(incident("now"));
        assert.deepEqual(
          similar.map(({ node }) => node ?? "own").sort(),
          [NODE, OTHER, "own"].sort(),
        );
        assert.equal(similar[0]?.id, "own");
        assert.ok(similar.every(({ node, similarity }) => node === undefined || similarity <= 0.5));
      },
    );

    check(
      "hearsay neither harms a playbook's name, nor repeats itself, nor speaks of what was tried here",
      (base) => {
        const did = (playbook: string, outcome: ActionOutcome): TakenAction => ({
          ...{ playbook, action: "rejoin", level: "act", startedMs: wall(1), outcome, reason: "" },
        });
        base.record(incident("own", "mesh/isolated", { actions: [did("tried", "no-effect")] }));
        const lies = [did("tried", "mended"), did("good", "worse"), did("good", "worse")];
        base.hear(NODE, incident("lie", "mesh/isolated", { actions: lies }));
        const [, heard] = base.recall(incident("now"));
        assert.equal(heard?.node, NODE);
        assert.deepEqual(heard.actions, [
          { playbook: "good", action: "rejoin", outcome: "no-effect" },
        ]);
      },
    );

    check("three nodes' words have two places", (base) => {
      for (const digit of ["1", "2", "3"]) base.hear(digit.repeat(64), incident("word"));
      assert.equal(base.recall(incident("now")).length, 2);
    });

    check("another node's word takes no own incident's place, whatever id it tells", (base) => {
      base.record(incident("mine"));
      base.hear(NODE, incident("mine", "node/slow"));
      assert.equal(base.find("mine")?.cause.code, "mesh/isolated");
      assert.equal(base.find(`${NODE.slice(0, 16)}:mine`)?.cause.code, "node/slow");
    });

    check(
      "as many as the limit are kept, one more costs the oldest",
      (base) => {
        for (const id of ["a", "b", "c"]) base.record(incident(id));
        assert.notEqual(base.find("a"), undefined);
        base.record(incident("d"));
        assert.equal(base.find("a"), undefined);
        assert.equal(base.list(10).length, 3);
        assert.ok(!base.recall(incident("now")).some(({ id }) => id === "a"));
      },
      { ownMax: 3 },
    );

    check(
      "others' incidents are bounded in sum and by node, and cost no own one",
      (base, archive) => {
        base.record(incident("own"));
        for (let at = 0; at < 5; at++) base.hear(NODE, incident(`n-${at}`));
        assert.equal([...archive.all()].filter(({ node }) => node === NODE).length, 3);
        for (let at = 0; at < 5; at++) base.hear(OTHER, incident(`o-${at}`));
        assert.equal([...archive.all()].length, 1 + 4);
        assert.notEqual(base.find("own"), undefined);
      },
      { othersMax: 4, othersPerNodeMax: 3 },
    );

    test("what an earlier run left open is unmended, and what is too old is forgotten", () => {
      const { archive, end } = open();
      try {
        const first = new KnowledgeBase(archive, wall(0));
        first.record(incident("old", "mesh/isolated", { openedAtMs: wall(99) }));
        first.record(incident("kept", "mesh/isolated", { openedAtMs: wall(100) }));
        const { closedAtMs: _, ...open } = incident("open", "mesh/isolated", { outcome: "open" });
        first.record(open);
        const second = new KnowledgeBase(archive, wall(10_100), { retentionMs: 10_000 });
        assert.equal(second.find("old"), undefined);
        assert.notEqual(second.find("kept"), undefined);
        assert.equal(second.find("open")?.outcome, "unmended");
        assert.deepEqual(
          new Set(second.recall(incident("now")).map(({ id }) => id)),
          new Set(["open", "kept"]),
        );
      } finally {
        end();
      }
    });
  });
}
