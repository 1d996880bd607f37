/* The ways in, before there is a run and at the top of the images' view. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;

  /** @param {Context} context */
  function create(context) {
    const chooser = BreastAI.views.folderChooser.create(context);
    context.chooseFolder = chooser.ask;
    context.trySample = () => {
      location.hash = "#training";
      // The form goes on with the images that the run learns from.
      context.connection.request("try_sample").then(({ config }) => context.useData?.(BreastAI.settings.dataFolder(config) || String(config.data.train_dir)), () => {});
    };

    /** Images have come: say what they are. @param {string} path */
    function chosen(path) {
      context.useData?.(path);
      location.hash = "#data";
      context.read?.(path);
    }

    for (const host of ["first-steps-body", "intake-body"]) BreastAI.views.intake.create(context, byId(host), chosen);

    return {
      /** @param {State} state */
      render(state) {
        const isNew = state.runs !== null && state.runs.total === 0 && state.runs.search === "" && state.run === null && state.session.state === "idle";
        byId("first-steps").hidden = !isNew;
      },
      /** @param {State} state */
      slice: (state) => [state.runs, state.run === null, state.session.state],
    };
  }

  BreastAI.views.firstSteps = { create };
})();
