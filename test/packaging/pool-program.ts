// A program for an executable of its own: says how Node.js runs in it, and what the pool of verifying threads answers there.

import { systemRandom } from "../../src/adapters/random.ts";
import { createWasmEngine } from "../../src/adapters/wasm/engine.ts";
import { VerificationPool } from "../../src/adapters/wasm/verification-pool.ts";

const signer = createWasmEngine({ random: systemRandom }).mlDsa65.signer(new Uint8Array(32));
const context = new Uint8Array(0);
const message = new Uint8Array([1, 2, 3]);
const job = {
  publicKey: signer.publicKey,
  signature: signer.sign(message, context),
  context,
  message,
};
const pool = new VerificationPool({}, { workers: 2 });
const verdicts = await pool.verify([job, { ...job, message: new Uint8Array([1, 2, 4]) }, job]);
await pool.stop();
console.log(JSON.stringify({ verdicts, execArgv: process.execArgv, args: process.argv.slice(2) }));
