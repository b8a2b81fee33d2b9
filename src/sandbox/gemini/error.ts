/** google.rpc.Code names that this API answers with, and their numbers. */
const RPC_CODES = {
  CANCELLED: [1, 499],
  INVALID_ARGUMENT: [3, 400],
  NOT_FOUND: [5, 404],
  ALREADY_EXISTS: [6, 409],
  PERMISSION_DENIED: [7, 403],
  RESOURCE_EXHAUSTED: [8, 429],
  FAILED_PRECONDITION: [9, 400],
  INTERNAL: [13, 500],
} as const satisfies Record<string, readonly [rpc: number, http: number]>;

export type RpcStatus = keyof typeof RPC_CODES;

/** A failure as Google's APIs describe it; google/rpc/status.proto. */
export class GoogleError extends Error {
  override readonly name = "GoogleError";
  readonly status: RpcStatus;
  readonly details: readonly unknown[];

  constructor(
    status: RpcStatus,
    message: string,
    details: readonly unknown[] = [],
  ) {
    super(message);
    this.status = status;
    this.details = details;
  }

  /** The answer to a call that failed. */
  toResponse(): Response {
    const [, code] = RPC_CODES[this.status];
    const details = this.details.length === 0 ? {} : { details: this.details };
    const { message, status } = this;
    const error = { code, message, status, ...details };
    return Response.json({ error }, { status: code });
  }

  /** The failure inside an operation or a result line. */
  toStatus(): { readonly code: number; readonly message: string } {
    return { code: RPC_CODES[this.status][0], message: this.message };
  }
}

/** Says how long to wait, as quota errors do; google/rpc/error_details.proto. */
export function retryInfo(seconds: number): unknown {
  return {
    "@type": "type.googleapis.com/google.rpc.RetryInfo",
    retryDelay: `${seconds}s`,
  };
}

export function errorInfo(reason: string): unknown {
  return {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason,
    domain: "googleapis.com",
    metadata: { service: "generativelanguage.googleapis.com" },
  };
}
