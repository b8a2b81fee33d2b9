import { randomBytes } from "node:crypto";
import type { Principal } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";
import { hashCanonicalRequests } from "./canonical_request.ts";
import { type ChunkSigner, createChunkSigner } from "./chunk_signer.ts";
import { equalConstantTime } from "./constant_time.ts";
import type { Credential } from "./credentials.ts";
import {
  checkClock,
  checkExpiry,
  checkLifetime,
  readRequestTime,
} from "./request_time.ts";
import { isHeaderV2, parsePresignedV2, signV2 } from "./signature_v2.ts";
import {
  ALGORITHM_V4,
  checkScope,
  findRegion,
  parseAuthorizationV4,
  parsePresignedV4,
  type PresignedV4,
  type SignatureV4,
} from "./signature_v4.ts";
import {
  checkQuery,
  checkSessionToken,
  checkSignedHeaders,
  findQueryAuthentication,
  missingAuthentication,
  parseBearer,
  readPayloadHash,
  readSigningTime,
  severalMechanisms,
  type SignedRequest,
  type Surface,
  unsupportedAuthorization,
} from "./signed_request.ts";
import {
  formatScope,
  hmacSha256,
  SigningKeys,
  type SigningSecret,
} from "./signing_keys.ts";

export type { ChunkSigner } from "./chunk_signer.ts";
export type { SignedRequest, Surface } from "./signed_request.ts";

/** Who asked, and what else the signature told. */
export interface Authentication {
  readonly principal: Principal;
  /** From the credential scope; null where there is none. */
  readonly region: string | null;
  /** Present where the body carries chunk signatures to verify. */
  readonly chunkSigner: ChunkSigner | null;
}

export interface Authenticator {
  /**
   * Who signed the request. Where no credentials are configured nothing is
   * verified and everyone is the anonymous principal.
   *
   * @throws {GatewayError} The exact failure; never says what would be right.
   */
  authenticate(
    request: SignedRequest,
    surface: Surface,
  ): Promise<Authentication>;
  /**
   * The admin whose bearer key the headers hold; null for everyone else. An
   * open gateway's everyone is the anonymous principal, if that is an admin.
   */
  authenticateBearer(headers: Headers): Principal | null;
}

export interface AuthenticatorOptions {
  readonly credentials: readonly Credential[];
  /** Who everyone is where `credentials` is empty; null: nobody gets in. */
  readonly anonymous: Principal | null;
  readonly now?: () => Date;
}

/** Bounds what is read before anyone is known to be behind it. */
const AUTHORIZATION_LENGTH_MAX = 8192;

export function createAuthenticator(
  options: AuthenticatorOptions,
): Authenticator {
  return options.credentials.length === 0
    ? new OpenAuthenticator(options.anonymous)
    : new SignatureAuthenticator(
      options.credentials,
      options.now ?? (() => new Date()),
    );
}

// ---------------------------------------------------------------- open

class OpenAuthenticator implements Authenticator {
  readonly #anonymous: Principal | null;

  constructor(anonymous: Principal | null) {
    this.#anonymous = anonymous;
  }

