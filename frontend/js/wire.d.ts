/* Made from breastai/domain by python -m breastai.domain.page_types; changes here are lost. */

declare namespace Wire {
  /** What every event may carry. From training_started on, `run_id` and `seq` say where in which run it belongs. */
  interface Event {
    session_id?: string;
    request_id?: string;
    run_id?: string;
    seq?: number;
    time?: string;
  }

  /** A run begins, or goes on after a stop. */
  interface TrainingStarted extends Event {
    type: "training_started";
    architecture: string;
    epochs: number;
    start_epoch: number;
    class_names: string[];
    config: Record<string, any>;
    format: number;
  }

  /** The images are read: how many of each class train and validate, and what was left out. */
  interface DataLoaded extends Event {
    type: "data_loaded";
    train: Record<string, number>;
    val: Record<string, number>;
    calibration: Record<string, number>;
    split: Text | string;
    patients: number | null;
    patients_by_part: Record<string, number> | null;
    skipped: number;
    skipped_files: (Record<string, Text | string>)[];
    masks: number;
    on_leak: string;
    groups: number;
    excluded: Record<string, number>;
    shared_patients: Record<string, number> | null;
    shared_groups: Record<string, number>;
    cache: Text | string | null;
  }

  /** The network is built: which weights it starts from, and how it computes. */
  interface ModelLoaded extends Event {
    type: "model_loaded";
    architecture: string;
    weights: "file" | "package" | "hub" | "none" | "checkpoint";
    weights_detail: Text | string;
    parameters: number;
    device: string;
    dtype: string;
    threads: number;
    plan: string | null;
    plan_reasons: (Text | string)[];
    expected_s: number | null;
    peak_memory_gb: number | null;
    again: boolean;
  }

  /** Progress within an epoch or a stage; at most twice a second. */
  interface ProgressUpdate extends Event {
    type: "progress_update";
    stage: "copying" | "preparing" | "auditing" | "tuning" | "training" | "validating" | "evaluating" | "exporting" | "predicting" | "reporting" | "inspecting" | "waiting";
    text: Text | null;
    message: string;
    epoch: number | null;
    epochs: number | null;
    progress: number | null;
    eta_s: number | null;
    batch_progress: BatchProgress | null;
  }

  /** The metrics of one epoch. For scripts each number of `metrics` is a field of its own too, such as val_accuracy. */
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

  /** A checkpoint is on disk, verified and with its manifest. */
  interface CheckpointSaved extends Event {
    type: "checkpoint_saved";
    checkpoint: string;
    filename: string;
    path: string;
    epoch: number;
    accuracy: number | null;
    size_mb: number;
  }

  /** The run reached its end; the best epoch's weights are in `checkpoint`. */
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

  /** The run ended before its end; `reason` is user, server_gone or error. */
  interface TrainingStopped extends Event {
    type: "training_stopped";
    reason: "user" | "server_gone" | "error";
    epoch: number | null;
    checkpoint: string | null;
    message: string;
    text: Text | string;
    dismissed: boolean;
    question: LeakQuestion | null;
  }

  /** A job other than a training was stopped. */
  interface JobStopped extends Event {
    type: "job_stopped";
    job: string;
  }

  /** A study begins, or goes on after a stop: all that is known of it. Its runs' own events stay in their journals. */
  interface StudyStarted extends Event {
    type: "study_started";
    study: Study;
  }

  /** A study as it is now, and the names of all there are. */
  interface StudyShown extends Event {
    type: "study";
    study: Study | null;
    studies: string[];
  }

  /** Studies of the workspace, the latest first, a page at a time. */
  interface StudiesList extends Event {
    type: "studies_list";
    studies: StudyEntry[];
    unreadable: string[];
    total: number;
    first: number;
  }

  /** One of a study's runs as it is now: begun, an epoch further, judged, stopped. */
  interface StudyMemberChanged extends Event {
    type: "study_member";
    study_id: string;
    member: StudyMember;
  }

  /** A study has stopped before its end; it can be gone on with. */
  interface StudyStopped extends Event {
    type: "study_stopped";
    study_id: string;
    kind: "crossval" | "tuning" | "seeds";
    reason: "user" | "server_gone";
  }

  /** A trial of a tuning is over: what is known now. */
  interface TuningUpdate extends Event {
    type: "tuning_update";
    study_id: string;
    tuning: TuningState;
  }

  /** A tuning has reached its end. Its best figure, the highest of many on the same images, is an optimistic one. */
  interface TuningComplete extends Event {
    type: "tuning_complete";
    study_id: string;
    tuning: TuningState;
    values: Record<string, any>;
    reason: "trials" | "time";
  }

  /** A cross-validation is complete: what the parts held out show together. */
  interface CrossvalComplete extends Event {
    type: "crossval_complete";
    study_id: string;
    result: CrossvalResult;
  }

  /** Runs that differ in their seed alone have all reached their end: how far they spread. */
  interface SeedsComplete extends Event {
    type: "seeds_complete";
    study_id: string;
    result: SeedsResult;
  }

  /** The figures of a checkpoint on labelled images, or of a file of predictions. */
  interface Evaluation extends Event {
    type: "evaluation";
    checkpoint: string;
    data: string;
    dataset: string | null;
    split: string | null;
    n: number;
    patients: number | null;
    by_patient: ByPatient | null;
    uses: ImageUse | null;
    used_for: UsedFor | null;
    class_names: string[];
    counts: Record<string, number>;
    figures: Record<string, Figure>;
    confusion_matrix: number[][];
    skipped: (Record<string, Text | string>)[];
    notes: (Text | string)[];
    operating_point: JudgedPoint | null;
    target: TargetEvidence | null;
    prevalences: Record<string, number>;
    predictive_values: Record<string, Figure>;
    roc: Record<string, Record<string, (number | null)[]>>;
    precision_recall: Record<string, Record<string, (number | null)[]>>;
    decision: Record<string, (number | null)[]>;
    calibration: CalibrationEvidence | null;
    referral: Referral | null;
    subgroups: SubgroupEvidence[];
    fingerprint: string | null;
    opened: number | null;
    record: string | null;
    class_match: ClassMatch | null;
    by_unit: UnitEvidence | null;
  }

  /** A checkpoint judged on several sites: each, what they show together, and what a local sample would change. */
  interface SitesEvaluated extends Event {
    type: "sites_evaluated";
    checkpoint: string;
    target_class: string | null;
    threshold: number | null;
    target_sensitivity: number | null;
    internal_set: "test" | "validation" | null;
    internal_n: number | null;
    sites: SiteResult[];
    pooled: Record<string, PooledFigure>;
    notes: (Text | string)[];
    record: string | null;
  }

  /** A checkpoint adapted to a site, and what both show on the images that the sample left. */
  interface ModelAdapted extends Event {
    type: "model_adapted";
    checkpoint: string;
    adaptation: Adaptation;
    target_class: string;
    before: Record<string, Figure>;
    after: Record<string, Figure>;
    records: string[];
    notes: (Text | string)[];
  }

  /** What is wrong with the images of a folder, the worst first, and every group of duplicates. */
  interface AuditDone extends Event {
    type: "audit";
    data: string;
    images: number;
    findings: Finding[];
    groups: TwinGroup[];
    groups_total: number;
    groups_contradicting: number | null;
    groups_crossing: number | null;
    dataset: string | null;
    class_names: string[];
    question: LeakQuestion | null;
  }

