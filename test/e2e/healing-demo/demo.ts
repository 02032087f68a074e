// npm run demo:healing [-- STORY …]: faults on real daemons, each in a network namespace of its own, and what the daemons themselves
// say of them. Every fault is done from outside; nothing here is said that was not read from a daemon. Exit status 0: every
// story ended as it must; 1: one did not, or namespaces are not permitted here; 130: interrupted.

import { Screen } from "../../../src/cli/commands/dev/screen.ts";
import { DaemonMesh } from "../namespaces/daemons.ts";
import { Namespaces } from "../namespaces/namespaces.ts";
import { scenes } from "./scenes.ts";
import { type Ending, Interrupted, Stage } from "./stage.ts";
import type { Scene, Story } from "./stories/story.ts";

interface Told {
  readonly story: Story;
  /** Or why it did not end as it must. */
  readonly ending: Ending | string;
}

const live = process.stdout.isTTY;
const screen = new Screen({
  write: (text) => void process.stdout.write(text),
  live,
  colour: live && !process.env["NO_COLOR"],
});
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(name, () => interrupt.abort());

/** Only what was asked for; all without a name. */
function chosen(names: readonly string[]): Scene[] {
  const isAsked = ({ name }: Story): boolean => names.length === 0 || names.includes(name);
  return scenes
    .map((scene) => ({ ...scene, stories: scene.stories.filter(isAsked) }))
    .filter(({ stories }) => stories.length > 0);
}

async function play(scene: Scene): Promise<Told[]> {
  const { names, options, stories } = scene;
  screen.working(`starting ${names.length} daemons`);
  const mesh = await DaemonMesh.start(names.length, { ...options, names });
  try {
    const stage = new Stage(mesh, screen, interrupt.signal);
    stage.fault(`${names.length} daemons, each in a network namespace: ${names.join(", ")}`);
    await stage.whole();
    stage.saw(`each is connected to all others (${mesh.namespaces.fabric.kind})`);
    const told: Told[] = [];
    for (const story of stories) told.push({ story, ending: await tell(story, stage) });
    return told;
  } finally {
    screen.working("stopping the daemons");
    await mesh.close();
  }
}

async function tell(story: Story, stage: Stage): Promise<Ending | string> {
  screen.line();
  screen.line(screen.paint("1", `── ${story.name}: ${story.title} ${"─".repeat(60)}`.slice(0, 78)));
  try {
    await stage.begin();
    const ending = await story.tell(stage);
    screen.done(`${story.name}: whole again`, ending.wholeMs);
    return ending;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    screen.line(` ${screen.paint("31", "✗")} ${story.name}: ${why}`);
    return why;
  }
}

function conclude(told: readonly Told[]): void {
  screen.line();
  screen.table(
    ["STORY", "CAUSE NAMED", "WHAT WAS DONE", "WHOLE AGAIN"],
    told.map(({ story, ending }) =>
      typeof ending === "string"
        ? [story.name, "did not end as it must", "", "never"]
        : [story.name, ending.cause, ending.did, `${(ending.wholeMs / 1_000).toFixed(1)} s`],
    ),
  );
}

async function main(): Promise<number> {
  const wanted = chosen(process.argv.slice(2));
  if (wanted.length === 0) {
    const known = scenes.flatMap(({ stories }) => stories.map(({ name }) => name));
    console.error(`There is no such story; there are: ${known.join(", ")}. [demo/unknown-story]`);
    return 2;
  }
  const missing = await Namespaces.missing();
  if (missing !== undefined) {
    console.error(
      `The demonstration cannot run here: ${missing}. Run it as root on such a host. [demo/no-namespaces]`,
    );
    return 1;
  }
  try {
    const told: Told[] = [];
    for (const scene of wanted) told.push(...(await play(scene)));
    conclude(told);
    return told.some(({ ending }) => typeof ending === "string") ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    screen.line("interrupted: all daemons stopped, nothing is left behind");
    return 130;
  }
}

process.exitCode = await main();
