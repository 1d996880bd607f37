/* Long work in steps: between two of them the browser answers whoever uses the page. */
(function () {
  "use strict";

  /** A step ends with the first thing done after so long: a screen shows about sixty pictures a second. */
  const STEP_MS = 8;

  /** Let the browser do what waits, then go on. @returns {Promise<void>} */
  function pause() {
    const { scheduler } = /** @type {{ scheduler?: { yield?: () => Promise<void> } }} */ (/** @type {unknown} */ (globalThis));
    if (typeof scheduler?.yield === "function") return scheduler.yield();
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
  }

  /**
   * Do all of it, pausing after each step that took its time.
   * @param {Iterable<() => void>} parts
   */
  async function run(parts) {
    let begun = performance.now();
    for (const part of parts) {
      part();
      if (performance.now() - begun < STEP_MS) continue;
      await pause();
      begun = performance.now();
    }
  }

  /** Do something when the browser has nothing else to do; two seconds from now at the latest. @param {() => void} work */
  function whenIdle(work) {
    if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 2000 });
    else setTimeout(work, 200);
  }

  BreastAI.steps = { pause, run, whenIdle };
})();
