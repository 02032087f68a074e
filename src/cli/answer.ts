// One call of the control API and its answer on the terminal: drawn for people, or as JSON.

import type { Command } from "commander";
import { ControlClient, type ExitStatus, exitStatus } from "../control/index.ts";
import type { Cli, Screen } from "./cli.ts";

/** Where the packaged daemon listens. */
export const defaultSocketPath = "/run/meshd/control.sock";

/** Options that every verb has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

/** A verb that makes one call. */
export interface Verb<Answer> {
  readonly call: (client: ControlClient) => Promise<Answer>;
  readonly draw: (answer: Answer, screen: Screen) => string;
  /** @default always 0 */
  readonly exit?: (answer: Answer) => ExitStatus;
}

/** Makes the call, prints its answer and sets the exit status. Throws what the client throws. */
export async function answer<Answer>(
  cli: Cli,
  command: Command,
  verb: Verb<Answer>,
): Promise<void> {
  const result = await verb.call(clientOf(cli, command));
  cli.out(isJson(command) ? jsonText(result) : verb.draw(result, cli.screen));
  cli.exit = verb.exit?.(result) ?? exitStatus.ok;
}

/** The client for `--socket`, MESHD_SOCKET or the default socket, in this order. */
export function clientOf(cli: Cli, command: Command): ControlClient {
  const { socket } = command.optsWithGlobals<CommonOptions>();
  return new ControlClient({ socketPath: socket ?? cli.env["MESHD_SOCKET"] ?? defaultSocketPath });
}

/** Whether `--json` was given. */
export function isJson(command: Command): boolean {
  return command.optsWithGlobals<CommonOptions>().json === true;
}

/** An answer for programs. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
