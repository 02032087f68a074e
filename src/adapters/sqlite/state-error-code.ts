// What can be wrong with the state directory.

/** Codes of errors about the state directory. */
export type StateErrorCode =
  | "state/not-writable"
  | "state/corrupt"
  | "state/write-failed"
  | "state/schema-too-new"
  | "state/migration-failed"
  | "state/in-use"
  | "state/disk-full"
  | "state/key-missing"
  | "state/key-conflict"
  | "state/credential-unusable"
  | "state/key-unreadable";
