import {
  clearInterval,
  clearTimeout,
  setInterval,
  setTimeout,
} from "node:timers";

/**
 * npm packages see Node's timers, whose handles have `unref()`, but not once
 * they are bundled into the compiled program: there they get Deno's, whose
 * handles are numbers. undici calls `unref()`, so the program gets Node's.
 */
if (Deno.build.standalone) {
  Object.assign(globalThis, {
    clearInterval,
    clearTimeout,
    setInterval,
    setTimeout,
  });
}
