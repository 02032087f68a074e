// kill -9 of a node, and no power for a while: one death among five is the mesh's to survive, and nobody's to mend.

import assert from "node:assert/strict";
import { ash, elm, type Story } from "./story.ts";

export const kill: Story = {
  name: "kill",
  title: "a node loses its power",
  async tell(stage) {
    stage.fault("elm's host loses its power: cable dead, kill -9");
    await stage.mesh.powerLoss(elm);
    const others = stage.mesh.names.map((_, node) => node).filter((node) => node !== elm);
    await stage.until("all others to hold elm dead", async () => {
      const views = await Promise.all(others.map((node) => stage.status(node)));
      return views.every(({ peers }) => peers.find(({ name }) => name === "elm")?.state === "dead");
    });
    stage.saw("all four others hold elm dead, and route around it");
    await stage.pause(5_000, "somebody to overreact");
    for (const node of others) {
      const seen = await stage.incidents(node);
      assert.deepEqual(
        seen.flatMap(({ actions }) => actions),
        [],
        `${stage.nameOf(node)} acted`,
      );
    }
    stage.saw(
      "none of them does anything: one of five is not theirs to mend, and what to do is elm's own",
    );
    await stage.meshctl(ash, "heal", "status");
    stage.fault("elm has power again");
    await stage.mesh.powerOn(elm);
    const wholeMs = await stage.whole();
    return { cause: "none on the others", did: "rightly nothing", wholeMs };
  },
};
