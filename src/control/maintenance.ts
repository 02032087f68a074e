// Answers one request of `meshctl` without a daemon; the daemon's program runs it behind this option.

import { errorMessage, MeshError } from "../foundation/index.ts";
import { errorAnswer } from "./app.ts";
import { CONTROL_SCHEMA_VERSION } from "./contract.ts";
import { type OfflineRequest, offlineRequestSchema } from "./operations-contract.ts";

/** The option of meshd that makes it answer one request from standard input. */
export const MAINTENANCE_OPTION = "--maintenance";

/** The JSON answer to a request's JSON text; an error becomes the API's error answer. */
export async function answerOffline(
  text: string,
  work: (request: OfflineRequest) => Promise<object>,
): Promise<string> {
  try {
    return JSON.stringify({ schemaVersion: CONTROL_SCHEMA_VERSION, ...(await work(parse(text))) });
  } catch (error) {
    return JSON.stringify(errorAnswer(error));
  }
}

function parse(text: string): OfflineRequest {
  try {
    return offlineRequestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MeshError(
      "control/bad-request",
      `Cannot read the request: ${errorMessage(cause).slice(0, 500)}. Check that meshctl and meshd are of the same version.`,
      {},
      { cause },
    );
  }
}
