/* What the browser remembers for the page between visits: language, theme, address. A browser that keeps nothing is no fault. */
(function () {
  "use strict";

  /** @param {string} name @returns {string | null} */
  function read(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {string | null} value */
  function write(name, value) {
    try {
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, value);
    } catch {
      // Private windows and some file pages refuse storage: the choice then lasts as long as the page.
    }
  }

  BreastAI.memory = { read, write };
})();
