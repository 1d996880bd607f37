/* What is told of images: audits, descriptions, lists, previews. One row an event. */
(function () {
  "use strict";

  const { inRun, jobEnded } = BreastAI.pageState;
  /** @param {Wire.AuditDone} event @param {string} severity */
  function ofSeverity(event, severity) {
    return event.findings.filter((finding) => finding.severity === severity).length;
  }

  /** @param {Wire.Finding[]} findings @returns {"success" | "info" | "warning"} */
  function worst(findings) {
    if (findings.some(({ severity }) => severity !== "info")) return "warning";
    return findings.length ? "info" : "success";
  }

  /** @type {EventRows} */
  const rows = {
    audit: {
      // An audit is a job of its own, or the beginning of a run.
      // One with a question comes before a job that does not begin until it is answered.
      state: (state, event) => (event.question ? { ...state, audit: event, asked: event.question } : event.run_id ? { ...inRun(state, event, {}), audit: event } : jobEnded({ ...state, audit: event })),
      line: (event) => ({
        level: worst(event.findings),
        key: "event.audit",
        params: { data: event.data, images: event.images, errors: ofSeverity(event, "error"), warnings: ofSeverity(event, "warning"), groups: event.groups_total },
      }),
      notice: true,
    },
    data_described: { state: (state, event) => ({ ...state, described: event, refused: null }) },
    pre_flight: { state: (state, event) => ({ ...state, preFlight: event, preFlightFault: null }) },
    images_list: { state: (state, event) => ({ ...state, images: event }) },
    dataset_inspected: { state: (state, event) => ({ ...state, inspected: event, inspecting: null }) },
    datasets_list: { state: (state, event) => ({ ...state, datasets: event.datasets }) },
    dataset_added: {
      // The list names what is kept; it is asked for again where it is shown.
      state: (state) => ({ ...state, datasets: null }),
      line: (event) => ({ level: "success", key: "event.dataset_added", params: { name: event.name } }),
      notice: true,
    },
    dataset_deleted: {
      state: (state, event) => ({ ...state, datasets: state.datasets?.filter(({ name }) => name !== event.name) ?? null }),
      line: (event) => ({ level: "info", key: "event.dataset_deleted", params: { name: event.name } }),
      notice: true,
    },
    dataset_corrected: {
      line: (event) => ({ level: event.of_test > 0 ? "warning" : "success", key: "event.dataset_corrected", params: { name: event.name, left_out: event.left_out, relabelled: event.relabelled } }),
      notice: true,
    },
    image_preview: { state: (state, event) => ({ ...state, preview: event }) },
    // Whoever notes something of an image has it in the field.
    doubt_noted: {},
    doubts_found: {
      state: (state, event) => jobEnded({ ...state, doubts: event }),
      line: (event) => ({ level: "success", key: "event.doubts_found", params: { data: event.found.data, likely: event.found.likely, n: event.found.images } }),
      notice: true,
    },
    upload_finished: {
      line: (event) => ({ level: event.left_out_total > 0 ? "warning" : "success", key: "event.upload_finished", params: { folder: event.path, files: event.files, left_out: event.left_out_total } }),
    },
  };

  BreastAI.dataEvents = { rows };
})();
