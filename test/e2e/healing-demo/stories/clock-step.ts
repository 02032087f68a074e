// A wall clock that jumps by more than an SVID's life: all certificates look expired, the own and those of others. The cause is
// the clock, and nothing that a node can do to its identity helps; its host's clock has to be set right.

import { doneText } from "./partition.ts";
import { birch, type Story } from "./story.ts";

const STEP_HOURS = 26;
const CAUSE = "node/clock-stepped";
const IN_VAIN: ReadonlySet<string> = new Set(["failed", "no-effect"]);

export const clockStep: Story = {
  name: "clock",
  title: "a wall clock jumps a day ahead",
  async tell(stage) {
    stage.fault(`birch's wall clock jumps ${STEP_HOURS} hours ahead; its SVID is good for 24`);
    stage.mesh.tell(birch, { stepMs: STEP_HOURS * 3_600_000 });
    const { id } = await stage.incident(birch, CAUSE, "to see the step");
    stage.saw("birch: the wall clock stepped");
    await stage.incident(birch, CAUSE, "to part from its peers", ({ symptoms }) =>
      symptoms.some(({ code }) => code === "mesh/isolated"),
    );
    stage.saw("birch: no peer is connected, every certificate looks expired");
    await stage.incident(
      birch,
      CAUSE,
      "to have tried in vain",
      ({ actions }) => actions.filter(({ outcome }) => IN_VAIN.has(outcome)).length >= 2,
    );
    stage.saw("birch has tried what it knows, in vain: a clock is its host's to mend");
    stage.fault("the clock is set right again");
    stage.mesh.tell(birch, { stepMs: 0 });
    const wholeMs = await stage.whole();
    stage.saw("whole again");
    await stage.meshctl(birch, "incidents", "explain", id);
    const { actions } = await stage.incident(birch, CAUSE, "to tell what was done");
    return { cause: CAUSE, did: doneText(actions), wholeMs };
  },
};