  /** A report was written; `files` are relative to the workspace, `url` is where this server shows it. */
  interface ReportCreated extends Event {
    type: "report_created";
    report_of: string;
    language: string;
    files: string[];
    url: string;
  }

  /** Two models on the same cases; differences are first minus second. */
  interface Comparison extends Event {
    type: "comparison";
    first: string;
    second: string;
    n: number;
    patients: number | null;
    class_names: string[];
    figures: Record<string, PairedFigure>;
    notes: (Text | string)[];
    decisions: DecisionComparison | null;
    non_inferiority: NonInferiority[];
    created: string | null;
    comparison_id: string | null;
  }

  /** What a table of readings shows of its readers and tests, and of a model beside them. */
  interface ReadersCompared extends Event {
    type: "readers_compared";
    study: ReaderStudyRecord;
  }

  /** The images of a folder whose labels are most in doubt, with pictures; `table` has all of them. */
  interface DoubtsFound extends Event {
    type: "doubts_found";
    found: LabelDoubts;
    table: string;
  }

  /** What a person says of an image whose label is in doubt, as it is kept now. */
  interface DoubtNoted extends Event {
    type: "doubt_noted";
    doubts_id: string;
    file: string;
    note: string;
    decision: "undecided" | "keep" | "leave_out" | "relabel";
  }

  /** How many patients a study needs, by each criterion. */
  interface StudyPlanned extends Event {
    type: "study_planned";
    plan: StudyPlan;
  }

  /** A comparison that is kept, shown again: of two models, or a study of readers. */
  interface ComparisonShown extends Event {
    type: "comparison_shown";
    models: ComparisonRecord | null;
    readers: ReaderStudyRecord | null;
  }

  /** The comparisons kept in the workspace, of models and of readers, the latest first. */
  interface ComparisonsList extends Event {
    type: "comparisons_list";
    comparisons: ComparisonEntry[];
  }

