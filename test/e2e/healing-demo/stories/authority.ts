// The only issuer is away until every SVID has run out. Nodes go on within the grace that their operators gave them, say for
// how long, and renew as soon as they are answered.

import type { Stage } from "../stage.ts";
import { doneText } from "./partition.ts";
import type { Story } from "./story.ts";

const oak = 0;
const pine = 1;
const members = [pine, 2];
const CAUSE = "identity/renewal-overdue";
const RUNS_OUT_MS = 90_000;
/** A daemon writes down where its peers are every five seconds. */
const KNOWN_MS = 6_000;

export const authority: Story = {
  name: "authority",
  title: "SVIDs of one minute run out while their issuer is away",
  async tell(stage) {
    await stage.pause(KNOWN_MS, "oak to have written down where its peers are");
    stage.fault("oak, the only issuer, loses its power; an SVID is good for 60 s here");
    await stage.mesh.powerLoss(oak);
    const { id } = await stage.incident(pine, CAUSE, "to miss its renewal", undefined, RUNS_OUT_MS);
    stage.saw("pine: the SVID runs out and is not renewed");
    await stage.until(
      "every SVID to have ended",
      () => all(stage, (left) => left < 0),
      RUNS_OUT_MS,
    );
    stage.saw(
      "every SVID has ended; within identity.issuer_grace the members still take one another",
    );
    await stage.meshctl(pine, "peers");
    stage.fault("oak has power again");
    await stage.mesh.powerOn(oak);
    await stage.until("new SVIDs", () => all(stage, (left) => left > 0));
    const wholeMs = await stage.whole();
    stage.saw("every member has a new SVID, and has oak again");
    const { actions } = await stage.incident(
      pine,
      CAUSE,
      "to close the incident",
      ({ outcome }) => outcome !== "open",
    );
    await stage.meshctl(pine, "incidents", "explain", id);
    return { cause: CAUSE, did: doneText(actions), wholeMs };
  },
};

/** Whether it holds for what is left, in ms, of the SVID of every member. */
async function all(stage: Stage, holds: (leftMs: number) => boolean): Promise<boolean> {
  const answers = await Promise.all(members.map((node) => stage.status(node)));
  return answers.every(({ svid }) => holds(Date.parse(svid?.notAfter ?? "") - Date.now()));
}
