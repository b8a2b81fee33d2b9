/** Resolves after a time, or rejects as soon as `signal` is aborted. */
export function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, timeMs);
    signal.addEventListener("abort", abort, { once: true });
  });
}