  /** The answer for one image, or why there is none. */
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
    error_text: Text | string | null;
  }

  /** The answer for a breast, an exam or a patient, from all its images; told when those are. */
  interface UnitPrediction extends Event {
    type: "unit_prediction";
    unit: "breast" | "exam" | "patient";
    name: string;
    model: string | null;
    pooling: "mean" | "largest" | "noisy_or" | "learnt" | "attention";
    images: ImageShare[];
    failed: number;
    label: string;
    probabilities: Record<string, number>;
    decision: string;
    target_class: string | null;
    threshold: number | null;
    called: boolean | null;
    refer: boolean | null;
    refer_reason: "modality" | "unlike" | "several_classes" | "no_class" | "answer_not_plausible" | null;
    plausible: string[];
    sets_offered: boolean | null;
    novelty: number | null;
    novelty_limit: number | null;
    modality: string | null;
    known_modalities: string[];
  }

  /** All images were looked at. */
  interface PredictionsComplete extends Event {
    type: "predictions_complete";
    count: number;
    failed: number;
  }

  /** Where a network found what speaks for a class, laid over one image; or why there is no map. */
  interface HeatMap extends Event {
    type: "heat_map";
    file: string;
    explained_class: string | null;
    probabilities: Record<string, number> | null;
    path: string | null;
    notes: (Text | string)[];
    error: Text | string | null;
  }

  /** All images were looked at. */
  interface ExplanationsComplete extends Event {
    type: "explanations_complete";
    count: number;
    failed: number;
    folder: string;
  }

  /** A part of an image arrived. */
  interface ImageAdded extends Event {
    type: "image_added";
    image: string;
    received: number;
  }

  /** The sample images are written. */
  interface SampleDataMade extends Event {
    type: "sample_data_made";
    path: string;
    images: number;
    patients: number;
  }

  /** What lies in a folder that the server may read images from, folders first. */
  interface FolderShown extends Event {
    type: "folder_shown";
    path: string | null;
    steps: FolderStep[];
    entries: FolderEntry[];
    total: number;
    images: number;
  }

  /** An upload begins, or goes on where it was broken off. */
  interface UploadBegun extends Event {
    type: "upload_begun";
    upload: string;
    files_received: number;
    received: number;
    bytes_received: number;
  }

  /** Parts of an upload arrived. */
  interface UploadReceived extends Event {
    type: "upload_received";
    upload: string;
    files_received: number;
    received: number;
    bytes_received: number;
  }

  /** An upload is whole, its archives unpacked, and lies in the workspace. */
  interface UploadFinished extends Event {
    type: "upload_finished";
    upload: string;
    path: string;
    files: number;
    size_bytes: number;
    left_out: LeftOut[];
    left_out_total: number;
  }

  /** An upload was given up, and what was there of it is deleted. */
  interface UploadCancelled extends Event {
    type: "upload_cancelled";
    upload: string;
  }

  /** What the models say of an image handed over; without a picture it could not be read, as each answer tells. */
  interface ImageAnswer extends Event {
    type: "image_answer";
    image: string;
    name: string;
    picture: string | null;
    width: number | null;
    height: number | null;
    answers: ModelAnswer[];
  }

  /** All images handed over were asked about, and are removed. */
  interface ImagesAnswered extends Event {
    type: "images_answered";
    count: number;
    failed: number;
    units: UnitPrediction[];
    notes: Text[];
    kept: string | null;
  }

  /** The wrong answers of a run's model, the most confident first. */
  interface ErrorsShown extends Event {
    type: "errors_shown";
    errors_of: string;
    data: string | null;
    split: string | null;
    cases: number;
    wrong: number;
    worst: WrongCase[];
  }

  /** A page of the images of an evaluation. `cases`: how many were judged, `total`: how many of them are meant. */
  interface JudgedList extends Event {
    type: "judged_list";
    judged_of: string;
    name: string;
    data: string;
    checkpoint: string;
    split: string | null;
    dataset: string | null;
    class_names: string[];
    target_class: string | null;
    subgroups: Record<string, string[]>;
    patients: boolean;
    cases: number;
    total: number;
    first: number;
    sort: "file" | "patient" | "label" | "predicted" | "probability" | "given_to_truth" | "probability_of_target" | "refer";
    descending: boolean;
    only: JudgedFilter;
    images: JudgedImage[];
  }

  /** One image of an evaluation, large. */
  interface JudgedShown extends Event {
    type: "judged_shown";
    judged_of: string;
    name: string;
    image: JudgedImage;
    pictures: JudgedPictures;
  }

  /** A model was exported and gives the same answers as the checkpoint. */
  interface ExportComplete extends Event {
    type: "export_complete";
    format: string;
    path: string;
    size: number;
    size_mb: number;
    checkpoint: string;
    max_difference: number | null;
    compared: Text | string | null;
    figures: Record<string, PairedFigure>;
  }

  /** What this machine manages with a model, and what a run of this configuration would take. */
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

  /** What a run of a configuration would train on; twins are not looked for yet. */
  interface DataDescribed extends Event {
    type: "data_described";
    folders: Record<string, string>;
    class_names: string[];
    counts: Record<string, Record<string, number>>;
    set_aside: number | null;
    patients: number | null;
    patient_examples: PatientExample[];
    masks: number;
    skipped: SkippedFile[];
    skipped_total: number;
    looked_at: number;
    images: number;
    warnings: DataWarning[];
    target_class: string | null;
    questions: DataQuestion[];
  }

  /** What a run of a configuration meets on this machine, told before it starts; nothing is trained for it. */
  interface PreFlightChecked extends Event {
    type: "pre_flight";
    data: string;
    architecture: string;
    classes: Record<string, number>;
    validation: number;
    patients: number | null;
    patient_examples: PatientExample[];
    weights: "here" | "to_fetch" | "missing" | "none";
    minutes_low: number | null;
    minutes_high: number | null;
    memory_gb: number | null;
    advice: Text[];
    preset: string | null;
  }

  /** A page of the images of a split, by path. */
  interface ImagesList extends Event {
    type: "images_list";
    split: string;
    class_name: string | null;
    class_names: string[];
    first: number;
    total: number;
    images: ImageEntry[];
  }

  /** What a place would be read as, with a few images of each class; nothing is kept of it. */
  interface DatasetInspected extends Event {
    type: "dataset_inspected";
    inspection: DatasetInspection;
    pictures: ImageEntry[];
    preset: string;
  }

  /** A data set is kept under a name, or how it is read was changed. */
  interface DatasetAdded extends Event {
    type: "dataset_added";
    name: string;
    inspection: DatasetInspection;
  }

  /** Images of a data set were left out, given another class, or are again as their source says; no file is changed. */
  interface DatasetCorrected extends Event {
    type: "dataset_corrected";
    name: string;
    action: "exclude" | "relabel" | "restore";
    files: string[];
    label: string | null;
    of_test: number;
    left_out: number;
    relabelled: number;
  }

  /** The data sets of the workspace, by name. */
  interface DatasetsList extends Event {
    type: "datasets_list";
    datasets: DatasetEntry[];
  }

  /** A data set is forgotten; its images stay. */
  interface DatasetDeleted extends Event {
    type: "dataset_deleted";
    name: string;
  }

  /** An image as it is, as the network sees it, and augmented; each a JPEG as a data URI. */
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

  /** Runs that can be gone on with, the latest first. */
  interface InterruptedRuns extends Event {
    type: "interrupted_runs";
    runs: InterruptedRun[];
  }

  /** The first message on a connection: all a page needs to draw itself. */
  interface ConnectionEstablished extends Event {
    type: "connection_established";
    version: string;
    research_use: string;
    catalog: Catalog;
    config: Record<string, any>;
    config_schema: JsonSchema;
    config_error: Text | string | null;
    preset: string | null;
    token_required: boolean;
    interrupted: InterruptedRun[];
    snapshot: Snapshot;
  }

  /** The session as it is. */
  interface Status extends Event {
    type: "status";
    snapshot: Snapshot;
    connected_clients: number;
    missed: number | null;
    left_out: boolean;
  }

  /** The job asked for waits for its turn. */
  interface JobQueued extends Event {
    type: "job_queued";
    entry: QueueEntry;
    place: number;
  }

  /** The jobs that wait, the next first; sent to all when it changes. */
  interface QueueShown extends Event {
    type: "queue";
    entries: QueueEntry[];
    held: boolean;
    limit: number;
    unread: number;
  }

  /** Runs of the workspace, newest first, a page at a time. */
  interface RunsList extends Event {
    type: "runs_list";
    runs: RunEntry[];
    total: number;
    first: number;
    search: string;
    sort: "started" | "run_id" | "state" | "architecture" | "data" | "duration" | "size" | "training_images" | "sensitivity" | "auc_roc" | "accuracy" | "f1_weighted" | "loss";
    descending: boolean;
    state: string | null;
  }

  /** The tags and the note of a run were written. */
  interface RunAnnotated extends Event {
    type: "run_annotated";
    run: RunEntry;
  }

  /** A run is gone, with its journal and its checkpoints; exports and backups stay. */
  interface RunDeleted extends Event {
    type: "run_deleted";
    deleted: string;
    checkpoints: string[];
  }

  /** A run of the workspace, past or going on: enough to draw its page. Its epochs come by get_history. */
  interface RunShown extends Event {
    type: "run_shown";
    run: RunEntry;
    started: Record<string, any> | null;
    data: Record<string, any> | null;
    model: Record<string, any> | null;
    outcome: Record<string, any> | null;
    log: Record<string, any>[];
  }

  /** What was made of a run, the latest first: evaluations, reports and exports, with where to find each. */
  interface ResultsList extends Event {
    type: "results_list";
    results_of: string;
    results: ResultEntry[];
    unread: string[];
  }

  /** An evaluation that is kept. */
  interface EvaluationShown extends Event {
    type: "evaluation_shown";
    evaluation_of: string;
    name: string;
    evaluation: Record<string, any>;
  }

  /** What was measured on this machine, the latest first. */
  interface EstimatesList extends Event {
    type: "estimates_list";
    estimates: BenchMeasured[];
  }

  /** Some runs side by side: their curves, and the settings that differ. */
  interface RunsCompared extends Event {
    type: "runs_compared";
    runs: ComparedRun[];
    differences: SettingDifference[];
    same_images: boolean | null;
  }

  /** A line for people; `code` and `params` let the page translate it. */
  interface Log extends Event {
    type: "log";
    level: "debug" | "info" | "success" | "warning" | "error";
    message: string;
    code: string | null;
    params: Record<string, any>;
  }

  /** Epochs of a run. */
  interface History extends Event {
    type: "history";
    epochs: TrainingUpdate[];
    first: number | null;
    last: number | null;
    total: number;
  }

  /** All checkpoints, newest first. */
  interface CheckpointsList extends Event {
    type: "checkpoints_list";
    checkpoints: CheckpointEntry[];
  }

  /** A checkpoint was verified and is the session's current model. */
  interface CheckpointLoaded extends Event {
    type: "checkpoint_loaded";
    checkpoint: string;
    start_epoch: number;
    architecture: string;
    class_names: string[];
    metrics: Record<string, any>;
  }

  /** A checkpoint is gone. */
  interface CheckpointDeleted extends Event {
    type: "checkpoint_deleted";
    checkpoint: string;
    filename: string;
  }

  /** A checkpoint's weights and state are those its manifest speaks of. */
  interface CheckpointVerified extends Event {
    type: "checkpoint_verified";
    checkpoint: string;
    sha256: string;
  }

  /** The exported models, newest first. */
  interface ExportsList extends Event {
    type: "exports_list";
    exports: ExportEntry[];
  }

  /** An exported model is gone. */
  interface ExportDeleted extends Event {
    type: "export_deleted";
    path: string;
  }

  /** An exported model answers as it did at its export. */
  interface ExportVerified extends Event {
    type: "export_verified";
    path: string;
    references: number;
    max_difference: number;
    allowed_difference: number;
  }

  /** The machine, now. */
  interface SystemDiagnostics extends Event {
    type: "system_diagnostics";
    cpu_percent: number;
    cpu_count: number;
    usable_cores: number | null;
    memory_used_gb: number;
    memory_total_gb: number;
    memory_percent: number;
    disk_percent: number;
    disk_free_gb: number;
    workspace_gb: number | null;
    workspace_spare_gb: number | null;
    disk_budget_gb: number | null;
    platform: string;
    versions: Record<string, string | null>;
    server_memory_mb: number;
    worker_memory_mb: number | null;
    worker_cpu_percent: number | null;
    uptime_s: number;
  }

  /** A backup is on disk and verified. */
  interface BackupCreated extends Event {
    type: "backup_created";
    path: string;
    size_mb: number;
    files: number;
  }

  /** All backups, newest first. */
  interface BackupsList extends Event {
    type: "backups_list";
    backups: BackupEntry[];
  }

  /** Every file in a backup is what was put in. */
  interface BackupVerified extends Event {
    type: "backup_verified";
    name: string;
    created: string;
    files: number;
    size_mb: number;
  }

  /** A backup is gone. */
  interface BackupDeleted extends Event {
    type: "backup_deleted";
    name: string;
  }

  /** A backup's files are in their places; what was there before is in the newest backup. */
  interface BackupRestored extends Event {
    type: "backup_restored";
    name: string;
    files: string[];
    count: number;
    held_back: HeldBack[];
  }

  /** The workspace's configuration with defaults filled in, and its schema. */
  interface ConfigShown extends Event {
    type: "config";
    config: Record<string, any>;
    config_schema: JsonSchema;
  }

  /** A configuration was written: config.json, or the one called `name`. */
  interface ConfigSaved extends Event {
    type: "config_saved";
    config: Record<string, any>;
    path: string;
    name: string | null;
  }

  /** A named configuration is gone. */
  interface ConfigDeleted extends Event {
    type: "config_deleted";
    name: string;
  }

  /** What is wrong with a configuration, a line for each fault; none when it can be used. */
  interface ConfigChecked extends Event {
    type: "config_checked";
    problems: string[];
    faults: (Text | string)[];
  }

  /** The texts of the workspace that may be read: configurations first, then the latest. */
  interface DocumentsList extends Event {
    type: "documents_list";
    documents: DocumentEntry[];
  }

  /** A text of the workspace; of a long one, its end. */
  interface Document extends Event {
    type: "document";
    kind: "config" | "named_config" | "server_log" | "worker_log" | "journal" | "evaluation" | "report" | "manifest";
    name: string;
    text: string;
    size: number;
    cut: boolean;
    editable: boolean;
  }

  /** The answer to ping. */
  interface Pong extends Event {
    type: "pong";
    timestamp: number | string | null;
  }

  /** The answer to disconnect. */
  interface DisconnectAck extends Event {
    type: "disconnect_ack";
  }

  /** Something could not be done: which rule was broken, by what, and what to do. */
  interface Error extends Event {
    type: "error";
    code: string;
    message: string;
    params: Record<string, any>;
    setting: string | null;
  }

  /** How a checkpoint was adapted to a site: from which one, by which sample, and what was changed. */
  interface Adaptation {
    checkpoint: string;
    sha256: string;
    data: string;
    sample: AdaptationSample;
    norm_layers: number;
    norms: "moved" | "kept" | "none";
    norm_prior_images: number;
    head_strength: number | null;
    head_log_loss: Record<string, number>;
    novelty_images: number | null;
    earlier_sha256: string[];
  }

  /** The images of a site that adapted a model, whole patients, and those left to judge it. Counts by class. */
  interface AdaptationSample {
    share: number;
    seed: number;
    unit: "patient" | "image";
    units: number;
    images: number;
    counts: Record<string, number>;
    rest_units: number;
    rest_images: number;
    rest_counts: Record<string, number>;
    sha256: string[];
  }

  /** How far readers agree with a test, beyond chance: of two `readers` Cohen's kappa, of all Fleiss'. */
  interface Agreement {
    measure: "cohen" | "cohen_linear" | "cohen_quadratic" | "fleiss";
    of: "calls" | "scores";
    test: string;
    readers: string[];
    figure: Figure;
  }

  /** Images in an .npz file: the names of their array and of that of their labels, and the part they are. */
  interface ArrayPart {
    images: string;
    labels: string;
    part: string;
  }

  /** A line of the list of backups. `kind`: of the whole project, or of one run at its end. */
  interface BackupEntry {
    name: string;
    created: string;
    size_mb: number;
    kind: "project" | "run";
  }

  /** Where in an epoch the run is. */
  interface BatchProgress {
    batch: number;
    total_batches: number;
    current_loss: number | null;
    current_accuracy: number | null;
  }

  /** A box or circle in columns of a table, in pixels of the image as stored. `circle_from_bottom` counts the centre's second coordinate from the lower edge of an image that is `height` pixels high. One column may hold all numbers, whatever stands between them. */
  interface BoxRule {
    pattern: string | null;
    values: Record<string, string | null>;
    columns: string[];
    form: "xywh" | "xyxy" | "circle" | "circle_from_bottom";
    height: number | null;
  }

  /** How the images of each patient become one case of the figures by patient, and what these come to. A patient with any image of `target_class` is of that class, any other of the class most images have; with `largest` the image most probable to be of the target class speaks for the patient, with `mean` the mean of all. */
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

  /** Calibration on these cases, before and after the correction that validation cases fitted. */
  interface CalibrationEvidence {
    temperature: number;
    prior_shift: number[];
    before: Reliability;
    after: Reliability;
  }

  /** A line of the list of checkpoints. `path` is its name. */
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
    sha256: string | null;
    image_input: string | null;
    validated_on: string | null;
    problem: Text | string | null;
  }

  /** The curves of one class against the rest. `decision` is empty where a class is in question: `target` has its own. */
  interface ClassCurves {
    roc: Record<string, (number | null)[]>;
    precision_recall: Record<string, (number | null)[]>;
    decision: Record<string, (number | null)[]>;
  }

  /** What classes labelled images were judged in, and how their own classes came to be these. */
  interface ClassMatch {
    class_names: string[];
    of_model: string[][];
    stands_for: Record<string, string>;
    lacking: string[];
    left_out: Record<string, number>;
  }

  /** A column of a table, by its name in any case: of the first table that has a row for the image and such a column. */
  interface ColumnRule {
    pattern: string | null;
    values: Record<string, string | null>;
    column: string;
    otherwise: string | null;
  }

  /** One of the runs compared. `curves`: one list for each figure, at most 200 epochs, the first and last among them. */
  interface ComparedRun {
    run: RunEntry;
    epochs: number;
    curves: Record<string, any[]>;
    config: Record<string, any>;
  }

  /** A comparison that is kept: of two models, or of readers, `second` being then the model beside them. */
  interface ComparisonEntry {
    comparison_id: string;
    kind: "models" | "readers";
    created: string;
    first: string;
    second: string | null;
    n: number;
    patients: number | null;
  }

  /** A comparison as it is kept: no name of a case or a patient. */
  interface ComparisonRecord {
    format: number;
    notice: string;
    created: string;
    breastai: string;
    comparison_id: string;
    first: string;
    second: string;
    data: string;
    n: number;
    patients: number | null;
    class_names: string[];
    figures: Record<string, PairedFigure>;
    decisions: DecisionComparison | null;
    non_inferiority: NonInferiority[];
    notes: (Text | string)[];
  }

  /** The same for all. */
  interface ConstantRule {
    pattern: string | null;
    values: Record<string, string | null>;
    constant: string;
  }

  /** What one criterion needs: `cases` that stand alone, or so many `images` of so many `patients`. */
  interface CriterionNeed {
    criterion: "shrinkage" | "optimism" | "overall_risk" | "observed_expected" | "calibration_slope" | "auc" | "sensitivity" | "specificity";
    target: number | null;
    cases: number;
    images: number;
    patients: number;
  }

  /** What the held-out parts of a cross-validation show, taken together. */
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
    by_unit: UnitEvidence | null;
    unit_at_thresholds: Record<string, Figure>;
    target_class: string | null;
    thresholds: number[];
    confusion_matrix: number[][];
    roc: Record<string, Record<string, (number | null)[]>>;
    spread: Record<string, Spread>;
    notes: (Text | string)[];
    record: string;
    export: string | null;
    export_difference: number | null;
  }

  /** What a run asks about the classes before it begins: the code and the data of the error it would end with. */
  interface DataQuestion {
    code: string;
    message: string;
    params: Record<string, string | number | string[]>;
  }

  /** Something about the images that a user should know before a run; the page has its words. */
  interface DataWarning {
    code: "patients_unknown" | "patients_offered" | "patients_all_one" | "patients_views" | "patients_prefixes" | "patients_one_each" | "folders_unused" | "no_test" | "few_in_training" | "few_in_validation" | "lopsided";
    params: Record<string, string | number | string[]>;
  }

  /** A data set and how it is read. Labels are what `fields["label"]` finds, by `class_map` where it has any entries: what it maps to null is left out, as is what it does not name unless it maps nothing to a class. `class_names` are in order where given: of several rows of an image the last counts, and with `ordered` the classes are a scale. `split` and `fold` among the fields, or `part` of tables, keep given parts. */
  interface DatasetDescription {
    format: number;
    name: string;
    layout: string;
    root: string;
    images: FilePatterns;
    tables: LabelsTable[];
    arrays: ArrayPart[];
    fields: Record<string, ColumnRule | FolderRule | PathRule | HeaderRule | ConstantRule | BoxRule | MarkedRule>;
    class_map: Record<string, string | null>;
    class_names: string[];
    ordered: boolean;
    target_class: string | null;
    subgroups: Subgroup[];
    masks: FilePatterns;
    left_out: LeftOutFile[];
    relabelled: RelabelledFile[];
    known_twins: string[][];
    citation: string | null;
    licence: string | null;
    fingerprint: DatasetFingerprint | null;
  }

  /** A data set of the workspace. */
  interface DatasetEntry {
    name: string;
    layout: string;
    root: string;
    class_names: string[];
    images: number | null;
    problem: Text | null;
  }

  /** What a data set was when it was described: how many files of how many bytes, and a hash of names, sizes and tables. */
  interface DatasetFingerprint {
    files: number;
    bytes: number;
    sha256: string;
  }

  /** What lies at a place, counted as it would be trained on, and how it would be read. `description` is None where nothing says the classes. Patients, breasts and splits are None where they are not known. */
  interface DatasetInspection {
    path: string;
    layout: string;
    images: number;
    classes: Record<string, number>;
    patients: number | null;
    breasts: number | null;
    splits: Record<string, number> | null;
    views: Record<string, number> | null;
    masks: number;
    left_out: number;
    doubts: Text[];
    reasons: LeftOutFiles[];
    samples: Record<string, string[]>;
    description: DatasetDescription | null;
    twins: Text | null;
    files_seen: number;
  }

  /** Two models' decisions about one class. Figures with @patient count a patient once, by any image that is called. */
  interface DecisionComparison {
    class_name: string;
    first_threshold: number;
    second_threshold: number;
    source: "model" | "option" | "part";
    chosen_on: string | null;
    exchange: number;
    prevalences: Record<string, number>;
    figures: Record<string, PairedFigure>;
    mcnemar: Record<string, McNemarTest>;
  }

  /** A line of the list of documents. */
  interface DocumentEntry {
    kind: "config" | "named_config" | "server_log" | "worker_log" | "journal" | "evaluation" | "report" | "manifest";
    name: string;
    size: number;
    modified: string;
  }

  /** A mean over the images of a site and over those the model was validated on; the difference: site minus those. */
  interface Drift {
    name: "unlike" | "brightness" | "contrast" | "size";
    site: number | null;
    internal: number | null;
    difference: Figure | null;
  }

  /** All that a set of judged cases shows. `confusion_matrix`: rows true, columns predicted. */
  interface Evidence {
    class_names: string[];
    n: number;
    patients: number | null;
    by_patient: ByPatient | null;
    counts: Record<string, number>;
    figures: Record<string, Figure>;
    confusion_matrix: number[][];
    operating_point: JudgedPoint | null;
    target: TargetEvidence | null;
    prevalences: Record<string, number>;
    predictive_values: Record<string, Figure>;
    calibration: CalibrationEvidence;
    referral: Referral | null;
    curves: Record<string, ClassCurves>;
    coverage_error: Record<string, (number | null)[]>;
    subgroups: SubgroupEvidence[];
  }

  /** An exported model. */
  interface ExportEntry {
    path: string;
    format: string;
    size: number;
    created: string;
    checkpoint: string | null;
  }

  /** A figure with its 95 % interval and the number of cases it rests on. */
  interface Figure {
    value: number | null;
    low: number | null;
    high: number | null;
    n: number;
    flag: "one_patient" | "few_patients" | "often_undefined" | "no_variation" | "biased" | "loose_bound" | "separated" | null;
  }

  /** Which files below the root are meant, as globs of their paths: * within a folder, ** across folders. Without `include` that is every image that is no mask. */
  interface FilePatterns {
    include: string[];
    exclude: string[];
  }

  /** Something an audit found. `files` are relative to the data folder; `count` tells of those not listed too. */
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

  /** What lies in a folder that is looked through: a folder, or a file. */
  interface FolderEntry {
    name: string;
    path: string;
    kind: "folder" | "image" | "table" | "archive" | "store" | "other";
    size_bytes: number | null;
    images: number;
    more: boolean;
    link: string | null;
    problem: Text | null;
  }

  /** A folder of the image's path: 1 is the first below the root, -1 the one in which the file lies. */
  interface FolderRule {
    pattern: string | null;
    values: Record<string, string | null>;
    folder: number;
  }

  /** A folder on the way down to the one looked at. */
  interface FolderStep {
    name: string;
    path: string;
  }

  /** A value in the header of a DICOM file. Identifiers are hashed with the project's salt before they are used. */
  interface HeaderRule {
    pattern: string | null;
    values: Record<string, string | null>;
    header: "patient_id" | "laterality" | "view" | "modality" | "device" | "series";
  }

  /** A setting that a restored configuration asks for and that stays as its owner has it: JSON of both, "" for none. */
  interface HeldBack {
    file: string;
    setting: string;
    asked: string;
    kept: string;
  }

  /** An image in a list: its thumbnail, or the reason why there is none. */
  interface ImageEntry {
    file: string;
    class_name: string;
    picture: string | null;
    width: number | null;
    height: number | null;
    laterality: "L" | "R" | "B" | null;
    view: string | null;
    problem: Text | string | null;
  }

  /** An image of a breast, an exam or a patient, and its share in the answer, from 0 to 1. */
  interface ImageShare {
    file: string;
    share: number;
  }

  /** How many of the judged images took part in making the model or choosing what it decides by. */
  interface ImageUse {
    training: number;
    epoch: number;
    temperature: number;
    threshold: number;
    conformal_sets: number;
    novelty: number;
  }

  /** A run that ended before its end. */
  interface InterruptedRun {
    run_id: string;
    cause: "crash" | "server_gone" | "error" | "stopped";
    reason: Text | string;
    epoch: number;
    epochs: number;
    time: string | null;
    architecture: string;
  }

  /** What ties a row of a table to its images: what a column says and what the image says of the same `role`. For the role file without `image` that is the image's path, name or name without ending, whichever the column holds, lost leading zeros included. Else `image` says what of the image is compared, by default the rule of the role. */
  interface Join {
    role: "label" | "file" | "patient" | "breast" | "view" | "exam" | "split" | "fold" | "site" | "device" | "age" | "density" | "birads" | "box" | "mask";
    column: string;
    pattern: string | null;
    image: ColumnRule | FolderRule | PathRule | HeaderRule | ConstantRule | BoxRule | MarkedRule | null;
  }

  /** Which judged images are meant: those of which all that is given here is so, and nothing of what is null. */
  interface JudgedFilter {
    search: string;
    label: string | null;
    predicted: string | null;
    right: boolean | null;
    refer: boolean | null;
    corrected: boolean | null;
    subgroup: string | null;
    subgroup_value: string | null;
    numbers: number[] | null;
  }

  /** An image that was judged. `number`: its place in the evaluation's record; `file` null where it is no longer found. */
  interface JudgedImage {
    number: number;
    file: string | null;
    patient: string | null;
    label: string;
    predicted: string;
    probability: number;
    given_to_truth: number;
    probability_of_target: number | null;
    refer: boolean | null;
    refer_reason: string | null;
    novelty: number | null;
    subgroups: Record<string, string>;
    dataset_file: string | null;
    correction: "exclude" | "relabel" | null;
    correction_label: string | null;
    correction_note: string;
  }

  /** An image and what was laid over it, each as a data URI; null: there is none. */
  interface JudgedPictures {
    image: string | null;
    mask: string | null;
    heat_map: string | null;
    problem: Text | string | null;
    path: string | null;
  }

  /** The operating point, as it was chosen on validation, judged on these images. */
  interface JudgedPoint {
    class_name: string;
    threshold: number;
    target_sensitivity: number;
    source: "validation" | "part" | "option";
    validation_positives: number;
    validation_unit: "image" | "group" | "patient";
    chosen_on: "val" | "calibration" | "out_of_fold" | "sample";
    reached: boolean;
    figures: Record<string, Figure>;
    positives: number;
    missed: number;
    negatives: number;
    called: number;
  }

  /** An image whose label a model that never saw it, or an image like it, contradicts; the most doubtful first. */
  interface LabelDoubt {
    file: string;
    label: string;
    suggested: string;
    given_to_label: number;
    given_to_suggested: number;
    doubt: number;
    likely: boolean;
    twin: string | null;
    twin_label: string | null;
    picture: string | null;
    twin_picture: string | null;
    dataset_file: string | null;
    decision: "undecided" | "keep" | "leave_out" | "relabel";
    note: string;
  }

  /** All images of a folder by how doubtful their labels are. `part`: that of the folder they are of. */
  interface LabelDoubts {
    format: number;
    notice: string;
    created: string;
    breastai: string;
    doubts_id: string;
    data: string;
    dataset: string | null;
    part: string | null;
    method: "probe" | "crossval";
    images: number;
    class_names: string[];
    log_loss: number | null;
    likely: number;
    twins: number;
    check: PlantedCheck | null;
    doubts: LabelDoubt[];
    notes: (Text | string)[];
  }

  /** A table that says something of images: a CSV of any common kind, a table of words parted by blanks, or a sheet. `several_rows`: an image may have several rows, of findings: of their labels the last in the order of the classes counts, of all else the first that is said. Otherwise a second row of an image is a fault. */
  interface LabelsTable {
    file: string;
    sheet: string | null;
    columns: string[];
    join: Join[];
    filters: RowFilter[];
    several_rows: boolean;
    part: string | null;
  }

  /** What keeps a job from beginning until data.on_leak answers: `code` and `params` are those of its error. */
  interface LeakQuestion {
    job: "train" | "crossval" | "tune" | "train_seeds";
    config: Record<string, any>;
    code: string;
    params: Record<string, any>;
    run_id: string | null;
  }

  /** A file of an upload that was not kept. */
  interface LeftOut {
    file: string;
    reason: Text;
  }

  /** An image that someone left out, and why. */
  interface LeftOutFile {
    file: string;
    note: string;
    was: string | null;
    part: string | null;
  }

  /** Why some images or rows are left out. */
  interface LeftOutFiles {
    reason: Text;
    count: number;
    files: string[];
  }

  /** What labelled cases of a site would change: drawn by patient, used to fit, and kept out of all figures here. */
  interface LocalSample {
    share: number;
    seed: number;
    unit: "patient" | "image";
    units: number;
    positive_units: number;
    images: number;
    rest_units: number;
    rest_images: number;
    rest_positives: number;
    positives_needed: number;
    recalibration: Recalibration | null;
    points: PointOnRest[];
    fault: Text | null;
  }

  /** What columns of marks stand for, by their names: of those that say 1, yes or x in the row. `values` are of no use. */
  interface MarkedRule {
    pattern: string | null;
    values: Record<string, string | null>;
    marked: Record<string, string>;
  }

  /** A test of the cases that one of two models alone decides rightly. `exact`: the binomial one of McNemar, of cases that stand alone. `clustered`: that of Durkalski et al. (Stat Med 2003;22:2417-2428), of several images of a patient. */
  interface McNemarTest {
    method: "exact" | "clustered";
    first_only: number;
    second_only: number;
    statistic: number | null;
    p_value: number | null;
    adjusted_p: number | null;
  }

  /** All that a study shows of one figure of merit. */
  interface MeritAnalysis {
    merit: "auc" | "sensitivity" | "specificity";
    figures: ReaderFigure[];
    components: ReaderComponents;
    means: ReaderMean[];
    overall: OverallTest[];
    differences: ReaderDifference[];
    by_reader: ReaderDifference[];
    model: Figure | null;
    against_model: ModelDifference[];
  }

  /** What one model says of an image. `heat_map`: over the whole image, a PNG as a data URI, clear where it is cold. */
  interface ModelAnswer {
    model: string;
    prediction: Prediction;
    heat_map: string | null;
  }

  /** How much better than the model's the mean of the readers with `test` is. */
  interface ModelDifference {
    analysis: "readers_and_cases" | "cases" | "readers";
    figure: Figure;
    error: number;
    degrees: number | null;
    statistic: number | null;
    p_value: number | null;
    adjusted_p: number | null;
    test: string;
  }

  /** Whether the first model is worse than the second by less than `margin`, by the bound of the difference's interval. */
  interface NonInferiority {
    figure: string;
    margin: number;
    stated: string;
    beforehand: boolean;
    others: StatedMargin[];
    bound: number | null;
    shown: boolean | null;
  }

  /** The probabilities of the class in question among the images of one class. `counts`: in bins of equal width from 0 to 1; `values`: sorted, evenly thinned where there are many. */
  interface OutcomeProbabilities {
    n: number;
    median: number | null;
    counts: number[];
    values: number[];
  }

  /** The test that all tests have one mean. `second_degrees`: null for infinite, which is a chi-squared test. */
  interface OverallTest {
    analysis: "readers_and_cases" | "cases" | "readers";
    statistic: number;
    first_degrees: number;
    second_degrees: number | null;
    p_value: number;
  }

  /** One figure of two models on the same cases. `difference`: first minus second. */
  interface PairedFigure {
    first: number | null;
    second: number | null;
    difference: Figure;
    z: number | null;
    p_value: number | null;
    adjusted_p: number | null;
    bootstrap: Figure | null;
  }

  /** What the first group of a pattern finds in the image's path below the root. With `expand` it is that template, \1 and so on filled in: so is the path of a mask made from that of its image. */
  interface PathRule {
    pattern: string | null;
    values: Record<string, string | null>;
    path: string;
    expand: string | null;
  }

  /** An image and the patient that the rule finds for it; from a DICOM header a hash. */
  interface PatientExample {
    file: string;
    patient: string;
  }

  /** What a plan rests on. Widths are of 95 % intervals. `icc`: how alike the errors of a patient's images are. */
  interface PlanAssumptions {
    purpose: "development" | "validation";
    prevalence: number;
    auc: number;
    parameters: number;
    shrinkage: number;
    r_squared: number | null;
    auc_width: number;
    sensitivity: number | null;
    specificity: number | null;
    share_width: number;
    slope_width: number;
    oe_width: number;
    lp_mean: number | null;
    lp_sd: number | null;
    images_per_patient: number;
    icc: number;
  }

  /** Labels changed on purpose in several rounds, and how many of them came in the first `share` of the list. */
  interface PlantedCheck {
    planted: number;
    found: number;
    share: number;
  }

  /** An operating point judged on the images that a local sample left. Only the frozen one owes the sample nothing. */
  interface PointOnRest {
    kind: "frozen" | "refitted" | "recalibrated";
    threshold: number;
    sensitivity: Figure;
    specificity: Figure;
    brier: number | null;
    calibration: Recalibration | null;
  }

  /** A figure over sites by a random-effects meta-analysis on the logit scale. `low` to `high`: where the mean over sites like these lies; the prediction interval: where a new site's figure does. */
  interface PooledFigure {
    sites: number;
    value: number | null;
    low: number | null;
    high: number | null;
    prediction_low: number | null;
    prediction_high: number | null;
    tau2: number | null;
    i2: number | null;
    lowest: number | null;
    highest: number | null;
  }

  /** What was done to an image before the network saw it. `crop`: left, top, width and height in its pixels. */
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

  /** A job that waits for its turn, and what of it a reader needs to tell it from others. */
  interface QueueEntry {
    entry: string;
    job: string;
    queued: string;
    architecture: string | null;
    epochs: number | null;
    data: string | null;
    checkpoint: string | null;
  }

  /** The error's average variance and covariances, and the mean squares, of Obuchowski and Rockette's model. */
  interface ReaderComponents {
    variance: number;
    same_reader: number | null;
    same_test: number | null;
    neither: number | null;
    ms_test: number | null;
    ms_reader: number | null;
    ms_test_reader: number | null;
  }

  /** The difference of two tests; of all readers, or of `reader` alone. */
  interface ReaderDifference {
    analysis: "readers_and_cases" | "cases" | "readers";
    figure: Figure;
    error: number;
    degrees: number | null;
    statistic: number | null;
    p_value: number | null;
    adjusted_p: number | null;
    first: string;
    second: string;
    reader: string | null;
  }

  /** One reader's figure with one test. */
  interface ReaderFigure {
    reader: string;
    test: string;
    figure: Figure;
  }

  /** The mean of a test over its readers. */
  interface ReaderMean {
    analysis: "readers_and_cases" | "cases" | "readers";
    figure: Figure;
    error: number;
    degrees: number | null;
    statistic: number | null;
    p_value: number | null;
    adjusted_p: number | null;
    test: string;
  }

  /** A study of readers as it is kept: no name of a case or a patient. */
  interface ReaderStudyRecord {
    format: number;
    notice: string;
    created: string;
    breastai: string;
    comparison_id: string;
    table: string;
    target_class: string;
    readers: string[];
    tests: string[];
    cases: number;
    positives: number;
    patients: number | null;
    covariance: "delong" | "jackknife";
    call_from: number | null;
    model: string | null;
    model_threshold: number | null;
    analyses: MeritAnalysis[];
    agreement: Agreement[];
    notes: (Text | string)[];
  }

  /** logit(p) of the class in question becomes intercept + slope * logit(p). */
  interface Recalibration {
    intercept: number;
    slope: number;
  }

  /** What the conformal sets and the novelty do on these cases. */
  interface Referral {
    error_rate: number | null;
    referred: Figure;
    error_among_kept: Figure;
    outside: Figure | null;
    unlike: Figure | null;
  }

  /** What referral at an `error_rate` would do on `n` validation cases, each by sets fitted without it and its patient. `referred`: the share left to a human because its answer is not the only plausible class. `error_among_kept`: the share of wrong answers among the others; None where all are referred. */
  interface ReferralTradeOff {
    error_rate: number;
    referred: number;
    error_among_kept: number | null;
    n: number;
  }

  /** An image that someone gave another class than its source says, and why. */
  interface RelabelledFile {
    file: string;
    label: string;
    note: string;
    was: string | null;
    part: string | null;
  }

  /** How far probabilities can be taken at their word. */
  interface Reliability {
    curve: Record<string, (number | null)[]>;
    ece: number | null;
    brier: number | null;
    log_loss: number | null;
  }

  /** What was made of a run: an evaluation, a judgement on several sites, a report, an export. */
  interface ResultEntry {
    kind: "evaluation" | "sites" | "report" | "export";
    name: string;
    created: string;
    checkpoint: string | null;
    data: string | null;
    dataset: string | null;
    split: string | null;
    n: number | null;
    target_class: string | null;
    auc: number | null;
    sensitivity: number | null;
    specificity: number | null;
    size_bytes: number | null;
    files: ResultFile[];
  }

  /** A file of a result, and the path a server shows it under. */
  interface ResultFile {
    format: string;
    url: string;
  }

  /** Which rows of a table, or images, count: those whose column says one of some values, or none of others. Compared without regard to case; numbers as numbers. */
  interface RowFilter {
    column: string;
    one_of: string[];
    none_of: string[];
  }

  /** A run of the workspace, past or going on. `metrics`: the best epoch's validation figures, without val_. */
  interface RunEntry {
    run_id: string;
    state: "running" | "complete" | "stopped" | "failed" | "asked" | "unknown";
    started: string | null;
    ended: string | null;
    architecture: string | null;
    epochs: number | null;
    epochs_run: number | null;
    best_epoch: number | null;
    class_names: string[];
    data: string | null;
    training_images: number | null;
    validation_images: number | null;
    metrics: Record<string, number | null>;
    sensitivity: number | null;
    sensitivity_on: string | null;
    study: string | null;
    checkpoints: string[];
    size_bytes: number;
    tags: string[];
    note: string;
    unread_lines: number;
    unread_files: string[];
  }

  /** How far runs that differ in their seed alone spread, each at its best epoch, on validation images. */
  interface SeedsResult {
    seeds: number[];
    checkpoints: string[];
    spread: Record<string, Spread>;
  }

  /** A setting that is not the same in all of some runs; `values` in their order, null where it is not known. */
  interface SettingDifference {
    path: string;
    values: unknown[];
  }

  /** How much of the differences between trials is put down to one setting. */
  interface SettingImportance {
    setting: string;
    share: number | null;
  }

  /** A model on the images of one site. Figures by name as in an evaluation; differences: site minus internal. */
  interface SiteResult {
    data: string;
    n: number;
    patients: number | null;
    counts: Record<string, number>;
    class_match: ClassMatch;
    figures: Record<string, Figure>;
    internal: Record<string, Figure>;
    differences: Record<string, Figure>;
    drift: Drift[];
    modalities: Record<string, number>;
    modalities_learnt: string[];
    local_sample: LocalSample | null;
    record: string | null;
    notes: (Text | string)[];
  }

  /** A file that is not used, and why. */
  interface SkippedFile {
    split: string;
    file: string;
    reason: Text | string;
  }

  /** A session as it is: enough to draw the page from nothing. */
  interface Snapshot {
    session_id: string;
    state: "idle" | "starting" | "running" | "stopping";
    job: string | null;
    run_id: string | null;
    running_run: string | null;
    about: string | null;
    question: LeakQuestion | null;
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

  /** How far a figure spreads over runs: mean and sample standard deviation, lowest and highest. */
  interface Spread {
    mean: number;
    standard_deviation: number;
    low: number;
    high: number;
    n: number;
    interval_low: number | null;
    interval_high: number | null;
  }

  /** A margin of a figure, with the time at which it was first stated in the workspace. */
  interface StatedMargin {
    margin: number;
    stated: string;
  }

  /** A study as it is on disk and as a page shows it. */
  interface Study {
    format: number;
    study_id: string;
    kind: "crossval" | "tuning" | "seeds";
    state: "running" | "complete" | "stopped" | "interrupted" | "failed";
    created: string;
    message: Text | string;
    config: Record<string, any>;
    members: StudyMember[];
    tuning: TuningState | null;
    crossval: CrossvalResult | null;
    seeds: SeedsResult | null;
  }

  /** A study of the workspace, past or going on. */
  interface StudyEntry {
    study_id: string;
    kind: "crossval" | "tuning" | "seeds";
    state: "running" | "complete" | "stopped" | "interrupted" | "failed";
    created: string;
    done: number;
    planned: number;
    auc_roc: number | null;
    auc_low: number | null;
    auc_high: number | null;
  }

  /** One run of a study: an ordinary run with journal, checkpoints and split of its own. */
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
    message: Text | string;
  }

  /** How many patients a study needs: the most that any criterion does. */
  interface StudyPlan {
    format: number;
    created: string;
    breastai: string;
    plan_id: string;
    assumptions: PlanAssumptions;
    r_squared: number | null;
    design_effect: number;
    needs: CriterionNeed[];
    patients: number;
    images: number;
    positive_images: number;
  }

  /** Parts of the images that an evaluation tells apart: by a role, or by a rule; numbers in bands at `bands`. Bands of age at 50 and 65 are < 50, 50 – < 65, ≥ 65. */
  interface Subgroup {
    name: string;
    role: "label" | "file" | "patient" | "breast" | "view" | "exam" | "split" | "fold" | "site" | "device" | "age" | "density" | "birads" | "box" | "mask" | null;
    rule: ColumnRule | FolderRule | PathRule | HeaderRule | ConstantRule | BoxRule | MarkedRule | null;
    bands: number[];
  }

  /** A figure of a subgroup less that of the other images of its column. */
  interface SubgroupDifference {
    difference: Figure;
    p_value: number | null;
    adjusted_p: number | null;
  }

  /** The images with one value in a column of subgroups, and how the model does on them. */
  interface SubgroupEvidence {
    column: string;
    value: string;
    n: number;
    patients: number | null;
    positives: number | null;
    figures: Record<string, Figure>;
    differences: Record<string, SubgroupDifference>;
  }

  /** How far the probability of the class in question can be taken at its word. `smoothed`: columns probability, observed, low and high (a band of each point by itself). */
  interface TargetCalibration {
    slope: Figure;
    intercept: Figure;
    observed_expected: Figure;
    smoothed: Record<string, (number | null)[]>;
  }

  /** What the images show of the probability of the class in question, the core set of Van Calster et al. 2025. `decision`: columns threshold, model, all, none, low and high (of the model); `decision_at`: the same at each of the prevalences, the probabilities moved to it. */
  interface TargetEvidence {
    class_name: string;
    calibration: TargetCalibration;
    by_outcome: Record<string, OutcomeProbabilities>;
    decision: Record<string, (number | null)[]>;
    decision_at: Record<string, Record<string, (number | null)[]>>;
  }

  /** A text by the key of its template; a parameter is a value, shown as it is, or a text of its own. `str(text)` is English, for logs, scripts and clients that know no codes. */
  interface Text {
    code: string;
    params: Record<string, unknown>;
  }

  /** How far a tuning is, and what it has found. Every figure is on validation images. */
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

  /** Images that are twins of each other: for each its file, class and split. Of the first ones, where an audit is told of: pictures as data URIs, and the names by which a data set that is kept has them, null of those that none has. */
  interface TwinGroup {
    files: string[];
    classes: string[];
    splits: string[];
    pictures: string[];
    dataset_files: (string | null)[];
  }

  /** What judged cases show by breast, exam or patient. In `evidence` a case is a unit, not an image. */
  interface UnitEvidence {
    unit: "breast" | "exam" | "patient";
    pooling: "mean" | "largest" | "noisy_or" | "learnt" | "attention";
    sharpness: number;
    units: number | null;
    images: number;
    several: number;
    mixed: number;
    evidence: Evidence;
  }

  /** Which images each part of a model and its figures rest on, by the name of the part; null: no such part, or unknown. */
  interface UsedFor {
    weights: string | null;
    epoch: string | null;
    temperature: string | null;
    threshold: string | null;
    conformal_sets: string | null;
    novelty: string | null;
    figures: string | null;
  }

  /** A case a model was wrong about; its file and picture as far as the image is still at hand. */
  interface WrongCase {
    label: string;
    predicted: string;
    probability: number;
    given_to_truth: number;
    file: string | null;
    picture: string | null;
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
    study_stopped: StudyStopped;
    tuning_update: TuningUpdate;
    tuning_complete: TuningComplete;
    crossval_complete: CrossvalComplete;
    seeds_complete: SeedsComplete;
    evaluation: Evaluation;
    sites_evaluated: SitesEvaluated;
    model_adapted: ModelAdapted;
    audit: AuditDone;
    report_created: ReportCreated;
    comparison: Comparison;
    readers_compared: ReadersCompared;
    doubts_found: DoubtsFound;
    doubt_noted: DoubtNoted;
    study_planned: StudyPlanned;
    comparison_shown: ComparisonShown;
    comparisons_list: ComparisonsList;
    prediction: Prediction;
    unit_prediction: UnitPrediction;
    predictions_complete: PredictionsComplete;
    heat_map: HeatMap;
    explanations_complete: ExplanationsComplete;
    image_added: ImageAdded;
    sample_data_made: SampleDataMade;
    folder_shown: FolderShown;
    upload_begun: UploadBegun;
    upload_received: UploadReceived;
    upload_finished: UploadFinished;
    upload_cancelled: UploadCancelled;
    image_answer: ImageAnswer;
    images_answered: ImagesAnswered;
    errors_shown: ErrorsShown;
    judged_list: JudgedList;
    judged_shown: JudgedShown;
    export_complete: ExportComplete;
    bench: BenchMeasured;
    data_described: DataDescribed;
    pre_flight: PreFlightChecked;
    images_list: ImagesList;
    dataset_inspected: DatasetInspected;
    dataset_added: DatasetAdded;
    dataset_corrected: DatasetCorrected;
    datasets_list: DatasetsList;
    dataset_deleted: DatasetDeleted;
    image_preview: ImagePreview;
    interrupted_runs: InterruptedRuns;
    connection_established: ConnectionEstablished;
    status: Status;
    job_queued: JobQueued;
    queue: QueueShown;
    runs_list: RunsList;
    run_annotated: RunAnnotated;
    run_deleted: RunDeleted;
    run_shown: RunShown;
    results_list: ResultsList;
    evaluation_shown: EvaluationShown;
    estimates_list: EstimatesList;
    runs_compared: RunsCompared;
    log: Log;
    history: History;
    checkpoints_list: CheckpointsList;
    checkpoint_loaded: CheckpointLoaded;
    checkpoint_deleted: CheckpointDeleted;
    checkpoint_verified: CheckpointVerified;
    exports_list: ExportsList;
    export_deleted: ExportDeleted;
    export_verified: ExportVerified;
    system_diagnostics: SystemDiagnostics;
    backup_created: BackupCreated;
    backups_list: BackupsList;
    backup_verified: BackupVerified;
    backup_deleted: BackupDeleted;
    backup_restored: BackupRestored;
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