  // deno-lint-ignore require-await -- The interface lets it be asynchronous.
  async authenticate(request: SignedRequest): Promise<Authentication> {
    checkQuery(request.target);
    if (this.#anonymous === null) throw missingAuthentication();
    const region = findRegion(request.headers, request.target);
    return { principal: this.#anonymous, region, chunkSigner: null };
  }

  authenticateBearer(): Principal | null {
    return this.#anonymous?.admin ? this.#anonymous : null;
  }
}

// ---------------------------------------------------------------- signed

interface KnownCaller {
  readonly credential: Credential;
  readonly principal: Principal;
}

class SignatureAuthenticator implements Authenticator {
  readonly #callers: ReadonlyMap<string, KnownCaller>;
  readonly #now: () => Date;
  readonly #keys = new SigningKeys();
  /** Stands in for an unknown key, which must cost as much as a known one. */
  readonly #decoy: SigningSecret = {
    accessKeyId: "",
    secretAccessKey: randomBytes(30).toString("base64"),
  };

  constructor(credentials: readonly Credential[], now: () => Date) {
    this.#callers = new Map(credentials.map((credential) => [
      credential.accessKeyId,
      { credential, principal: toPrincipal(credential) },
    ]));
    this.#now = now;
  }

  // deno-lint-ignore require-await -- The interface lets it be asynchronous.
  async authenticate(
    request: SignedRequest,
    surface: Surface,
  ): Promise<Authentication> {
    checkQuery(request.target);
    const authorization = request.headers.get("authorization")?.trim() ?? "";
    const queryKind = findQueryAuthentication(request.target, surface);
    if (authorization !== "" && queryKind !== null) throw severalMechanisms();
    if (queryKind === "v2") return this.#verifyV2(request);
    if (queryKind === "v4") {
      const claim = parsePresignedV4(request.target);
      return this.#verifyV4(request, surface, claim);
    }
    return this.#verifyHeader(request, surface, authorization);
  }

  authenticateBearer(headers: Headers): Principal | null {
    const authorization = headers.get("authorization")?.trim() ?? "";
    const key = parseBearer(authorization);
    const caller = key === null ? null : this.#findBearer(key);
    return caller?.credential.admin ? caller.principal : null;
  }

  #verifyHeader(
    request: SignedRequest,
    surface: Surface,
    authorization: string,
  ): Authentication {
    if (authorization === "") throw missingAuthentication();
    if (authorization.length > AUTHORIZATION_LENGTH_MAX) {
      throw new GatewayError(
        { kind: "malformed_authorization" },
        `The authorization header is longer than ${AUTHORIZATION_LENGTH_MAX}.`,
      );
    }
    if (authorization.startsWith(`${ALGORITHM_V4} `)) {
      const claim = parseAuthorizationV4(authorization);
      return this.#verifyV4(request, surface, claim);
    }
    const bearerKey = parseBearer(authorization);
    if (surface.kind === "s3" || bearerKey === null) {
      // S3 looks at the time before it says that Version 2 is not taken.
      if (surface.kind === "s3" && isHeaderV2(authorization)) {
        checkClock(readRequestTime(request.headers), this.#now());
      }
      throw unsupportedAuthorization(surface, authorization);
    }
    const caller = this.#findBearer(bearerKey);
    if (caller === null) {
      throw new GatewayError(
        { kind: "access_denied" },
        "Authentication failed: please make sure your API key is valid.",
      );
    }
    return { principal: caller.principal, region: null, chunkSigner: null };
  }

  /** Compares with every key, so that time tells nothing about any. */
  #findBearer(key: string): KnownCaller | null {
    let found: KnownCaller | null = null;
    for (const caller of this.#callers.values()) {
      const { bearerKey } = caller.credential;
      if (bearerKey !== null && equalConstantTime(bearerKey, key)) {
        found = caller;
      }
    }
    return found;
  }

  #verifyV4(
    request: SignedRequest,
    surface: Surface,
    claim: SignatureV4 | PresignedV4,
  ): Authentication {
    const caller = this.#callers.get(claim.accessKeyId) ?? null;
    const time = readSigningTime(request, claim);
    if (caller !== null) {
      if ("expiresSeconds" in claim) {
        checkScope(claim, surface.kind, time.timestamp);
        checkLifetime(time, claim.expiresSeconds, this.#now());
      } else {
        checkClock(time, this.#now());
        checkScope(claim, surface.kind, time.timestamp);
      }
      checkSessionToken(request);
      checkSignedHeaders(request.headers, surface, claim.signedHeaders);
    }
    const payloadHash = readPayloadHash(request, surface, claim);
    const signingKey = this.#keys.get(
      caller?.credential ?? this.#decoy,
      claim.scope,
    );
    const isRight = matches(claim.signature, function* () {
      const hashes = hashCanonicalRequests({
        method: request.method,
        headers: request.headers,
        target: request.target,
        signedHeaders: claim.signedHeaders,
        payloadHash,
        pathStyle: surface.kind === "s3" ? "verbatim" : "normalised",
      });
      const scope = formatScope(claim.scope);
      for (const hash of hashes) {
        const text = `${ALGORITHM_V4}\n${time.timestamp}\n${scope}\n${hash}`;
        yield hmacSha256(signingKey, text).toString("hex");
      }
    });
    const { principal } = admit(caller, claim.accessKeyId, isRight);
    return {
      principal,
      region: claim.scope.region,
      chunkSigner: payloadHash.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        ? createChunkSigner({
          accessKeyId: claim.accessKeyId,
          signingKey,
          scope: claim.scope,
          timestamp: time.timestamp,
          seedSignature: claim.signature,
        })
        : null,
    };
  }

  #verifyV2(request: SignedRequest): Authentication {
    const claim = parsePresignedV2(request.target);
    const caller = this.#callers.get(claim.accessKeyId) ?? null;
    checkExpiry(claim.expiresAtMs, this.#now());
    if (caller !== null) checkSessionToken(request);
    const contentSha256 = request.headers.get("x-amz-content-sha256") ?? "";
    if (contentSha256.startsWith("STREAMING-AWS4-")) {
      throw new GatewayError(
        { kind: "invalid_request" },
        "A URL signed with Signature Version 2 cannot have a body with " +
          "chunk signatures. Please use AWS4-HMAC-SHA256.",
      );
    }
    const { secretAccessKey } = caller?.credential ?? this.#decoy;
    const isRight = matches(
      claim.signature,
      () => signV2(request, claim.expires, secretAccessKey),
    );
    const { principal } = admit(caller, claim.accessKeyId, isRight);
    return { principal, region: null, chunkSigner: null };
  }
}

function toPrincipal(credential: Credential): Principal {
  const { tenant, accessKeyId, admin, providers, defaultProvider, buckets } =
    credential;
  return { tenant, accessKeyId, admin, providers, defaultProvider, buckets };
}

/** Lets a caller in, or says why not once all the work has been done. */
function admit(
  caller: KnownCaller | null,
  accessKeyId: string,
  isRight: boolean,
): KnownCaller {
  if (caller === null) {
    throw new GatewayError(
      { kind: "unknown_access_key", accessKeyId },
      "The AWS Access Key Id you provided does not exist in our records.",
    );
  }
  if (!isRight) {
    throw new GatewayError(
      { kind: "signature_mismatch", accessKeyId },
      "The request signature we calculated does not match the signature you " +
        "provided. Check your key and signing method.",
    );
  }
  return caller;
}

function matches(
  signature: string,
  listExpected: () => Iterable<string>,
): boolean {
  for (const expected of listExpected()) {
    if (equalConstantTime(expected, signature)) return true;
  }
  return false;
}
