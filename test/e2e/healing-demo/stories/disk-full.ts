// A disk that another program fills: the node gives back what its database does not need, and says so.

import { statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { doneText } from "./partition.ts";
import { cedar, type Story } from "./story.ts";

const BALLAST_BYTES = 4 * 1024 * 1024;
const LEFT_SHARE = 0.03;
const CAUSE = "node/disk-filling";

export const diskFull: Story = {
  name: "disk",
  title: "another program fills the disk",
  async tell(stage) {
    const state = stage.mesh.stateOf(cedar);
    await stage.mesh.kill(cedar);
    bloat(state);
    stage.mesh.boot(cedar);
    await stage.whole();
    stage.fault(
      "another program fills cedar's disk; a third of cedar's state are rows deleted long ago",
    );
    fill(state);
    stage.saw(`${free(state)} of the disk are free`);
    const { id } = await stage.incident(cedar, CAUSE, "to see it");
    stage.saw("cedar: the disk of state_dir runs full");
    const { actions } = await stage.incident(
      cedar,
      CAUSE,
      "to mend it",
      (one) => one.actions.at(-1)?.outcome === "mended",
    );
    const wholeMs = await stage.whole();
    stage.saw(`${free(state)} of the disk are free`);
    await stage.meshctl(cedar, "incidents", "explain", id);
    return { cause: CAUSE, did: doneText(actions), wholeMs };
  },
};

/** Rows that were deleted: a database keeps their pages, and gives none of them back by itself. */
function bloat(state: string): void {
  const database = new DatabaseSync(join(state, "meshd.sqlite"));
  database.exec("PRAGMA journal_mode = WAL");
  database.prepare("INSERT INTO facts VALUES ('ballast', ?)").run("b".repeat(BALLAST_BYTES));
  database.exec("DELETE FROM facts WHERE name = 'ballast'; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

function fill(state: string): void {
  const { bavail, bsize, blocks } = statfsSync(state);
  const bytes = Math.floor((bavail - LEFT_SHARE * blocks) * bsize);
  writeFileSync(join(state, "of-another-program"), new Uint8Array(bytes));
}

function free(state: string): string {
  const { bavail, blocks } = statfsSync(state);
  return `${((100 * bavail) / blocks).toFixed(1)} %`;
}
