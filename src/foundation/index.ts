export { assert, unreachable } from "./assert.ts";
export {
  ByteReader,
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  toBase64Url,
  toHex,
  uint16be,
  uint32be,
  uint64be,
  utf8Bytes,
  utf8Text,
} from "./bytes.ts";
export {
  type ErrorDetails,
  errorCode,
  errorMessage,
  isMeshError,
  MeshError,
  ok,
  type Refusal,
  refuse,
  type Result,
} from "./errors.ts";
export { TokenBucket } from "./token-bucket.ts";
export { parseTarHeader, TAR_BLOCK, tarEnd, type TarFile, tarHeader, tarPadding } from "./ustar.ts";
