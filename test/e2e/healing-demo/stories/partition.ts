// One node is cut off: it alone has a reason to act, and what it tries first in vain mends it when there is a way again.

import { ash, elm, type Story } from "./story.ts";

const APART_MS = 20_000;

export const partition: Story = {
  name: "partition",
  title: "a node is cut off",
  async tell(stage) {
    const { fabric } = stage.mesh.namespaces;
    stage.fault("elm is cut off from all others: frames vanish, connections hang");
    await fabric.partition([elm]);
    const { id } = await stage.incident(elm, "mesh/isolated", "to see that it is alone");
    stage.saw("elm: no peer is connected");
    await stage.incident(elm, "mesh/isolated", "to try something", (one) => one.actions.length > 0);
    stage.saw("elm dials every address that it knows");
    await stage.pause(Math.max(1_000, APART_MS - stage.elapsedMs), "twenty seconds to be over");
    stage.fault("the cut is over");
    await fabric.partition([]);
    const wholeMs = await stage.whole();
    stage.saw("whole again");
    const { actions, cause } = await stage.incident(
      elm,
      "mesh/isolated",
      "to close the incident",
      ({ outcome }) => outcome !== "open",
    );
    await stage.meshctl(elm, "incidents", "explain", id);
    await stage.meshctl(ash, "incidents", "list");
    return { cause: cause.code, did: doneText(actions), wholeMs };
  },
};

/** "rejoin: no-effect, rejoin: mended" */
export function doneText(
  actions: readonly { readonly action: string; readonly outcome: string }[],
): string {
  return actions.map(({ action, outcome }) => `${action}: ${outcome}`).join(", ") || "nothing";
}
