/* The form that starts a run: the changed settings, which the store holds, and faults, over the server's configuration and a preset. */
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
   */
  function create(store) {
    /** @type {Map<string, string>} faults of what is typed, by path */
    const faults = new Map();

    /** What the user changed, by path. @returns {Map<string, unknown>} */
    const changed = () => new Map(Object.entries(store.state().form.changed));

    /** @param {Map<string, unknown>} to */
    function keep(to) {
      store.dispatch({ type: "@form", form: { changed: Object.fromEntries(to) } });
    }

    /** What the preset of the form sets. @returns {Record<string, unknown>} */
    function ofPreset() {
      const { welcome, form } = store.state();
      const row = BreastAI.catalog.rowsOf(welcome?.catalog, "presets").find(({ name }) => name === form.preset);
      const { name: _, ...values } = row ?? { name: "" };
      return /** @type {any} */ (values);
    }

    /** What the run would have without the user's changes. */
    function base() {
      const { welcome } = store.state();
      return welcome === null ? {} : settings.overlay(welcome.config, ofPreset());
    }

    /** The user's changes as a partial configuration. */
    function changes() {
      return [...changed()].reduce((config, [path, value]) => settings.overlay(config, settings.branch(path, value)), /** @type {Record<string, unknown>} */ ({}));
    }

    function clear() {
      faults.clear();
      keep(new Map());
    }

    return {
      get changed() {
        return changed();
      },
      faults,
      base,
      changes,
      /** What is saved: the changes, over a preset that is there only while there is no config.json. */
      toSave: () => (store.state().form.chosen ? changes() : settings.overlay(ofPreset(), changes())),
      clear,
      preset: () => store.state().form.preset,
      effective: () => settings.overlay(base(), changes()),
      /** @param {string} path @param {unknown} value */
      set(path, value) {
        faults.delete(path);
        const next = changed();
        if (settings.same(value, settings.at(base(), path))) next.delete(path);
        else next.set(path, value);
        keep(next);
      },
      /** @param {string} path */
      reset(path) {
        faults.delete(path);
        const next = changed();
        if (next.delete(path)) keep(next);
      },
      /** Take over what a configuration sets otherwise. @param {Record<string, unknown>} config @param {Field[]} fields */
      take(config, fields) {
        faults.clear();
        keep(new Map(differing(config, base(), fields)));
      },
      /** Whether a setting is not as it would be without the user. @param {string} path */
      isOpen: (path) => Object.hasOwn(store.state().form.changed, path) || faults.has(path),
      /** @param {string} path */
      at: (path) => (Object.hasOwn(store.state().form.changed, path) ? store.state().form.changed[path] : settings.at(base(), path)),
    };
  }

  BreastAI.views.formValues = { create };
})();
