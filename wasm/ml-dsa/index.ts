// The ML-DSA-65 part of the module's exports.

export {
  EXPANDED_KEY_BYTES as ML_DSA_EXPANDED_KEY_BYTES, MU_BYTES as ML_DSA_MU_BYTES, PUBLIC_KEY_BYTES as ML_DSA_PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES as ML_DSA_SIGNATURE_BYTES, SIGNING_KEY_BYTES as ML_DSA_SIGNING_KEY_BYTES, SK_TR as ML_DSA_SIGNING_KEY_TR,
  VERIFICATION_KEY_BYTES as ML_DSA_VERIFICATION_KEY_BYTES, VK_TR as ML_DSA_VERIFICATION_KEY_TR,
} from "./params";
export {
  mlDsaMu, mlDsaMuInternal, mlDsaPrepareExpandedKey, mlDsaPrepareSigningKey, mlDsaPrepareVerificationKey, wipe,
} from "./keys";
export { mlDsaSign } from "./sign";
export { mlDsaVerify, mlDsaVerifyBatch } from "./verify";
