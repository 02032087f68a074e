// A training thread that leaks: the part alone is started anew, and its task goes on from the disk.

import { doneText } from "./partition.ts";
import { ash, fir, type Story } from "./story.ts";

const LEAK = { leakMebibytes: 440, perSecond: 2 };
const CAUSE = "node/memory-growing";

export const leak: Story = {
  name: "leak",
  title: "a training thread leaks memory",
  async tell(stage) {
    const participants = ["ash", "birch", "fir"];
    await stage.client(ash).flRun({
      task: {
        ...{ name: "demonstration", seed: 1, rounds: 1_000, byzantine: 0, participants },
        ...{ model: { kind: "softmax" }, data: { kind: "glyphs", dirichletAlpha: 1 } },
        ...{ aggregator: "mean", attack: "none", compression: { kind: "none" } },
        orchestrator: { kind: "epidemic" },
      },
    });
    const round = async (): Promise<number> =>
      (await stage.client(fir).flStatus()).learning?.round ?? 0;
    await stage.until("fir to train", async () => (await round()) > 1);
    stage.fault(
      "fir's training thread keeps 440 MiB that it needs no more, and 2 MiB more each second",
    );
    stage.mesh.tell(fir, LEAK);
    const { id } = await stage.incident(fir, CAUSE, "to see it");
    stage.saw("fir: memory grows towards its limit");
    const { actions } = await stage.incident(
      fir,
      CAUSE,
      "to mend it",
      (one) => one.actions.at(-1)?.outcome === "mended",
    );
    const wholeMs = await stage.whole();
    stage.saw("the thread was started anew, and only the thread");
    const before = await round();
    await stage.until("training to go on", async () => (await round()) > before);
    await stage.meshctl(fir, "incidents", "explain", id);
    await stage.client(ash).flStop();
    return { cause: CAUSE, did: doneText(actions), wholeMs };
  },
};
