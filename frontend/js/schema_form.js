/* The form of settings, drawn from the schema: label, help, bounds and default of each, and what is wrong at the field. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** The text of a value of a setting. @param {Field} field @param {unknown} value @returns {string} */
  function valueText(field, value) {
    if (value === null || value === undefined || value === "") return t("field.none");
    if (typeof value === "boolean") return t(value ? "field.on" : "field.off");
    const key = `option.${field.path}.${value}`;
    if (field.path === "training.early_stopping.monitor") return BreastAI.catalog.metricName(String(value));
    if (field.kind === "choice") return BreastAI.i18n.has(key) ? t(key) : String(value);
    if (typeof value === "number") return BreastAI.format.number(value, 8);
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  /** Bounds and default of a setting in words. @param {Field} field */
  function boundsText(field) {
    const parts = [];
    const low = field.minimum ?? field.above;
    const high = field.maximum ?? field.below;
    if (low !== undefined && high !== undefined) {
      parts.push(t("field.range", { low: BreastAI.format.number(low, 8), high: BreastAI.format.number(high, 8) }));
    }
    if (field.fallback !== undefined) parts.push(t("field.default", { value: valueText(field, field.fallback) }));
    return parts.join(" · ");
  }

  /**
   * One setting: its control with label, help and place for a fault.
   * @param {Field} field
   * @param {FieldHandlers} handlers
   * @returns {DrawnField}
   */
  function drawField(field, handlers) {
    const id = `setting-${field.path.replaceAll(".", "-")}`;
    const control = controlFor(field, id);
    const fault = make("p", { class: "field-fault", attributes: { id: `${id}-fault` } });
    const reset = make("button", {
      class: "button quiet small",
      text: t("field.reset"),
      attributes: { type: "button", "aria-label": t("field.reset_label", { name: t(`setting.${field.path}.label`) }) },
      on: { click: () => handlers.onReset(field) },
    });
    const told = make("p", { class: "field-told", attributes: { id: `${id}-told`, "aria-live": "polite" } });
    const head = make("div", { class: "field-head" }, make("label", { text: t(`setting.${field.path}.label`), attributes: { for: id } }), reset);
    const help = make("p", { class: "field-help", text: t(`setting.${field.path}.help`), attributes: { id: `${id}-help` } });
    const bounds = make("p", { class: "field-bounds", text: boundsText(field) });
    control.setAttribute("aria-describedby", `${id}-help ${id}-fault ${id}-told`);
    const element = make("div", { class: `field kind-${field.kind}`, data: { setting: field.path } }, head, control, fault, told, help, bounds);

    const read = () => {
      const text = control instanceof HTMLInputElement && control.type === "checkbox" ? String(control.checked) : control.value;
      const result = field.kind === "boolean" ? { value: text === "true" } : BreastAI.settings.parse(field, text);
      if ("value" in result) handlers.onChange(field, result.value);
      else handlers.onFault(field, t(result.problem, result.params));
    };
    control.addEventListener(control instanceof HTMLSelectElement || field.kind === "boolean" ? "change" : "input", read);

    return {
      field,
      element,
      tell(text) {
        if (told.textContent !== text) told.textContent = text;
      },
      typed: () => control.value,
      type(text) {
        control.value = text;
        read();
      },
      show(value, changed, faultText) {
        // What is being typed stays as typed.
        if (value !== undefined && (document.activeElement !== control || (changed === false && faultText === null))) setControl(control, field, value);
        element.classList.toggle("changed", changed);
        reset.hidden = !changed;
        control.setAttribute("aria-invalid", String(faultText !== null));
        fault.textContent = faultText ?? "";
      },
    };
  }

  /** @param {HTMLInputElement | HTMLSelectElement} control @param {Field} field @param {unknown} value */
  function setControl(control, field, value) {
    if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = value === true;
    else if (field.kind !== "boolean") {
      const text = BreastAI.settings.shown(field, value);
      // Of a network of timm's, or a value of another version, the list has none: it is shown, and stays.
      if (control instanceof HTMLSelectElement && ![...control.options].some((option) => option.value === text)) control.append(make("option", { text: valueText(field, value), attributes: { value: text } }));
      if (control.value !== text) control.value = text;
    }
  }

  /** @param {Field} field @param {string} id @returns {HTMLInputElement | HTMLSelectElement} */
  function controlFor(field, id) {
    const attributes = { id, name: field.path };
    if (field.kind === "choice") {
      const options = field.options.map((value) => make("option", { text: valueText(field, value), attributes: { value: JSON.stringify(value) } }));
      return make("select", { attributes }, ...options);
    }
    if (field.kind === "boolean") return make("input", { attributes: { ...attributes, type: "checkbox", role: "switch" } });
    const inputmode = field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : null;
    return make("input", {
      attributes: { ...attributes, type: "text", inputmode, autocomplete: "off", spellcheck: "false", placeholder: field.nullable ? t("field.none") : null },
    });
  }

  /**
   * The fields of one section, as a group that unfolds.
   * @param {Element} parent
   * @param {string} section
   * @param {Field[]} fields
   * @param {boolean} open
   * @param {FieldHandlers} handlers
   * @returns {DrawnField[]}
   */
  function drawGroup(parent, section, fields, open, handlers) {
    const drawn = fields.map((field) => drawField(field, handlers));
    parent.append(
      make(
        "details",
        { class: "settings-group", data: { section }, attributes: { open } },
        make("summary", {}, make("span", { text: t(`section.${section}`) }), make("span", { class: "badge changed-count" })),
        make("div", { class: "settings-fields" }, ...drawn.map(({ element }) => element)),
      ),
    );
    return drawn;
  }

  /** A setting in plain text: its name, what it does, its bounds and default. @param {Field} field */
  function explained(field) {
    return [t(`setting.${field.path}.label`), t(`setting.${field.path}.help`), boundsText(field)].filter((text) => text !== "").join("\n\n");
  }

  BreastAI.schemaForm = { drawGroup, drawField, valueText, explained };
})();
