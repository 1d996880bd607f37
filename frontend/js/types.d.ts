/* The types of the page: the events of the wire as breastai/domain/events.py has them, the state, and what each file offers. */

import type { Chart as ChartClass } from "chart.js";

declare global {
  var Chart: typeof ChartClass | undefined;
  var BreastAI: BreastAIGlobal;

  // --- the wire ---------------------------------------------------------------------------------

  namespace Wire {
    type Catalog = Record<string, unknown> & { asking?: { most_images: number; most_image_bytes: number } };
    type Outcome = TrainingComplete | TrainingStopped | Error;
    type AnyEvent = Events[keyof Events];

    /** A text: its key in the catalogue and what is filled in. */
    interface Text {
      code: string;
      params: Record<string, unknown>;
    }

    interface Event {
      session_id?: string;
      request_id?: string;
      run_id?: string;
      seq?: number;
      time?: string;
    }

    interface TrainingStarted extends Event {
      type: "training_started";
      architecture: string;
      epochs: number;
      start_epoch: number;
      class_names: string[];
      config: Record<string, any>;
      format: number;
    }

    interface DataLoaded extends Event {
      type: "data_loaded";
      train: Record<string, number>;
      val: Record<string, number>;
      split: Text | string;
      patients: number | null;
      patients_by_part: Record<string, number> | null;
      skipped: number;
      skipped_files: Record<string, string>[];
      masks: number;
      on_leak: string;
      groups: number;
      excluded: Record<string, number>;
      shared_patients: Record<string, number> | null;
      shared_groups: Record<string, number>;
      cache: string | null;
    }

    interface ModelLoaded extends Event {
      type: "model_loaded";
      architecture: string;
      weights: "file" | "package" | "hub" | "none" | "checkpoint";
      weights_detail: string;
      parameters: number;
      device: string;
      dtype: string;
      threads: number;
      plan: string | null;
      plan_reasons?: (Text | string)[];
      expected_s: number | null;
      peak_memory_gb: number | null;
      again: boolean;
    }

    interface ProgressUpdate extends Event {
      type: "progress_update";
      stage: "copying" | "preparing" | "auditing" | "tuning" | "training" | "validating" | "evaluating" | "exporting" | "predicting" | "reporting" | "waiting";
      text?: Text | null;
      message: string;
      epoch: number | null;
      epochs: number | null;
      progress: number | null;
      eta_s: number | null;
      batch_progress: BatchProgress | null;
    }

    interface BatchProgress {
      batch: number;
      total_batches: number;
      current_loss: number | null;
      current_accuracy: number | null;
    }

    interface TrainingUpdate extends Event {
      type: "training_update";
      epoch: number;
      epochs: number;
      metrics: Record<string, number | null>;
      val_confusion_matrix: number[][];
      val_per_class: Record<string, Record<string, number | null>>;
      learning_rate: number;
      images_per_second: number | null;
      epoch_s: number;
      eta_s: number | null;
      is_best: boolean;
    }

    interface CheckpointSaved extends Event {
      type: "checkpoint_saved";
      checkpoint: string;
      filename: string;
      path: string;
      epoch: number;
      accuracy: number | null;
      size_mb: number;
    }

    interface TrainingComplete extends Event {
      type: "training_complete";
      final_metrics: Record<string, any>;
      history: Record<string, any[]>;
      checkpoint: string;
      best_epoch: number;
      epochs_run: number;
      stopped_early: boolean;
      duration_s: number;
      referral: ReferralTradeOff[];
    }

    interface ReferralTradeOff {
      error_rate: number;
      referred: number;
      error_among_kept: number | null;
      n: number;
    }

    interface TrainingStopped extends Event {
      type: "training_stopped";
      reason: "user" | "server_gone" | "error";
      epoch: number | null;
      checkpoint: string | null;
      message: string;
      dismissed: boolean;
    }

    interface JobStopped extends Event {
      type: "job_stopped";
      job: string;
    }

    interface StudyMember {
      run_id: string;
      trial: number | null;
      repeat: number | null;
      fold: number | null;
      state: "waiting" | "running" | "complete" | "pruned" | "stopped" | "failed";
      epoch: number;
      epochs: number;
      best_epoch: number | null;
      curves: Record<string, (number | null)[]>;
      figures: Record<string, number | null>;
      n: number | null;
      values: Record<string, any>;
      tuning: TuningState | null;
      message: string;
    }

    interface Study {
      format: number;
      study_id: string;
      kind: "crossval" | "tuning" | "seeds";
      state: "running" | "complete" | "stopped" | "interrupted" | "failed";
      created: string;
      message: string;
      config: Record<string, any>;
      members: StudyMember[];
      tuning: TuningState | null;
      crossval: CrossvalResult | null;
      seeds: SeedsResult | null;
    }

    interface SettingImportance {
      setting: string;
      share: number | null;
    }

    interface TuningState {
      trials: number;
      done: number;
      max_hours: number | null;
      spent_s: number;
      default_auc: number | null;
      best: string | null;
      best_auc: number | null;
      val_images: number | null;
      epochs_run: number;
      epochs_saved: number;
      importance: SettingImportance[];
      config_name: string | null;
    }

    interface TuningUpdate extends Event {
      type: "tuning_update";
      study_id: string;
      tuning: TuningState;
    }

    interface TuningComplete extends Event {
      type: "tuning_complete";
      study_id: string;
      tuning: TuningState;
      values: Record<string, any>;
      reason: "trials" | "time";
    }

    interface Spread {
      mean: number;
      standard_deviation: number;
      low: number;
      high: number;
      n: number;
    }

    interface SeedsResult {
      seeds: number[];
      checkpoints: string[];
      spread: Record<string, Spread>;
    }

    interface SeedsComplete extends Event {
      type: "seeds_complete";
      study_id: string;
      result: SeedsResult;
    }

    interface CrossvalResult {
      class_names: string[];
      cases: number;
      predictions: number;
      counts: Record<string, number>;
      units: number | null;
      patients_known: boolean;
      grouped: boolean;
      tuned: boolean;
      figures: Record<string, Figure>;
      at_thresholds: Record<string, Figure>;
      target_class: string | null;
      confusion_matrix: number[][];
      roc: Record<string, Record<string, (number | null)[]>>;
      spread: Record<string, Spread>;
      notes: (Text | string)[];
      record: string;
      export: string | null;
      export_difference: number | null;
    }

    interface StudyShown extends Event {
      type: "study";
      study: Study | null;
      studies: string[];
    }

    interface StudyEntry {
      study_id: string;
      kind: "crossval" | "tuning" | "seeds";
      state: Study["state"];
      created: string;
      done: number;
      planned: number;
      auc_roc: number | null;
      auc_low: number | null;
      auc_high: number | null;
    }

    interface StudiesList extends Event {
      type: "studies_list";
      studies: StudyEntry[];
      unreadable: string[];
      total: number;
      first: number;
    }

    interface CrossvalComplete extends Event {
      type: "crossval_complete";
      study_id: string;
      result: CrossvalResult;
    }

    interface StudyStarted extends Event {
      type: "study_started";
      study: Study;
    }

    interface StudyMemberChanged extends Event {
      type: "study_member";
      study_id: string;
      member: StudyMember;
    }

    interface StudyStopped extends Event {
      type: "study_stopped";
      study_id: string;
      kind: "crossval" | "tuning" | "seeds";
      reason: "user" | "server_gone";
    }

    interface Evaluation extends Event {
      type: "evaluation";
      checkpoint: string;
      data: string;
      split: string | null;
      n: number;
      patients: number | null;
      by_patient: ByPatient | null;
      uses: ImageUse | null;
      class_names: string[];
      counts: Record<string, number>;
      figures: Record<string, Figure>;
      confusion_matrix: number[][];
      skipped: Record<string, string>[];
      notes: (Text | string)[];
      operating_point: JudgedPoint | null;
      prevalences: Record<string, number>;
      predictive_values: Record<string, Figure>;
      roc: Record<string, Curve>;
      precision_recall: Record<string, Curve>;
      decision: Curve;
      calibration: CalibrationEvidence | null;
      referral: Referral | null;
      fingerprint: string | null;
      opened: number | null;
      record: string | null;
    }

    /** Columns of equal length. */
    type Curve = Record<string, (number | null)[]>;

    interface ByPatient {
      score: "largest" | "mean";
      target_class: string | null;
      patients: number;
      mixed: number;
      counts: Record<string, number>;
      positives: number | null;
      missed: number | null;
      negatives: number | null;
      flagged: number | null;
    }

    interface ImageUse {
      training: number;
      epoch: number;
      temperature: number;
      threshold: number;
      conformal_sets: number;
      novelty: number;
    }

    interface JudgedPoint {
      class_name: string;
      threshold: number;
      target_sensitivity: number;
      validation_positives: number;
      validation_unit: "image" | "group" | "patient";
      reached: boolean;
      figures: Record<string, Figure>;
      positives: number;
      missed: number;
      negatives: number;
      called: number;
    }

    interface Reliability {
      curve: Curve;
      ece: number | null;
      brier: number | null;
      log_loss: number | null;
    }

    interface CalibrationEvidence {
      temperature: number;
      prior_shift: number[];
      before: Reliability;
      after: Reliability;
    }

    interface Referral {
      error_rate: number | null;
      referred: Figure;
      error_among_kept: Figure;
      outside: Figure | null;
      unlike: Figure | null;
    }

    interface Comparison extends Event {
      type: "comparison";
      first: string;
      second: string;
      n: number;
      patients: number | null;
      class_names: string[];
      figures: Record<string, PairedFigure>;
      notes: (Text | string)[];
    }

    interface PairedFigure {
      first: number | null;
      second: number | null;
      difference: Figure;
      z: number | null;
      p_value: number | null;
    }

    interface AuditDone extends Event {
      type: "audit";
      data: string;
      images: number;
      findings: Finding[];
      groups: TwinGroup[];
      groups_total: number;
      question: LeakQuestion | null;
    }

    interface LeakQuestion {
      job: "train" | "crossval" | "tune" | "train_seeds";
      config: Record<string, any>;
      code: string;
      params: Record<string, any>;
    }

    interface Finding {
      code: string;
      severity: "error" | "warning" | "info";
      message: string;
      why: string;
      advice: string;
      files: string[];
      count: number;
      params: Record<string, any>;
    }

    interface TwinGroup {
      files: string[];
      classes: string[];
      splits: string[];
      pictures: string[];
    }

    interface ReportCreated extends Event {
      type: "report_created";
      report_of: string;
      language: string;
      files: string[];
      url: string;
    }

    interface Figure {
      value: number | null;
      low: number | null;
      high: number | null;
      n: number;
      flag: "one_patient" | "few_patients" | "often_undefined" | "no_variation" | "biased" | "loose_bound" | null;
    }

    interface Prediction extends Event {
      type: "prediction";
      file: string;
      label: string | null;
      probabilities: Record<string, number> | null;
      target_class: string | null;
      threshold: number | null;
      called: boolean | null;
      refer: boolean | null;
      decision: string | null;
      refer_reason: "modality" | "unlike" | "several_classes" | "no_class" | "answer_not_plausible" | null;
      plausible: string[];
      sets_offered: boolean | null;
      novelty: number | null;
      novelty_limit: number | null;
      processing: Processing | null;
      laterality: "L" | "R" | "B" | null;
      view: string | null;
      modality: string | null;
      known_modalities: string[];
      notes: (Text | string)[];
      error: string | null;
      error_text?: Text | string | null;
    }

    interface Processing {
      width: number;
      height: number;
      colour: boolean;
      crop: [number, number, number, number] | null;
      flipped: boolean;
      resize: string;
      clahe: boolean;
      image_size: number;
    }

    interface PredictionsComplete extends Event {
      type: "predictions_complete";
      count: number;
      failed: number;
    }

    interface ImageAdded extends Event {
      type: "image_added";
      image: string;
      received: number;
    }

    interface ModelAnswer {
      model: string;
      prediction: Prediction;
      heat_map: string | null;
    }

    interface ImageAnswer extends Event {
      type: "image_answer";
      image: string;
      name: string;
      picture: string | null;
      answers: ModelAnswer[];
    }

    interface ImagesAnswered extends Event {
      type: "images_answered";
      count: number;
      failed: number;
      kept: string | null;
    }

    interface WrongCase {
      label: string;
      predicted: string;
      probability: number;
      given_to_truth: number;
      file: string | null;
      picture: string | null;
    }

    interface ErrorsShown extends Event {
      type: "errors_shown";
      errors_of: string;
      data: string | null;
      split: string | null;
      cases: number;
      wrong: number;
      worst: WrongCase[];
    }

    interface HeatMap extends Event {
      type: "heat_map";
      file: string;
      explained_class: string | null;
      probabilities: Record<string, number> | null;
      path: string | null;
      notes: string[];
      error: string | null;
    }

    interface ExplanationsComplete extends Event {
      type: "explanations_complete";
      count: number;
      failed: number;
      folder: string;
    }

    interface ExportComplete extends Event {
      type: "export_complete";
      format: string;
      path: string;
      size: number;
      size_mb: number;
      checkpoint: string;
      max_difference: number | null;
      compared: string | null;
      figures: Record<string, PairedFigure>;
    }

    interface BenchMeasured extends Event {
      type: "bench";
      architecture: string;
      image_size: number;
      batch_size: number;
      dtype: string;
      threads: number;
      train_images_per_second: number;
      evaluate_images_per_second: number;
      matrix_gflops: number;
      peak_share: number;
      loader_wait_share: number;
      peak_memory_gb: number;
      training_images: number;
      validation_images: number;
      epochs: number;
      estimated_s: number | null;
      plan: string | null;
    }

    interface ConnectionEstablished extends Event {
      type: "connection_established";
      version: string;
      research_use: string;
      catalog: Catalog;
      config: Record<string, any>;
      config_schema: JsonSchema;
      config_error: Text | string | null;
      token_required: boolean;
      interrupted: InterruptedRun[];
      snapshot: Snapshot;
    }

    interface Snapshot {
      session_id: string;
      state: "idle" | "starting" | "running" | "stopping";
      job: string | null;
      run_id: string | null;
      seq: number | null;
      started: TrainingStarted | null;
      data: DataLoaded | null;
      model: ModelLoaded | null;
      progress: ProgressUpdate | null;
      update: TrainingUpdate | null;
      outcome: Outcome | null;
      current_model: string | null;
      study: Study | null;
    }

    interface Status extends Event {
      type: "status";
      snapshot: Snapshot;
      connected_clients: number;
      missed: number | null;
      left_out: boolean;
    }

    interface SkippedFile {
      split: string;
      file: string;
      reason: string;
    }

    interface DataWarning {
      code: string;
      params: Record<string, any>;
    }

    interface DataQuestion {
      code: string;
      message: string;
      params: Record<string, any>;
    }

    interface ImageEntry {
      file: string;
      class_name: string;
      picture: string | null;
      width: number | null;
      height: number | null;
      laterality: "L" | "R" | "B" | null;
      view: string | null;
      problem: string | null;
    }

    interface DataDescribed extends Event {
      type: "data_described";
      folders: Record<string, string>;
      class_names: string[];
      counts: Record<string, Record<string, number>>;
      set_aside: number | null;
      patients: number | null;
      masks: number;
      skipped: SkippedFile[];
      skipped_total: number;
      looked_at: number;
      images: number;
      warnings: DataWarning[];
      target_class: string | null;
      questions: DataQuestion[];
    }

    interface ImagesList extends Event {
      type: "images_list";
      split: string;
      class_name: string | null;
      class_names: string[];
      first: number;
      total: number;
      images: ImageEntry[];
    }

    interface ImagePreview extends Event {
      type: "image_preview";
      split: string;
      file: string;
      class_name: string;
      width: number;
      height: number;
      grey: boolean;
      laterality: "L" | "R" | "B" | null;
      view: string | null;
      image_size: number;
      original: string;
      preprocessed: string;
      augmented: string[];
    }

    interface ExportEntry {
      path: string;
      format: string;
      size: number;
      created: string;
      checkpoint: string | null;
    }

    interface CheckpointVerified extends Event {
      type: "checkpoint_verified";
      checkpoint: string;
      sha256: string;
    }

    interface ExportsList extends Event {
      type: "exports_list";
      exports: ExportEntry[];
    }

    interface ExportDeleted extends Event {
      type: "export_deleted";
      path: string;
    }

    interface ExportVerified extends Event {
      type: "export_verified";
      path: string;
      references: number;
      max_difference: number;
      allowed_difference: number;
    }

    interface RunEntry {
      run_id: string;
      state: "running" | "complete" | "stopped" | "failed" | "unknown";
      started: string | null;
      ended: string | null;
      architecture: string | null;
      epochs: number | null;
      epochs_run: number | null;
      best_epoch: number | null;
      class_names: string[];
      data: string | null;
      metrics: Record<string, number | null>;
      checkpoints: string[];
      size_bytes: number;
      tags: string[];
      note: string;
      unread_lines: number;
      unread_files: string[];
    }

    interface SettingDifference {
      path: string;
      values: unknown[];
    }

    interface RunsList extends Event {
      type: "runs_list";
      runs: RunEntry[];
      total: number;
      first: number;
      search: string;
    }

    interface RunAnnotated extends Event {
      type: "run_annotated";
      run: RunEntry;
    }

    interface RunDeleted extends Event {
      type: "run_deleted";
      deleted: string;
      checkpoints: string[];
    }

    interface ComparedRun {
      run: RunEntry;
      epochs: number;
      curves: Record<string, (number | null)[]>;
      config: Record<string, any>;
    }

    interface RunsCompared extends Event {
      type: "runs_compared";
      runs: ComparedRun[];
      differences: SettingDifference[];
    }

    interface QueueEntry {
      entry: string;
      job: string;
      queued: string;
      architecture: string | null;
      epochs: number | null;
      data: string | null;
      checkpoint: string | null;
    }

    interface JobQueued extends Event {
      type: "job_queued";
      entry: QueueEntry;
      place: number;
    }

    interface QueueShown extends Event {
      type: "queue";
      entries: QueueEntry[];
      held: boolean;
      limit: number;
      unread: number;
    }

    interface Log extends Event {
      type: "log";
      level: "debug" | "info" | "success" | "warning" | "error";
      message: string;
      code: string | null;
      params: Record<string, any>;
    }

    interface History extends Event {
      type: "history";
      epochs: TrainingUpdate[];
      first: number | null;
      last: number | null;
      total: number;
    }

    interface CheckpointsList extends Event {
      type: "checkpoints_list";
      checkpoints: CheckpointEntry[];
    }

    interface CheckpointEntry {
      checkpoint: string;
      filename: string;
      path: string;
      size: number;
      created: string;
      run_id: string;
      epoch: number | null;
      accuracy: number | null;
      architecture: string | null;
      class_names: string[];
      metrics: Record<string, any>;
      resumable: boolean;
      problem: string | null;
    }

    interface CheckpointLoaded extends Event {
      type: "checkpoint_loaded";
      checkpoint: string;
      start_epoch: number;
      architecture: string;
      class_names: string[];
      metrics: Record<string, any>;
    }

    interface CheckpointDeleted extends Event {
      type: "checkpoint_deleted";
      checkpoint: string;
      filename: string;
    }

    interface SystemDiagnostics extends Event {
      type: "system_diagnostics";
      cpu_percent: number;
      cpu_count: number;
      memory_used_gb: number;
      memory_total_gb: number;
      memory_percent: number;
      disk_percent: number;
      disk_free_gb: number;
      platform: string;
      versions: Record<string, string | null>;
      server_memory_mb: number;
      worker_memory_mb: number | null;
      worker_cpu_percent: number | null;
      uptime_s: number;
    }

    interface BackupCreated extends Event {
      type: "backup_created";
      path: string;
      size_mb: number;
      files: number;
    }

    interface BackupEntry {
      name: string;
      created: string;
      size_mb: number;
      kind: "project" | "run";
    }

    interface BackupsList extends Event {
      type: "backups_list";
      backups: BackupEntry[];
    }

    interface BackupVerified extends Event {
      type: "backup_verified";
      name: string;
      created: string;
      files: number;
      size_mb: number;
    }

    interface BackupDeleted extends Event {
      type: "backup_deleted";
      name: string;
    }

    interface HeldBack {
      file: string;
      setting: string;
      asked: string;
      kept: string;
    }

    interface BackupRestored extends Event {
      type: "backup_restored";
      name: string;
      files: string[];
      count: number;
      held_back: HeldBack[];
    }

    interface InterruptedRun {
      run_id: string;
      cause: "crash" | "server_gone" | "error" | "stopped";
      reason: string;
      epoch: number;
      epochs: number;
      time: string | null;
      architecture: string;
    }

    interface InterruptedRuns extends Event {
      type: "interrupted_runs";
      runs: InterruptedRun[];
    }

    interface ConfigShown extends Event {
      type: "config";
      config: Record<string, any>;
      config_schema: JsonSchema;
    }

    interface ConfigSaved extends Event {
      type: "config_saved";
      config: Record<string, any>;
      path: string;
      name: string | null;
    }

    interface ConfigDeleted extends Event {
      type: "config_deleted";
      name: string;
    }

    interface ConfigChecked extends Event {
      type: "config_checked";
      problems: string[];
      faults: (Text | string)[];
    }

    type DocumentKind = "config" | "named_config" | "server_log" | "worker_log" | "journal" | "evaluation" | "report" | "manifest";

    interface DocumentEntry {
      kind: DocumentKind;
      name: string;
      size: number;
      modified: string;
    }

    interface DocumentsList extends Event {
      type: "documents_list";
      documents: DocumentEntry[];
    }

    interface Document extends Event {
      type: "document";
      kind: DocumentKind;
      name: string;
      text: string;
      size: number;
      cut: boolean;
      editable: boolean;
    }

    interface Pong extends Event {
      type: "pong";
      timestamp: number | string | null;
    }

    interface DisconnectAck extends Event {
      type: "disconnect_ack";
    }

    interface Error extends Event {
      type: "error";
      code: string;
      message: string;
      params: Record<string, any>;
    }

    interface Events {
      training_started: TrainingStarted;
      data_loaded: DataLoaded;
      model_loaded: ModelLoaded;
      progress_update: ProgressUpdate;
      training_update: TrainingUpdate;
      checkpoint_saved: CheckpointSaved;
      training_complete: TrainingComplete;
      training_stopped: TrainingStopped;
      job_stopped: JobStopped;
      study_started: StudyStarted;
      study: StudyShown;
      studies_list: StudiesList;
      study_member: StudyMemberChanged;
      crossval_complete: CrossvalComplete;
      seeds_complete: SeedsComplete;
      study_stopped: StudyStopped;
      tuning_update: TuningUpdate;
      tuning_complete: TuningComplete;
      evaluation: Evaluation;
      comparison: Comparison;
      audit: AuditDone;
      report_created: ReportCreated;
      prediction: Prediction;
      predictions_complete: PredictionsComplete;
      heat_map: HeatMap;
      explanations_complete: ExplanationsComplete;
      image_added: ImageAdded;
      image_answer: ImageAnswer;
      images_answered: ImagesAnswered;
      errors_shown: ErrorsShown;
      export_complete: ExportComplete;
      bench: BenchMeasured;
      connection_established: ConnectionEstablished;
      status: Status;
      checkpoint_verified: CheckpointVerified;
      exports_list: ExportsList;
      export_deleted: ExportDeleted;
      export_verified: ExportVerified;
      data_described: DataDescribed;
      images_list: ImagesList;
      image_preview: ImagePreview;
      runs_list: RunsList;
      run_annotated: RunAnnotated;
      run_deleted: RunDeleted;
      runs_compared: RunsCompared;
      job_queued: JobQueued;
      queue: QueueShown;
      log: Log;
      history: History;
      checkpoints_list: CheckpointsList;
      checkpoint_loaded: CheckpointLoaded;
      checkpoint_deleted: CheckpointDeleted;
      system_diagnostics: SystemDiagnostics;
      backup_created: BackupCreated;
      backups_list: BackupsList;
      backup_verified: BackupVerified;
      backup_deleted: BackupDeleted;
      backup_restored: BackupRestored;
      interrupted_runs: InterruptedRuns;
      config: ConfigShown;
      config_saved: ConfigSaved;
      config_deleted: ConfigDeleted;
      config_checked: ConfigChecked;
      documents_list: DocumentsList;
      document: Document;
      pong: Pong;
      disconnect_ack: DisconnectAck;
      error: Error;
    }
  }

  interface JsonSchema {
    [keyword: string]: any;
  }

  // --- the state --------------------------------------------------------------------------------

  interface ConnectionState {
    phase: "disconnected" | "connecting" | "connected" | "waiting";
    url: string;
    attempt: number;
    retryInS: number | null;
    failed: boolean;
  }

  interface Session {
    state: "idle" | "starting" | "running" | "stopping";
    job: string | null;
    currentModel: string | null;
    clients: number | null;
  }

  /** A run as far as the page knows it: `epochs` sorted, each once; up to `filledTo` the server was asked for them. */
  interface Run {
    id: string;
    seq: number;
    started: Wire.TrainingStarted | null;
    data: Wire.DataLoaded | null;
    model: Wire.ModelLoaded | null;
    epochs: Wire.TrainingUpdate[];
    filledTo: number;
    lastEpoch: number;
    checkpoint: Wire.CheckpointSaved | null;
    outcome: Wire.Outcome | null;
  }

  /** What a line says: a text of ours by `key`, or the server's by `code`, else its `message`. */
  interface LineContent {
    level: "debug" | "info" | "success" | "warning" | "error";
    key?: string;
    code?: string | null;
    params?: Record<string, unknown>;
    message?: string;
  }

  interface LogLine extends LineContent {
    run?: string;
    seq?: number;
    time?: string;
  }

  interface Notice extends LineContent {
    id: number;
    sticky: boolean;
  }

  /** What waits for an answer about duplicates and leaks: the request to send again, and what a job itself asked. */
  interface Asked {
    request: string;
    order: Record<string, any>;
    question: Wire.LeakQuestion | null;
  }

  interface State {
    connection: ConnectionState;
    welcome: Wire.ConnectionEstablished | null;
    session: Session;
    progress: Wire.ProgressUpdate | null;
    run: Run | null;
    /** The latest study, with all its runs. */
    study: Wire.Study | null;
    /** The names of all studies, the latest first; null when not asked for. */
    studies: string[] | null;
    checkpoints: Wire.CheckpointEntry[] | null;
    loaded: Wire.CheckpointLoaded | null;
    exports: Wire.ExportComplete[];
    evaluation: Wire.Evaluation | null;
    comparison: Wire.Comparison | null;
    audit: Wire.AuditDone | null;
    /** What waits for an answer about duplicates and leaks. */
    asked: Asked | null;
    /** What a run would take, as last measured. */
    estimate: Wire.BenchMeasured | null;
    reports: Wire.ReportCreated[];
    queue: Wire.QueueShown | null;
    runs: Wire.RunsList | null;
    comparedRuns: Wire.RunsCompared | null;
    described: Wire.DataDescribed | null;
    exported: Wire.ExportEntry[] | null;
    /** Checkpoints and exports that proved whole on this page. */
    verified: Record<string, boolean>;
    images: Wire.ImagesList | null;
    preview: Wire.ImagePreview | null;
    predictions: Wire.Prediction[];
    heatMaps: Wire.HeatMap[];
    /** The latest question about images handed over, and its answers so far. */
    asking: { models: string[]; count: number; answers: Wire.ImageAnswer[] } | null;
    errors: Wire.ErrorsShown | null;
    diagnostics: Wire.SystemDiagnostics | null;
    backup: Wire.BackupCreated | null;
    backups: Wire.BackupEntry[] | null;
    studyList: Wire.StudiesList | null;
    interrupted: Wire.InterruptedRun[];
    savedConfigPath: string | null;
    documents: Wire.DocumentEntry[] | null;
    /** The text in the editor, as it came. */
    document: Wire.Document | null;
    /** A configuration that the form shall show. */
    offered: Record<string, any> | null;
    problems: (Wire.Text | string)[];
    pongMs: number | null;
    /** Requests without an answer yet: id -> type. */
    pending: Record<string, string>;
    log: LogLine[];
    notices: Notice[];
    noticeCount: number;
  }

  interface Store {
    state(): State;
    dispatch(action: Wire.AnyEvent | { type: string; [field: string]: unknown }): void;
    subscribe(listener: (state: State) => void): void;
  }

  interface Connection {
    connect(url: string): void;
    disconnect(): void;
    request(type: string, fields?: Record<string, unknown>): Promise<any>;
    retryNow(): void;
  }

  // --- drawing ----------------------------------------------------------------------------------

  interface ElementOptions {
    class?: string;
    text?: string;
    attributes?: Record<string, string | number | boolean | null>;
    data?: Record<string, string>;
    on?: Record<string, (event: any) => void>;
  }

  interface CatalogRow {
    name: string;
    direction?: string | null;
    kind?: string;
    [column: string]: unknown;
  }

  interface Field {
    path: string;
    section: string;
    kind: "boolean" | "choice" | "integer" | "number" | "text" | "json";
    nullable: boolean;
    options: unknown[];
    description: string;
    fallback: unknown;
    minimum?: number;
    maximum?: number;
    above?: number;
    below?: number;
    longest?: number;
    shortest?: number;
  }

  interface FieldHandlers {
    onChange(field: Field, value: unknown): void;
    onFault(field: Field, text: string): void;
    onReset(field: Field): void;
  }

  interface DrawnField {
    field: Field;
    element: HTMLElement;
    show(value: unknown, changed: boolean, fault: string | null): void;
    /** What stands in the control, used or not. */
    typed(): string;
    /** As if the user had typed it. */
    type(text: string): void;
  }

  /** A place on a curve; a gap where `y` is null. */
  interface Point {
    x: number;
    y: number | null;
  }

  interface Line {
    label: string;
    points: Point[];
    /** Whether what lies between this line and the one before it is filled. */
    band?: boolean;
  }

  interface Span {
    from: number;
    to: number;
  }

  /** Names of the axes; `whole`: over epochs, `unit`: between 0 and 1 on both; `value`: how a y is written. */
  interface ChartSpec {
    x: string;
    y?: string;
    whole?: boolean;
    unit?: boolean;
    value?: (value: any) => string;
  }

  interface LineChart {
    show(lines: Line[], options?: { range?: Span | null; weight?: number }): void;
    /** Show or hide a line; tells whether it is shown now. */
    toggle(index: number): boolean;
    placeAt(pixel: number): number;
    area(): { left: number; right: number; top: number; bottom: number };
    restyle(): void;
    picture(title: string): Promise<Blob | null>;
    destroy(): void;
  }

  /** The editor's box: rows count from 0. */
  interface CodeBox {
    text(): string;
    show(text: string, kind: { json: boolean; editable: boolean }): void;
    mark(faults: { row: number; text: string }[]): void;
    go(row: number): void;
    find(): void;
    resize(): void;
  }

  interface ChartCard {
    element: HTMLElement;
    show(lines: Line[], options?: { range?: Span | null; weight?: number; description?: string }): void;
    restyle(): void;
    destroy(): void;
  }

  /** What is typed into the form that starts a run. */
  interface FormValues {
    changed: Map<string, unknown>;
    faults: Map<string, string>;
    base(): Record<string, unknown>;
    changes(): Record<string, unknown>;
    effective(): Record<string, unknown>;
    clear(): void;
    set(path: string, value: unknown): void;
    reset(path: string): void;
    take(config: Record<string, unknown>, fields: Field[]): void;
    isOpen(path: string): boolean;
    at(path: string): unknown;
  }

  interface Context {
    store: Store;
    connection: Connection;
    restyle(): void;
    /** The fields of start_training as the form has them; set by the form. */
    order?: () => Record<string, any>;
    /** Sends a request that may be answered by a question about leaks, which is then shown; set by the form. */
    ask?: (request: string, wanted: Record<string, any>) => Promise<void>;
    /** Every setting as the form has it, and a setting put into the form; set by the form. */
    values?: () => Record<string, unknown>;
    adopt?: (path: string, value: unknown) => void;
  }

  /** A part of the page: drawn again when a value of its `slice` is another. */
  interface View {
    /** The section outside of which it draws nothing. */
    within?: string;
    render(state: State): void;
    slice(state: State): unknown[];
  }

  // --- what each file offers ----------------------------------------------------------------------

  interface BreastAIGlobal {
    locales: Record<string, Record<string, string | Record<string, string>>>;
    i18n: {
      languages(): string[];
      choose(remembered: string | null, browserLanguages: readonly string[]): string;
      begin(): void;
      current(): string;
      tag(): string;
      set(language: string): void;
      remember(language: string): void;
      onChange(listener: () => void): void;
      has(key: string): boolean;
      t(key: string, params?: Record<string, unknown>): string;
      plural(key: string, count: number, params?: Record<string, unknown>): string;
      say(text: Wire.Text | string): string;
      errorText(error: { code: string; message: string; params?: Record<string, unknown> }): string;
      apply(root: ParentNode): void;
    };
    memory: { read(name: string): string | null; write(name: string, value: string | null): void };
    format: {
      NONE: string;
      figure(value: any): string;
      fixed(value: any, digits: number): string;
      day(iso: any): string;
      interval(figure: { low: number | null; high: number | null; flag?: Wire.Figure["flag"] }): string;
      integer(value: any): string;
      number(value: any, digits?: number): string;
      percent(value: any, digits?: number): string;
      small(value: any): string;
      bytes(value: any): string;
      megabytes(value: any): string;
      gigabytes(value: any): string;
      duration(seconds: any): string;
      date(iso: string | null | undefined): string;
      time(iso: string | null | undefined): string;
    };
    elements: {
      make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, options?: ElementOptions, ...children: (Node | string | null)[]): HTMLElementTagNameMap[Tag];
      name(name: string): HTMLElement;
      said(text: Wire.Text | string, classes?: string): HTMLElement;
      byId(id: string): HTMLElement;
      fill(parent: Element, ...children: (Node | string | null)[]): void;
      actionButton(action: string, text: string, options?: ElementOptions): HTMLButtonElement;
      table(spec: { caption: string; captionHidden?: boolean; head: (Node | string)[]; rows: (Node | string)[][]; class?: string; numeric?: boolean }): HTMLTableElement;
      scroller(label: string, content: Node): HTMLElement;
      terms(pairs: [string, Node | string][]): HTMLElement;
    };
    store: {
      initial(): State;
      reduce(state: State, action: any): State;
      rows: { [Name in keyof Wire.Events]: (state: State, event: Wire.Events[Name]) => State };
      lines: { [Name in keyof Wire.Events]?: (event: Wire.Events[Name]) => LineContent };
      missingEpochs(state: State): { from: number; to: number } | null;
      isPending(state: State, request: string): boolean;
      stoppedKey(event: Wire.TrainingStopped): string;
      create(): Store;
    };
    /** Set by session.js, which the server writes. */
    sessionToken?: string;
    token: {
      read(): Promise<void>;
      isMissing(): boolean;
      taken(address: string): string;
      addedTo(address: string): string;
    };
    connection: { defaultUrl(location: Location): string; isSocketUrl(url: string): boolean; create(store: Store): Connection };
    catalog: {
      rowsOf(catalog: Wire.Catalog | undefined, table: string): CatalogRow[];
      names(catalog: Wire.Catalog | undefined, table: string): string[];
      family(name: string): string;
      metricName(name: string): string;
      familyName(name: string): string;
      numbers(catalog: Wire.Catalog | undefined): CatalogRow[];
      headline(catalog: Wire.Catalog | undefined): { large: CatalogRow[]; others: CatalogRow[] };
      curves(catalog: Wire.Catalog | undefined): { family: string; first: boolean; series: { key: string; name: string; part: string | null }[] }[];
      choices(catalog: Wire.Catalog): Record<string, string[]>;
      best(epochs: Wire.TrainingUpdate[], key: string, direction: string | null | undefined): { value: number; epoch: number } | null;
    };
    settings: {
      fields(root: JsonSchema, choices?: Record<string, string[]>): Field[];
      at(values: any, path: string): unknown;
      branch(path: string, value: unknown): Record<string, unknown>;
      overlay(base: Record<string, unknown>, ...layers: Record<string, unknown>[]): Record<string, unknown>;
      same(one: unknown, other: unknown): boolean;
      shown(field: Field, value: unknown): string;
      readNumber(text: string, whole: boolean): { value: number } | { problem: string; params: Record<string, unknown> };
      parse(field: Field, text: string): { value: unknown } | { problem: string; params: Record<string, unknown> };
      dataFolder(config: any): string;
      pathOf(fault: Wire.Text | string): string | null;
    };
    actions: {
      blocked(action: string, state: State): string | null;
      mark(button: HTMLButtonElement, reason: string | null): void;
      markAll(root: ParentNode, state: State): void;
    };
    series: {
      points(epochs: Wire.TrainingUpdate[], value: (row: any) => unknown): Point[];
      smoothed(line: Point[], weight: number): Point[];
      isEmpty(line: Line): boolean;
      bandOf(runs: Record<string, (number | null)[]>[], figure: string, labels: { mean: string; low: string; high: string }): Line[];
      csv(rows: unknown[][]): string;
      rowsOf(lines: Line[], axes: { x: string; y: string }): unknown[][];
    };
    servedFiles: { address(state: State, path: string): string; link(state: State, path: string): HTMLAnchorElement };
    download: { save(name: string, content: Blob): void; saveText(name: string, text: string, type?: string): void };
    charts: {
      available(): boolean;
      look(index: number): { colour: string; dashed: boolean };
      create(canvas: HTMLCanvasElement, spec: ChartSpec): LineChart | null;
    };
    jsonPlaces: {
      read(text: string): { keys: Map<string, number>; fault: number | null; end: { path: string[]; expects: "key" | "value" | "other"; quoted: boolean } };
      rowOfPath(text: string, path: string): number;
      parse(text: string): { value: Record<string, unknown> } | { problem: string; row: number };
      suggestions(text: string, fields: Field[]): { text: string; field: Field | null }[];
    };
    codeBox: {
      create(
        parent: HTMLElement,
        spec: { label: string; onChange: () => void; onSave: () => void; suggest: (before: string) => { text: string; field: Field | null }[] },
      ): Promise<CodeBox>;
    };
    schemaForm: {
      draw(parent: Element, fields: Field[], handlers: FieldHandlers): DrawnField[];
      drawField(field: Field, handlers: FieldHandlers): DrawnField;
      valueText(field: Field, value: unknown): string;
      explained(field: Field): string;
    };
    views: {
      dialog: { ask(question: { title: string; text: Node | string; confirm: string; danger?: boolean; body?: Node }): Promise<boolean> };
      header: { create(context: Context): View };
      ownSettings: {
        create(
          context: Context,
          form: {
            order: () => { config: Record<string, unknown>; preset?: string };
            effective: () => Record<string, unknown>;
            use: (config: Record<string, unknown>) => void;
            told: (problems: (Wire.Text | string)[]) => void;
          },
        ): { check(): void; showRest(lines: (Wire.Text | string)[]): void };
      };
      editor: { create(context: Context): View };
      ending: { create(): View };
      start: { create(context: Context): View };
      formValues: { create(store: Store, preset: () => string): FormValues };
      settingsPanel: {
        create(values: FormValues, handlers: FieldHandlers, preset: HTMLSelectElement): {
          draw(welcome: Wire.ConnectionEstablished): void;
          show(fromServer: Map<string, string>): void;
          fields(): Field[];
        };
      };
      leakQuestion: {
        create(context: Context, values: FormValues, folder: () => string): {
          begin(wanted: Record<string, any>): Promise<void>;
          ask(request: string, wanted: Record<string, any>): Promise<void>;
        };
      };
      run: { create(context: Context): View; stateKey(state: State): string; share(state: State): number | null };
      tiles: { create(): View };
      chartCard: { create(spec: ChartSpec & { name: string; title: string; onRange?: (range: Span | null) => void }): ChartCard };
      curveTools: {
        create(handlers: { onRange: (range: Span | null) => void; onWeight: (weight: number) => void; onSave: () => void }): {
          show(range: Span | null, epochs: Wire.TrainingUpdate[]): void;
        };
      };
      curves: { create(): View & { listen(again: () => void): void; restyle(): void } };
      classes: { create(): View; confusionTable(matrix: number[][], names: string[]): HTMLTableElement };
      crossval: { create(context: Context): View & { restyle(): void } };
      folds: {
        foldsTable(study: Wire.Study): HTMLElement;
        spreadTable(found: Wire.CrossvalResult | Wire.SeedsResult, caption: string): HTMLElement;
        resultOf(found: Wire.CrossvalResult): (Node | null)[];
      };
      summary: { create(): View };
      data: { create(context: Context): View };
      dataDescription: {
        described(found: Wire.DataDescribed, answer: (path: string, value: unknown) => void): (Node | null)[];
        skippedOf(found: Wire.DataDescribed): HTMLElement;
        summary(found: Wire.DataDescribed, answer: (path: string, value: unknown) => void): HTMLElement;
        isPicture(uri: string): boolean;
        headerText(said: { laterality: "L" | "R" | "B" | null; view: string | null }): string;
      };
      preview: { create(context: Context, order: () => Record<string, any>): { look(split: string, file: string | null): void; render(state: State): void } };
      queue: { create(context: Context): View };
      runs: { create(context: Context): View };
      comparedRuns: {
        create(context: Context): View & { restyle(): void };
        FIGURES: string[];
        figureName(figure: string): string;
        stateOf(run: Wire.RunEntry): HTMLElement;
        epochsOf(run: Wire.RunEntry): string;
      };
      tuning: { create(context: Context): View & { restyle(): void } };
      trials: {
        settingName(path: string): HTMLElement;
        valueText(path: string, value: unknown): string;
        verdictOf(study: Wire.Study, tuning: Wire.TuningState): string;
        factsOf(study: Wire.Study, tuning: Wire.TuningState): HTMLElement;
        linesOf(study: Wire.Study, tuning: Wire.TuningState): Line[];
        importanceOf(tuning: Wire.TuningState): Node[];
        trialsOf(study: Wire.Study, tuning: Wire.TuningState): Node;
      };
      checkpoints: { create(context: Context): View };
      audit: { create(context: Context): View };
      judged: {
        figuresTable(caption: string, figures: [string | Node, Wire.Figure][], captionHidden: boolean, counted?: string): HTMLElement;
        usesOf(found: Wire.Evaluation, ...parts: (keyof Wire.ImageUse)[]): HTMLElement | null;
        patientsOf(found: Wire.Evaluation, figures: [string | Node, Wire.Figure][]): HTMLElement | null;
        pointOf(found: Wire.Evaluation): HTMLElement | null;
        predictiveOf(found: Wire.Evaluation): HTMLElement | null;
        calibrationOf(found: Wire.Evaluation): HTMLElement | null;
        referralOf(found: Wire.Evaluation): HTMLElement | null;
        casesOf(found: Wire.Evaluation): HTMLElement;
      };
      evaluation: { create(context: Context): View & { restyle(): void }; wordsOf(full: string): Node };
      comparison: { create(context: Context): View };
      predict: { create(context: Context): View };
      upload: { handOver(connection: Connection, file: File, image: string, progress: (share: number) => void): Promise<void> };
      answers: { create(): View; agree(answer: Wire.ImageAnswer): boolean };
      errors: { create(context: Context): View };
      log: { create(context: Context): View; textOf(line: LineContent): string };
      system: { create(context: Context): View };
      toasts: { create(context: Context): View };
      interrupted: { create(context: Context): View };
      backups: { create(context: Context): View };
      studies: { create(context: Context): View };
    };
  }
}
