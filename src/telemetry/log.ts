export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured events, one JSON line each. Never given headers or bodies. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const RANK: Record<LogLevel, number> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
};

/** Writes lines at or above `level` to `write`, one call a line. */
export function createLog(
  level: LogLevel,
  write: (line: string) => void,
  now: () => Date = () => new Date(),
): Log {
  function emit(at: LogLevel, event: string, fields: LogFields = {}): void {
    if (RANK[at] < RANK[level]) return;
    const entry = { time: now().toISOString(), level: at, event, ...fields };
    write(JSON.stringify(entry) + "\n");
  }
  return {
    debug: (event, fields) => emit("debug", event, fields),
    info: (event, fields) => emit("info", event, fields),
    warn: (event, fields) => emit("warn", event, fields),
    error: (event, fields) => emit("error", event, fields),
  };
}

/** Standard output, written whole and in order. */
export function writeToStdout(line: string): void {
  const bytes = new TextEncoder().encode(line);
  let written = 0;
  while (written < bytes.length) {
    written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

/**
 * An error as log fields: name, message and the chain of causes. Stacks stay
 * out; they tell a reader of logs little and can hold arguments.
 */
export function errorFields(error: unknown): LogFields {
  const chain: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current !== undefined; depth++) {
    if (!(current instanceof Error)) {
      chain.push(String(current).slice(0, 500));
      break;
    }
    chain.push(`${current.name}: ${current.message}`.slice(0, 500));
    current = current.cause;
  }
  return { error: chain[0] ?? "unknown", causes: chain.slice(1) };
}
