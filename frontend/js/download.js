/* Handing the user a file that the page made. */
(function () {
  "use strict";

  /** @param {string} name @param {Blob} content */
  function save(name, content) {
    const url = URL.createObjectURL(content);
    const link = BreastAI.elements.make("a", { attributes: { href: url, download: name } });
    link.click();
    // The browser takes the content when it may; until then the address must hold.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  /** @param {string} name @param {string} text @param {string} [type] */
  function saveText(name, text, type = "text/plain") {
    save(name, new Blob([text], { type: `${type};charset=utf-8` }));
  }

  BreastAI.download = { save, saveText };
})();
