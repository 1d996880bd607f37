/* What is told of studies: cross-validations, searches, repeated runs. One row an event. */
(function () {
  "use strict";

  const { sessionState, jobEnded } = BreastAI.pageState;

  /**
   * The study with a run as it is now, in its place, or at the end when it is new.
   * @param {Wire.Study | null} study
   * @param {Wire.StudyMemberChanged} event
   */
  function withMember(study, { study_id, member }) {
    if (study === null || study.study_id !== study_id) return study;
    const known = study.members.some(({ run_id }) => run_id === member.run_id);
    const members = study.members.map((each) => (each.run_id === member.run_id ? member : each));
    return { ...study, members: known ? members : [...members, member] };
  }

  /**
   * The study as over; a run in progress stopped with it.
   * @param {Wire.Study | null} study
   * @param {Wire.Study["state"]} state
   * @param {string} [message]
   * @returns {Wire.Study | null}
   */
  function endedStudy(study, state, message = "") {
    if (study === null) return study;
    /** @param {Wire.StudyMember} member @returns {Wire.StudyMember} */
    const stopped = (member) => (member.state === "running" ? { ...member, state: "stopped" } : member);
    return { ...study, state, message, members: study.members.map(stopped) };
  }

  /**
   * After a study came to its end, with what came of it.
   * @param {State} state
   * @param {string} study_id
   * @param {Partial<Wire.Study>} result
   */
  function studyComplete(state, study_id, result) {
    const ended = state.study?.study_id === study_id ? endedStudy(state.study, "complete") : null;
    return jobEnded(ended === null ? state : { ...state, study: { ...ended, ...result } });
  }

  /**
   * The study with what is known of its tuning now.
   * @param {Wire.Study | null} study
   * @param {Wire.TuningUpdate | Wire.TuningComplete} event
   */
  function withTuning(study, { study_id, tuning }) {
    return study === null || study.study_id !== study_id ? study : { ...study, tuning };
  }

  /** @type {EventRows} */
  const rows = {
    study_started: {
      // Its runs' own events stay in their journals: a study never becomes the page's run.
      state: (state, event) =>
        sessionState({ ...state, study: event.study, refused: null, dismissed: state.run?.id ?? state.dismissed }, state.session.state === "stopping" ? "stopping" : "running"),
      line: ({ study }) =>
        study.tuning
          ? { level: "info", key: "event.tuning_started", params: { study: study.study_id, trials: study.tuning.trials } }
          : { level: "info", key: "event.study_started", params: { study: study.study_id, runs: study.members.length } },
    },
    study_member: {
      state: (state, event) => ({ ...state, study: withMember(state.study, event) }),
      line: (event) => ({
        level: event.member.state === "failed" ? "error" : "info",
        key: "event.study_member",
        params: { run: event.member.run_id, epoch: event.member.epoch, epochs: event.member.epochs },
      }),
    },
    tuning_update: {
      state: (state, event) => ({ ...state, study: withTuning(state.study, event) }),
      line: ({ tuning }) => ({ level: "info", key: "event.tuning_update", params: { done: tuning.done, trials: tuning.trials, auc: tuning.best_auc } }),
    },
    tuning_complete: {
      state: (state, event) => jobEnded({ ...state, study: endedStudy(withTuning(state.study, event), "complete") }),
      line: ({ tuning }) => ({
        level: "success",
        key: tuning.config_name === null ? "event.tuning_no_better" : "event.tuning_complete",
        params: { auc: tuning.best_auc, before: tuning.default_auc, trials: tuning.done },
      }),
      notice: true,
    },
    // One that goes on is not put aside to look at another.
    study: { state: (state, event) => ({ ...state, study: state.study?.state === "running" ? state.study : event.study, studies: event.studies }) },
    studies_list: {
      // A later page goes after those before it; what it pushed down by a new study may be sent twice.
      state: (state, event) => {
        const before = event.first > 0 && state.studyList !== null ? state.studyList : { studies: [], unreadable: [] };
        const known = new Set([...before.studies.map(({ study_id }) => study_id), ...before.unreadable]);
        const studies = [...before.studies, ...event.studies.filter(({ study_id }) => !known.has(study_id))];
        return { ...state, studyList: { ...event, studies, unreadable: [...before.unreadable, ...event.unreadable.filter((study_id) => !known.has(study_id))] } };
      },
    },
    crossval_complete: {
      state: (state, event) => studyComplete(state, event.study_id, { crossval: event.result }),
      line: (event) => ({ level: "success", key: "event.crossval_complete", params: { study: event.study_id, n: event.result.cases } }),
      notice: true,
    },
    seeds_complete: {
      state: (state, event) => studyComplete(state, event.study_id, { seeds: event.result }),
      line: (event) => ({ level: "success", key: "event.seeds_complete", params: { study: event.study_id, n: event.result.seeds.length } }),
      notice: true,
    },
    study_stopped: {
      state: (state, event) => jobEnded({ ...state, study: endedStudy(state.study, event.reason === "user" ? "stopped" : "interrupted") }),
      line: (event) => ({ level: "warning", key: "event.study_stopped", params: { study: event.study_id } }),
      notice: true,
    },
  };

  BreastAI.studyEvents = { rows };
})();
