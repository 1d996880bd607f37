/* What is typed into the form that starts a run: changed settings and faults, over the server's configuration and a preset; pure. */
(function () {
  "use strict";

  const { settings } = BreastAI;

  /**
   * The fields that a configuration sets otherwise than `base` has them. Its server section is left alone: ports and
   * folders are those of the server one is connected to.
   * @param {Record<string, unknown>} config
   * @param {Record<string, unknown>} base
   * @param {Field[]} fields
   * @returns {[string, unknown][]}
   */
  function differing(config, base, fields) {
    return fields
      .filter(({ section }) => section !== "server")
      .map(({ path }) => /** @type {[string, unknown]} */ ([path, settings.at(config, path)]))
      .filter(([path, value]) => value !== undefined && !settings.same(value, settings.at(base, path)));
  }

  /**
   * @param {Store} store
   * @param {() => string} preset the name of the preset chosen, "" for none
   */
  function create(store, preset) {
    /** @type {Map<string, unknown>} what the user changed, by path */
    const changed = new Map();
    /** @type {Map<string, string>} faults of what is typed, by path */
    const faults = new Map();

    /** What the run would have without the user's changes. */
    function base() {
      const welcome = store.state().welcome;
      if (welcome === null) return {};
      const row = BreastAI.catalog.rowsOf(welcome.catalog, "presets").find(({ name }) => name === preset());
      const { name: _, ...values } = row ?? { name: "" };
      return settings.overlay(welcome.config, /** @type {any} */ (values));
    }

    /** The user's changes as a partial configuration. */
    function changes() {
      return [...changed].reduce((config, [path, value]) => settings.overlay(config, settings.branch(path, value)), /** @type {Record<string, unknown>} */ ({}));
    }

    function clear() {
      faults.clear();
      changed.clear();
    }

    return {
      changed,
      faults,
      base,
      changes,
      clear,
      effective: () => settings.overlay(base(), changes()),
      /** @param {string} path @param {unknown} value */
      set(path, value) {
        faults.delete(path);
        if (settings.same(value, settings.at(base(), path))) changed.delete(path);
        else changed.set(path, value);
      },
      /** @param {string} path */
      reset(path) {
        faults.delete(path);
        changed.delete(path);
      },
      /** Take over what a configuration sets otherwise. @param {Record<string, unknown>} config @param {Field[]} fields */
      take(config, fields) {
        clear();
        for (const [path, value] of differing(config, base(), fields)) changed.set(path, value);
      },
      /** Whether a setting is not as it would be without the user. @param {string} path */
      isOpen: (path) => changed.has(path) || faults.has(path),
      /** @param {string} path */
      at: (path) => (changed.has(path) ? changed.get(path) : settings.at(base(), path)),
    };
  }

  BreastAI.views.formValues = { create };
})();
