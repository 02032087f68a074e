// A pod proves itself by a projected service account token: the issuer asks the cluster's API server (TokenReview) whose it is. What
// the token says of itself is looked at first, so that nobody can make the issuer ask about rubbish, and decides nothing.

import { readFileSync } from "node:fs";
import * as z from "zod";
import { errorMessage, MeshError, refuse, ok, type Result } from "../../foundation/index.ts";
import type {
  Attested,
  Evidence,
  EvidenceRefusalCode,
  IdentityErrorCode,
} from "../../identity/index.ts";
import { requestText } from "./http-text.ts";

/** How a name begins that follows from a pod. */
const NAME_PREFIX = "k8s-";
const ANSWER_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 5_000;
const EXTRA = "authentication.kubernetes.io";

type PsatEvidence = Extract<Evidence, { type: "k8s_psat" }>;

export interface K8sPsatOptions {
  /** The cluster's name, which is part of its nodes' names. */
  readonly cluster: string;
  readonly apiServer: string;
  /** PEM of the API server's authority. */
  readonly caFile: string;
  /** This issuer's own token, read for every question: it rotates. */
  readonly tokenFile: string;
  readonly audience: string;
  /** `namespace:name` of the service accounts that may join. */
  readonly serviceAccounts: readonly string[];
}

const texts = z.array(z.string()).max(64);
/** authentication.k8s.io/v1, what is used of it. */
const reviewSchema = z.object({
  status: z.object({
    authenticated: z.boolean().optional(),
    audiences: texts.optional(),
    user: z
      .object({
        username: z.string().max(1024).optional(),
        extra: z.record(z.string(), texts).optional(),
      })
      .optional(),
  }),
});
const claimsSchema = z.object({
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
});

export class K8sPsatVerifier {
  readonly #options: K8sPsatOptions;

  constructor(options: K8sPsatOptions) {
    this.#options = options;
  }

  async verify({ token }: PsatEvidence): Promise<Result<Attested, EvidenceRefusalCode>> {
    const { audience } = this.#options;
    const claims = claimsSchema.safeParse(claimsOf(token));
    if (!claims.success || ![claims.data.aud].flat().includes(audience))
      return refuse("identity/evidence-refused", "no token for this audience");
    if (this.#serviceAccountOf(claims.data.sub) === undefined)
      return refuse("identity/evidence-not-allowed", "service account");
    let answer: unknown;
    try {
      answer = await this.#review(token);
    } catch (error) {
      return refuse("identity/attestor-unavailable", errorMessage(error));
    }
    const review = reviewSchema.safeParse(answer);
    if (!review.success) return refuse("identity/attestor-unavailable", "no TokenReview");
    return this.#judge(review.data.status);
  }

  #judge({
    authenticated,
    audiences = [],
    user,
  }: z.output<typeof reviewSchema>["status"]): Result<Attested, EvidenceRefusalCode> {
    const { cluster, audience } = this.#options;
    // An API server that knows no audiences leaves them out: then the token may be for anybody.
    if (authenticated !== true || !audiences.includes(audience))
      return refuse("identity/evidence-refused", "the API server does not know the token");
    const account = this.#serviceAccountOf(user?.username ?? "");
    if (account === undefined) return refuse("identity/evidence-not-allowed", "service account");
    const extra = (name: string): string | undefined => user?.extra?.[`${EXTRA}/${name}`]?.[0];
    const pod = extra("pod-name");
    if (pod === undefined) return refuse("identity/evidence-refused", "the token is of no pod");
    const node = extra("node-name");
    return ok({
      name: `${NAME_PREFIX}${cluster}-${pod}`,
      selectors: [
        `k8s_psat:cluster:${cluster}`,
        `k8s_psat:agent_ns:${account.namespace}`,
        `k8s_psat:agent_sa:${account.name}`,
        `k8s_psat:agent_pod_name:${pod}`,
        ...(node === undefined ? [] : [`k8s_psat:agent_node_name:${node}`]),
      ],
    });
  }

  /** The service account behind a user name, when it is on the list. */
  #serviceAccountOf(
    username: string,
  ): { readonly namespace: string; readonly name: string } | undefined {
    const account = username.replace(/^system:serviceaccount:/, "");
    if (account === username || !this.#options.serviceAccounts.includes(account)) return undefined;
    const [namespace = "", name = ""] = account.split(":");
    return { namespace, name };
  }

  async #review(token: string): Promise<unknown> {
    const { apiServer, caFile, tokenFile, audience } = this.#options;
    const own = readFileSync(tokenFile, "utf8").trim();
    const text = await requestText({
      url: `${apiServer}/apis/authentication.k8s.io/v1/tokenreviews`,
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        authorization: `Bearer ${own}`,
      },
      body: JSON.stringify({
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [audience] },
      }),
      ca: readFileSync(caFile),
      bytesMax: ANSWER_BYTES_MAX,
      timeoutMs: TIMEOUT_MS,
    });
    return JSON.parse(text);
  }
}

/** The token of this pod. @throws MeshError `identity/evidence-missing` */
export function proveServiceAccount(tokenFile: string): PsatEvidence {
  try {
    return { type: "k8s_psat", token: readFileSync(tokenFile, "utf8").trim() };
  } catch (cause) {
    throw new MeshError<IdentityErrorCode>(
      "identity/evidence-missing",
      `Cannot read the service account token '${tokenFile}': ${errorMessage(cause)}. Project a token into the pod, for the audience of the issuer, and name it in join.token.`,
      { file: tokenFile },
      { cause },
    );
  }
}

/** What a token says of itself; nobody has checked it. */
function claimsOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
  } catch {
    return undefined; // no JWT; undefined matches no schema
  }
}
