import type { Principal } from "./context.ts";
import type { ProviderDriver } from "./driver.ts";
import { GatewayError } from "./failure.ts";
import {
  parseProviderName,
  PROVIDER_NAMES,
  type ProviderName,
} from "./provider.ts";

/** What the caller said, and what is known of them, about the provider. */
export interface ProviderHints {
  readonly header: string | null;
  readonly bucket: string | null;
  readonly principal: Principal;
}

/** A provider is either on, or off with a sentence that names the variable. */
export type ProviderSetup =
  | { readonly on: true; open(): Promise<ProviderDriver> }
  | {
    readonly on: false;
    readonly reason: string;
    /** For a provider whose refusals matter more than its missing key. */
    open?(): Promise<ProviderDriver>;
  };

/** Which provider serves a call, and its driver. */
export interface Providers {
  /**
   * Header, then bucket mapping, then the credential's default, then the
   * configured one.
   *
   * @throws {GatewayError} `invalid_argument` for an unknown name,
   * `access_denied` where the credential may not use the provider.
   */
  choose(hints: ProviderHints): ProviderName;
  /** Rejects with `invalid_argument`, naming the variable, where it is off. */
  driver(provider: ProviderName): Promise<ProviderDriver>;
  /** The providers that are on. */
  configured(): readonly ProviderName[];
  /** Where the configuration maps this bucket. */
  mappedBucket(bucket: string): ProviderName | null;
  /** Buckets that are mapped to this provider, in the order configured. */
  bucketsOf(provider: ProviderName): readonly string[];
  close(): Promise<void>;
}

export interface ProvidersOptions {
  readonly setups: Readonly<Record<ProviderName, ProviderSetup>>;
  readonly buckets: ReadonlyMap<string, ProviderName>;
  readonly defaultProvider: ProviderName;
}

export function createProviders(options: ProvidersOptions): Providers {
  const opened = new Map<ProviderName, Promise<ProviderDriver>>();

  function driver(provider: ProviderName): Promise<ProviderDriver> {
    const setup = options.setups[provider];
    const open = setup.open?.bind(setup);
    if (open === undefined) return Promise.reject(isOff(provider, setup));
    let promise = opened.get(provider);
    if (promise === undefined) {
      promise = open();
      opened.set(provider, promise);
      // A failed import must not be remembered as this provider's answer.
      promise.catch(() => opened.delete(provider));
    }
    return promise;
  }

  return {
    choose: (hints) => chooseProvider(hints, options),
    driver,
    configured: () => PROVIDER_NAMES.filter((name) => options.setups[name].on),
    mappedBucket: (bucket) => options.buckets.get(bucket) ?? null,
    bucketsOf: (provider) =>
      [...options.buckets].filter(([, to]) => to === provider)
        .map(([bucket]) => bucket),
    close: async () => {
      for (const promise of opened.values()) {
        const driver = await promise.catch(() => null);
        driver?.close();
      }
    },
  };
}

function isOff(provider: ProviderName, setup: ProviderSetup): GatewayError {
  const reason = setup.on ? "The provider cannot be opened." : setup.reason;
  return new GatewayError(
    { kind: "invalid_argument", argument: "x-model-provider", value: provider },
    reason,
  );
}

function chooseProvider(
  hints: ProviderHints,
  options: ProvidersOptions,
): ProviderName {
  const provider = named(hints.header) ??
    (hints.bucket === null ? null : options.buckets.get(hints.bucket)) ??
    hints.principal.defaultProvider ?? options.defaultProvider;
  const allowed = hints.principal.providers;
  if (allowed !== null && !allowed.includes(provider)) {
    throw new GatewayError(
      { kind: "access_denied" },
      `This credential may not use the provider "${provider}"; it may use: ${
        allowed.join(", ")
      }.`,
    );
  }
  return provider;
}

function named(header: string | null): ProviderName | null {
  if (header === null || header.trim() === "") return null;
  const provider = parseProviderName(header);
  if (provider === null) {
    const value = header.trim().slice(0, 64);
    throw new GatewayError(
      { kind: "invalid_argument", argument: "x-model-provider", value },
      `Unknown provider "${value}" in x-model-provider; valid are: ${
        PROVIDER_NAMES.join(", ")
      }.`,
    );
  }
  return provider;
}
