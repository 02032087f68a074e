// Models that an operator gave to this node, for tasks to start from: the last few, on disk, each under the digest that certificates
// and tasks name a model by.

import type { RoundStore } from "../../adapters/sqlite/round-store.ts";
import type { FlPushed } from "../../control/index.ts";
import { concatBytes, MeshError } from "../../foundation/index.ts";
import {
  contentIdOf,
  decodeSafetensors,
  encodeSafetensors,
  modelFileBytesMax,
  readSafetensors,
  type Sha256,
  type TaskManifest,
  taskSpec,
} from "../../learning/index.ts";

export class ModelShelf {
  readonly #store: RoundStore;
  readonly #sha256: Sha256;

  constructor(store: RoundStore, sha256: Sha256) {
    this.#store = store;
    this.#sha256 = sha256;
  }

  /**
   * Keeps a safetensors file's tensors in their canonical form, so that whoever has the same numbers has the same digest.
   * @throws MeshError the code of a file that is not sound, `state/write-failed`
   */
  async push(file: AsyncIterable<Uint8Array>): Promise<FlPushed> {
    const read = readSafetensors(await bounded(file));
    if (!read.ok) throw unusable(read.code, read.detail ?? read.code);
    const { spec, weights } = read.value;
    const bytes = encodeSafetensors(spec, weights, {});
    const { digest } = contentIdOf(this.#sha256, bytes);
    this.#store.pushModel({ digest, bytes });
    const { parameters, tensors } = spec;
    return { digest, bytes: bytes.length, parameters, tensors: tensors.length };
  }

  get(digest: string): Uint8Array | undefined {
    return this.#store.pushedModel(digest);
  }

  /**
   * Checks that a task that this node starts can start from the model that it names.
   * @throws MeshError `learning/model-missing`, `learning/wrong-shape`
   */
  require(task: TaskManifest): void {
    const { initialWeights: digest } = task;
    if (digest === null) return;
    const bytes = this.get(digest);
    if (bytes === undefined)
      throw new MeshError(
        "learning/model-missing",
        `This node has no model ${digest}. Give it with meshctl fl push, and name the digest that it prints.`,
        { digest },
      );
    const decoded = decodeSafetensors(taskSpec(task), bytes);
    if (!decoded.ok)
      throw unusable(decoded.code, `${decoded.detail ?? ""} is not of the task's model`);
  }
}

async function bounded(file: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of file) {
    bytes += part.length;
    if (bytes > modelFileBytesMax)
      throw unusable("learning/too-large", `over ${modelFileBytesMax} bytes`);
    parts.push(part);
  }
  return concatBytes(...parts);
}

function unusable(code: string, why: string): MeshError {
  return new MeshError(
    code,
    `Cannot start from the model: ${why}. Give a safetensors file of finite F32 tensors that has the model's names and shapes.`,
  );
}
