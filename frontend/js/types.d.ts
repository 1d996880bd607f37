/* The types of the page: the state, and what each file offers; those of the wire are in wire.d.ts. */

import type { Chart as ChartClass } from "chart.js";

declare global {
  var Chart: typeof ChartClass | undefined;
  var BreastAI: BreastAIGlobal;

  // --- the wire ---------------------------------------------------------------------------------

  // Its interfaces are in wire.d.ts, made from breastai/domain.
  namespace Wire {
    type Catalog = Record<string, unknown> & { told_of_sites?: string[]; asking?: { most_images: number; most_image_bytes: number } };
    type Outcome = TrainingComplete | TrainingStopped | Error;
    type AnyEvent = Events[keyof Events];
    type Curve = Record<string, (number | null)[]>;

    /** A text: its key in the catalogue and what is filled in. */
    interface Text {
      code: string;
      params: Record<string, unknown>;
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
    /** How often the page was connected: what was asked over an earlier connection is asked again. */
    count: number;
  }

  /** What the address after its # names. */
  interface Place {
    view: string;
    run: string | null;
    tab: string;
    evaluation: { run: string; name: string } | null;
  }

  interface Session {
    state: "idle" | "starting" | "running" | "stopping";
    job: string | null;
    /** The run in progress; null while another job goes on. */
    run: string | null;
    /** What the job is about: a run, a checkpoint, a folder. */
    about: string | null;
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

  /** A column of a table; `sort`: what its rows are sorted by when its head is pressed. */
  interface DataColumn<Row> {
    words: string;
    cell: (row: Row) => Node | string;
    sort?: string | undefined;
  }

  /** Cells that are drawn once, while what they show is the same. */
  type KeptCells = WeakMap<object, Map<string, Node | string>>;

  /** How a table is sorted; `falling`: whether a column pressed first falls, as it does unless told. */
  interface Sorting {
    by: string;
    descending: boolean;
    falling?: boolean;
    change: (by: string, descending: boolean) => void;
  }

  /** A column that the table of runs can have. */
  interface Column {
    id: string;
    title: () => string;
    sort?: string;
    cell: (run: Wire.RunEntry) => Node | string;
    /** The figure that the mean of a study's runs is told of. */
    figure?: (run: Wire.RunEntry) => number | null | undefined;
    /** The images that the figure is of, where the column has none in common. */
    images?: (run: Wire.RunEntry) => string | null | undefined;
  }

  /** A row of the table of runs: a run, or the study of several, which may be unfolded. */
  type RunRow = { run: Wire.RunEntry; member: boolean } | { study: string; runs: Wire.RunEntry[]; open: boolean };

  interface Form {
    folder: string | null;
    /** The images that its settings are for, once there are any; null before. */
    images: string | null;
    preset: string;
    /** Whether the preset was chosen; else it is proposed. */
    chosen: boolean;
    changed: Record<string, unknown>;
  }

  /** A run of the workspace as its page shows it. */
  interface PastRun {
    run: Run;
    entry: Wire.RunEntry;
    log: Record<string, any>[];
  }

  /** What the page makes of an event. */
  interface EventRow<AnEvent> {
    state?: (state: State, event: AnEvent) => State;
    line?: (event: AnEvent) => LineContent;
    notice?: boolean;
  }

  /** A row for each event that something is to be done about. */
  type EventRows = { [Name in keyof Wire.Events]?: EventRow<Wire.Events[Name]> };

  interface State {
    connection: ConnectionState;
    welcome: Wire.ConnectionEstablished | null;
    session: Session;
    progress: Wire.ProgressUpdate | null;
    /** Share of the job that is done, which never falls; null while it can't be known. */
    done: number | null;
    /** The step of a training that is reached, from 0. */
    step: number;
    /** What the address names: a run and the part of its page, a setting as the part of the training's, or an evaluation; no run: the latest is shown. */
    page: Omit<Place, "view">;
    /** The epoch of a run whose figures are looked at; null: the latest. */
    pinned: { run: string; epoch: number } | null;
    /** The form that starts a run: the folder typed, null for none, the preset, and the changed settings by path. */
    form: Form;
    /** What the run of the form meets here, as looked up last. */
    preFlight: Wire.PreFlightChecked | null;
    /** Why the form's images could not be looked at. */
    preFlightFault: Wire.Error | null;
    pastRuns: Record<string, PastRun>;
    /** What was made of runs, as listed last. */
    results: Record<string, Wire.ResultsList>;
    estimates: Wire.BenchMeasured[] | null;
    /** The run whose end needs no more offers. */
    dismissed: string | null;
    run: Run | null;
    /** The latest study, with all its runs. */
    study: Wire.Study | null;
    /** The names of all studies, the latest first; null when not asked for. */
    studies: string[] | null;
    checkpoints: Wire.CheckpointEntry[] | null;
    loaded: Wire.CheckpointLoaded | null;
    exports: Wire.ExportComplete[];
    evaluation: Wire.Evaluation | null;
    sites: Wire.SitesEvaluated | null;
    adapted: Wire.ModelAdapted | null;
    /** How far a look at a place is. */
    inspecting: Wire.Text | string | null;
    comparison: Wire.Comparison | Wire.ComparisonRecord | null;
    /** A study of readers, the latest or one shown again. */
    readers: Wire.ReaderStudyRecord | null;
    /** The labels in doubt that were looked for last. */
    doubts: Wire.DoubtsFound | null;
    /** The study planned last on this page. */
    plan: Wire.StudyPlan | null;
    /** The comparisons kept, of models and of readers; null when not asked for. */
    comparisons: Wire.ComparisonEntry[] | null;
    audit: Wire.AuditDone | null;
    /** What waits for an answer about duplicates and leaks. */
    asked: Wire.LeakQuestion | null;
    /** What a run would take, as last measured. */
    estimate: Wire.BenchMeasured | null;
    reports: Wire.ReportCreated[];
    queue: Wire.QueueShown | null;
    runs: Wire.RunsList | null;
    comparedRuns: Wire.RunsCompared | null;
    described: Wire.DataDescribed | null;
    inspected: Wire.DatasetInspected | null;
    datasets: Wire.DatasetEntry[] | null;
    exported: Wire.ExportEntry[] | null;
    /** Checkpoints and exports that proved whole on this page. */
    verified: Record<string, boolean>;
    images: Wire.ImagesList | null;
    preview: Wire.ImagePreview | null;
    predictions: Wire.Prediction[];
    heatMaps: Wire.HeatMap[];
    /** The latest question about images handed over, and its answers so far. */
    asking: { models: string[]; count: number; answers: Wire.ImageAnswer[]; units: Wire.UnitPrediction[]; notes: Wire.Text[] } | null;
    errors: Wire.ErrorsShown | null;
    diagnostics: Wire.SystemDiagnostics | null;
    backup: Wire.BackupCreated | null;
    backups: Wire.BackupEntry[] | null;
    /** The backup put back last, with what of it was held back. */
    restored: Wire.BackupRestored | null;
    studyList: Wire.StudiesList | null;
    interrupted: Wire.InterruptedRun[];
    savedConfigPath: string | null;
    documents: Wire.DocumentEntry[] | null;
    /** The text in the editor, as it came. */
    document: Wire.Document | null;
    /** A configuration that the form shall show. */
    offered: Record<string, any> | null;
    /** What refused the form that was sent last; null once anything on it is changed, or it is sent again. */
    refused: Wire.Error | null;
    /** The run that the form began. */
    formRun: string | null;
    pongMs: number | null;
    /** Requests without an answer yet: id -> type. */
    pending: Record<string, string>;
    /** Those of them of whose errors no notice is made: what the page asked by itself. */
    quiet: string[];
    /** Those of them that sent the form. */
    ofForm: string[];
    log: LogLine[];
    notices: Notice[];
    noticeCount: number;
  }

  interface Store {
    state(): State;
    dispatch(action: Wire.AnyEvent | { type: string; [field: string]: unknown }): void;
    subscribe(listener: (state: State) => void): void;
  }

  type CorrectionAction = Wire.DatasetCorrected["action"];

  /** What a model said of an image, or of a unit. */
  type Said = Wire.Prediction | Wire.UnitPrediction;

  interface Connection {
    connect(url: string): void;
    disconnect(): void;
    request(type: string, fields?: Record<string, unknown>, how?: { quiet?: boolean; form?: boolean }): Promise<any>;
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
    /** Whether whoever trains for the first time may want to set it. */
    basic: boolean;
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
    /** What the images say of the value, below the control. */
    tell(text: string): void;
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
    /** The place of the line that this one is a bound of: drawn thin in its colour, shown and hidden with it. */
    edgeOf?: number;
    /** Whether it is no result but what results are held against, such as chance: drawn in grey. */
    reference?: boolean;
  }

  interface Span {
    from: number;
    to: number;
  }

  /** Names of the axes; `whole`: over epochs, `unit`: between 0 and 1 on both; `fromZero`: y never below 0; `plain`: lines without points; `value`: how a y is written. */
  interface ChartSpec {
    x: string;
    y?: string;
    whole?: boolean;
    unit?: boolean;
    fromZero?: boolean;
    plain?: boolean;
    value?: (value: any) => string;
  }

  /** Epochs that all charts of a run mark. */
  interface ChartMarks {
    best: number | null;
    pinned: number | null;
  }

  interface LineChart {
    show(lines: Line[], options?: { range?: Span | null; weight?: number; marks?: ChartMarks }): void;
    /** Show or hide a line; tells whether it is shown now. */
    toggle(index: number): boolean;
    placeAt(pixel: number): number;
    pixelAt(place: number): number;
    /** Draw upright lines at the best epoch and at the one pinned. */
    mark(marks: ChartMarks): void;
    /** Make the y axis logarithmic, or linear again. */
    logarithmic(is: boolean): void;
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
    prepare(): void;
    show(lines: Line[], options?: { range?: Span | null; weight?: number; description?: string; marks?: ChartMarks }): void;
    /** Mark other epochs; the lines stay. */
    mark(marks: ChartMarks): void;
    /** Show the values at a place, pointed to on this chart or on another; null: nothing is pointed to. */
    point(place: number | null): void;
    restyle(): void;
    destroy(): void;
  }

  /** What is typed into the form that starts a run. */
  interface FormValues {
    readonly changed: Map<string, unknown>;
    faults: Map<string, string>;
    preset(): string;
    base(): Record<string, unknown>;
    changes(): Record<string, unknown>;
    toSave(): Record<string, unknown>;
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
    /** Puts a folder of images, or the name of a data set, into the form; set by the form. */
    useData?: (data: string) => void;
    /** Starts the run of the form, by this preset where the form has none and nothing is changed; set by the form. */
    begin?: (quick: string) => void;
    /** Asks again for the names of the data sets that are kept; set by their fields. */
    listDatasets?: () => void;
    /** Says what a place would be read as; set by the view of readings. */
    read?: (place: string) => void;
    /** Looks at the images that the form names; set by their view. */
    look?: () => void;
    /** Has a folder chosen among those the server may read, null for none; set by the first steps. */
    chooseFolder?: (start: string) => Promise<string | null>;
    /** Trains on sample images; set by the first steps. */
    trySample?: () => void;
  }

  /** What a place would be read as, as the page shows it. */
  interface Reading {
    path: string;
    layout: string;
    images: number;
    classes: Record<string, number>;
    patients: number | null;
    breasts: number | null;
    splits: Record<string, number> | null;
    masks: number;
    left_out: number;
    doubts: Wire.Text[];
    twins?: Wire.Text | null;
    reasons: { reason: Wire.Text; count: number; files: string[] }[];
    description: { fields?: Record<string, any>; class_map?: Record<string, string | null> } | null;
  }

  interface ReadingFound {
    inspection: Reading;
    pictures: Wire.ImageEntry[];
    preset: string;
  }

  /** A file with its path in what was chosen or dropped. */
  interface UploadedFile {
    path: string;
    file: File;
  }

  /** What a hand dropped: a folder or a file, as the browser offers it. */
  type Dropped = FileSystemEntry | FileSystemHandle | File;

  interface ChosenFiles {
    name: string;
    files: UploadedFile[];
  }

  interface UploadProgress {
    phase: "sending" | "waiting" | "unpacking";
    bytes: number;
    size: number;
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
      className(name: string | null | undefined): string;
      t(key: string, params?: Record<string, unknown>): string;
      plural(key: string, count: number, params?: Record<string, unknown>): string;
      say(text: Wire.Text | string): string;
      errorText(error: { code: string; message: string; params?: Record<string, unknown> }): string;
      plain(text: string): string;
      wordsOf(text: string): string[];
      apply(root: ParentNode): void;
    };
    steps: { pause(): Promise<void>; run(parts: Iterable<() => void>): Promise<void>; whenIdle(work: () => void): void };
    memory: { read(name: string): string | null; write(name: string, value: string | null): void };
    format: {
      NONE: string;
      figure(value: any): string;
      fixed(value: any, digits: number): string;
      day(iso: any): string;
      place(file: string): string;
      interval(figure: { low: number | null; high: number | null; flag?: Wire.Figure["flag"] }): string;
      integer(value: any): string;
      large(value: any): string;
      number(value: any, digits?: number): string;
      percent(value: any, digits?: number): string;
      small(value: any): string;
      bytes(value: any): string;
      megabytes(value: any): string;
      gigabytes(value: any): string;
      duration(seconds: any): string;
      roughly(seconds: any): string;
      between(low: number, high: number): string;
      date(iso: string | null | undefined): string;
      time(iso: string | null | undefined): string;
    };
    elements: {
      make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, options?: ElementOptions, ...children: (Node | string | null)[]): HTMLElementTagNameMap[Tag];
      name(name: string): HTMLElement;
      images(of: { data: string | null; dataset: string | null }): HTMLElement;
      label(label: string): HTMLElement;
      said(text: Wire.Text | string, classes?: string): HTMLElement;
      linked(text: string): (Node | string)[];
      byId(id: string): HTMLElement;
      fill(parent: Element, ...children: (Node | string | null)[]): void;
      actionButton(action: string, text: string, options?: ElementOptions): HTMLButtonElement;
      table(spec: { caption: string; captionHidden?: boolean; head: (Node | string)[]; rows: (Node | string)[][]; class?: string; numeric?: boolean }): HTMLTableElement;
      tableRow(cells: (Node | string)[], labels: string[]): HTMLTableRowElement;
      figureCell(figure: { value: number | null; low: number | null; high: number | null; flag?: Wire.Figure["flag"] } | undefined): Node | string;
      takeDrops(place: HTMLElement, receive: (dropped: DataTransfer | null) => void): void;
      scroller(label: string, content: Node): HTMLElement;
      terms(pairs: [string, Node | string][]): HTMLElement;
    };
    dataTable: {
      create<Row>(spec: { caption: string; columns: DataColumn<Row>[]; rows: Row[]; sorting: Sorting }): HTMLElement;
      update<Row>(parent: Element, spec: { caption: string; columns: DataColumn<Row>[]; rows: Row[]; sorting: Sorting }): void;
      keptCells(): KeptCells;
      kept(kept: KeptCells, of: object, column: string, make: () => Node | string): Node | string;
      refill(parent: Element, ...children: (Node | null)[]): void;
    };
    pageState: {
      initial(): State;
      newRun(id: string): Run;
      inRun(state: State, event: Wire.Event, patch: Partial<Run>): State;
      withEpoch(epochs: Wire.TrainingUpdate[], update: Wire.TrainingUpdate): Wire.TrainingUpdate[];
      withProgress(state: State, progress: Wire.ProgressUpdate | null): State;
      shownRun(state: State): Run | null;
      pinnedEpoch(state: State): Wire.TrainingUpdate | null;
      bestEpoch(epochs: Wire.TrainingUpdate[]): number | null;
      isRunning(state: State, run: Run | null): boolean;
      isBare(state: State, run: Run): boolean;
      STEPS: string[][];
      sessionState(state: State, to: Session["state"], job?: string | null): State;
      jobEnded(state: State): State;
      withSnapshot(state: State, snapshot: Wire.Snapshot): State;
    };
    runEvents: { rows: EventRows; stoppedText(event: Wire.TrainingStopped): Wire.Text };
    studyEvents: { rows: EventRows };
    resultEvents: { rows: EventRows };
    dataEvents: { rows: EventRows };
    fileEvents: { rows: EventRows };
    refusals: {
      faultsOf(error: Wire.Error): [string, Wire.Text | string][];
      isOfSettings(error: Wire.Error): boolean;
      isOfForm(state: State, error: Wire.Error): boolean;
    };
    store: {
      initial(): State;
      reduce(state: State, action: any): State;
      rows: EventRows;
      missingEpochs(state: State): { from: number; to: number } | null;
      isPending(state: State, request: string): boolean;
      stoppedText(event: Wire.TrainingStopped): Wire.Text;
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
    fileParts: {
      PART: number;
      crc32(bytes: Uint8Array): number;
      base64(part: Blob): Promise<string>;
      checked(part: Blob): Promise<{ part: string; crc32: number }>;
    };
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
      hear(event: Event): void;
    };
    series: {
      points(epochs: Wire.TrainingUpdate[], value: (row: any) => unknown): Point[];
      smoothed(line: Point[], weight: number): Point[];
      valueAt(line: Point[], x: number): number | null;
      isWide(lines: Line[]): boolean;
      isEmpty(line: Line): boolean;
      bandOf(runs: Record<string, (number | null)[]>[], figure: string, labels: { mean: string; low: string; high: string }): Line[];
      csv(rows: unknown[][]): string;
      rowsOf(lines: Line[], axes: { x: string; y: string }): unknown[][];
    };
    address: { VIEWS: string[]; FOLDER: string; placeOf(hash: string): Place; ofRun(run: string, tab?: string): string; ofSetting(path: string): string; ofEvaluation(run: string, name: string): string; ofRecord(path: string | null): Place["evaluation"] };
    servedFiles: { page(url: string): string; address(state: State, path: string): string; link(state: State, path: string): HTMLAnchorElement; opens(state: State, path: string, text: string, kind?: string): HTMLAnchorElement; askReport(connection: Connection, run_id: string, of?: { evaluation?: string }): void };
    download: { save(name: string, content: Blob): void; saveText(name: string, text: string, type?: string): void };
    charts: {
      available(): boolean;
      look(index: number): { colour: string; dash: number[] };
      looks(lines: Line[]): number[];
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
      drawGroup(parent: Element, section: string, fields: Field[], open: boolean, handlers: FieldHandlers): DrawnField[];
      drawField(field: Field, handlers: FieldHandlers): DrawnField;
      valueText(field: Field, value: unknown): string;
      explained(field: Field): string;
    };
    views: {
      dialog: { ask(question: { title: string; text: Node | string; confirm: string; danger?: boolean; body?: Node }): Promise<boolean> };
      header: { create(context: Context): View };
      lesionBox: {
        attach(frame: HTMLElement, answer: Wire.ImageAnswer): void;
        boxesOf(images: string[]): ([number, number, number, number] | null)[];
        clear(): void;
        help(answer: Wire.ImageAnswer): Node | null;
        show(): void;
      };
      ownSettings: {
        create(
          context: Context,
          form: {
            order: () => { config: Record<string, unknown>; preset?: string };
            effective: () => Record<string, unknown>;
            use: (config: Record<string, unknown>) => void;
            told: (problems: (Wire.Text | string)[]) => void;
          },
        ): { check(): void; showFaults(lines: (Wire.Text | string)[], byField: Map<string, string>): void };
      };
      editor: { create(context: Context): View };
      ending: { create(): View };
      start: { create(context: Context): View };
      formValues: { create(store: Store): FormValues };
      refusal: { create(context: Context, values: FormValues): { faults(): Map<string, string>; showFolder(found: Map<string, string>): void } };
      formMemory: {
        create(context: Context, again: () => void): {
          keep(form: Partial<Form>): void;
          show(folder: HTMLInputElement, preset: HTMLSelectElement): void;
          /** Where no preset was chosen, take the one that suits the images, as far as they are known. */
          propose(): void;
          /** The form is for these images from now on; what was set for others is taken back. */
          settle(images: string, folder?: string | null): void;
          /** Tell that changed settings stay over another preset, and how to be rid of them. */
          kept(count: number): void;
          /** Replace what is on the form, which can be undone. */
          replace(key: string, change: () => void): void;
        };
      };
      settingsPanel: {
        create(values: FormValues, handlers: FieldHandlers, preset: HTMLSelectElement): {
          draw(welcome: Wire.ConnectionEstablished): void;
          show(fromServer: Map<string, string>): void;
          fields(): Field[];
          /** What the images say of the value of a setting. */
          tell(path: string, text: string): void;
          /** Go to the setting that the address names, once. */
          follow(page: State["page"]): void;
        };
        link(path: string): HTMLAnchorElement;
        open(path: string): void;
      };
      settingsFilter: {
        create(drawn: () => DrawnField[], isOpen: (path: string) => boolean): { apply(): void; reveal(field: DrawnField): void };
      };
      leakQuestion: {
        answerOf(state: State, run_id: string): HTMLElement | null;
        create(context: Context, values: FormValues): {
          begin(wanted: Record<string, any>): Promise<void>;
          ask(request: string, wanted: Record<string, any>): Promise<void>;
        };
      };
      run: { create(): View; stateKey(state: State): string };
      progress: { bodyOf(state: State): (Node | null)[]; doing(state: State): string; leftText(state: State): string; isTraining(state: State): boolean };
      jobBar: { create(context: Context): View; jobName(job: string): string };
      palette: { create(context: Context): void };
      glossary: { create(): void };
      preFlight: { create(context: Context): View; patientsText(state: State): string };
      runCards: { create(): View; stateOf(state: State, run: Run): string };
      runPage: { create(context: Context): View };
      resultsList: { bodyOf(state: State, found: Wire.ResultsList): Node[] };
      tiles: { create(): View };
      chartCard: {
        create(spec: ChartSpec & { name: string; title: string; onRange?: (range: Span | null) => void; onPoint?: (place: number | null) => void; onPin?: (place: number) => void }): ChartCard;
      };
      chartGestures: {
        listen(canvas: HTMLCanvasElement, band: HTMLElement, chart: () => LineChart | null, handlers: { whole: boolean; zoom: (range: Span | null) => void; point?: (place: number | null) => void; pin?: (place: number) => void }): void;
      };
      epochsTable: { show(state: State, epochs: Wire.TrainingUpdate[]): void };
      curveTools: {
        create(handlers: { onRange: (range: Span | null) => void; onWeight: (weight: number) => void; onPin: (epoch: number | null) => void; onSave: () => void }): {
          show(range: Span | null, epochs: Wire.TrainingUpdate[], marks: ChartMarks): void;
        };
      };
      curves: { create(context: Context): View & { listen(again: () => void): void; restyle(): void } };
      classes: { create(): View; confusionTable(matrix: number[][], names: string[], open?: (label: string, predicted: string) => void): HTMLTableElement };
      crossval: { create(context: Context): View & { restyle(): void } };
      folds: {
        foldsTable(study: Wire.Study): HTMLElement;
        spreadTable(found: Wire.CrossvalResult | Wire.SeedsResult, caption: string): HTMLElement;
        resultOf(found: Wire.CrossvalResult): (Node | null)[];
      };
      summary: { create(): View };
      data: { create(context: Context): View };
      droppedFiles: {
        entriesOf(transfer: DataTransfer | null): Promise<Dropped | null>[];
        walk(dropped: Promise<Dropped | null>[]): Promise<ChosenFiles>;
        ofField(files: Iterable<File>): ChosenFiles;
      };
      folderUpload: { send(context: Context, chosen: ChosenFiles, tell: (progress: UploadProgress) => void, signal: AbortSignal): Promise<Wire.UploadFinished> };
      folderChooser: { create(context: Context): { ask(start: string): Promise<string | null> } };
      intake: { create(context: Context, host: HTMLElement, chosen: (path: string) => void): void };
      firstSteps: { create(context: Context): View };
      datasetField: { createAll(context: Context): View };
      reading: { create(context: Context): View };
      readingChanges: {
        create(host: HTMLElement, changed: () => void): { clear(): void; begin(inspection: Reading): void; follow(inspection: Reading): void; order(scale: string[]): void; values(): Record<string, unknown> };
      };
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
      runsTable: {
        create(changed: () => void): { chosen(): DataColumn<RunRow>[] };
        rowsOf(runs: Wire.RunEntry[], open: Set<string>): RunRow[];
        asked(state: State): { search: string; sort: string; descending: boolean; state?: string };
      };
      comparedRuns: {
        create(context: Context): View & { restyle(): void };
        FIGURES: string[];
        figureName(figure: string): string;
        stateOf(run: Wire.RunEntry): HTMLElement;
        epochsOf(run: Wire.RunEntry): string;
        imagesOf(run: Wire.RunEntry): string;
        imagesIn(on: string): string;
        sensitivityOf(run: Wire.RunEntry): Node | string;
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
      twins: { create(connection: Connection): { render(audit: Wire.AuditDone | null): void } };
      subgroups: { subgroupsOf(found: Wire.Evaluation): HTMLElement | null };
      target: {
        targetOf(found: Wire.Evaluation): HTMLElement | null;
        chartsOf(found: Wire.Evaluation): { name: string; title: string; x: string; y: string; lines: Line[]; unit: boolean; fromZero?: boolean }[];
      };
      judged: {
        figuresTable(caption: string, figures: [string | Node, Wire.Figure][], captionHidden: boolean, counted?: string): HTMLElement;
        allUsesOf(found: Wire.Evaluation): HTMLElement | null;
        usesOf(found: Wire.Evaluation, ...parts: (keyof Wire.ImageUse)[]): HTMLElement | null;
        usedForOf(found: Wire.Evaluation): HTMLElement | null;
        patientsOf(found: Wire.Evaluation, figures: [string | Node, Wire.Figure][]): HTMLElement | null;
        pointOf(found: Wire.Evaluation): HTMLElement | null;
        predictiveOf(found: Wire.Evaluation): HTMLElement | null;
        calibrationOf(found: Wire.Evaluation): HTMLElement | null;
        referralOf(found: Wire.Evaluation): HTMLElement | null;
        casesOf(found: Wire.Evaluation): HTMLElement;
      };
      strip: { stripOf(found: Wire.Evaluation | Wire.Evidence): HTMLElement; classesOf(found: Wire.Evaluation): HTMLElement | null; targetOf(found: Wire.Evaluation | Wire.Evidence): string | null };
      units: { unitsOf(found: Wire.Evaluation): HTMLElement | null };
      unitAnswers: { show(asking: NonNullable<State["asking"]>): void };
      thresholdExplorer: {
        create(moved: (place: Point | null) => void): { show(found: Wire.Evaluation): void };
        predictive(sensitivity: number, specificity: number, prevalence: number): { ppv: number | null; npv: number | null };
      };
      evaluation: { create(context: Context): View & { restyle(): void }; wordsOf(full: string): Node };
      adaptation: { create(context: Context): View };
      sites: { create(context: Context): View; readMap(text: string): Record<string, string[]> };
      comparison: { create(context: Context): View; pValue(value: number | null): string };
      decisions: { decisionsOf(found: Wire.DecisionComparison): Node[]; marginsOf(judged: Wire.NonInferiority[]): Node | null };
      readers: { create(context: Context): View };
      comparisons: { create(context: Context): View };
      plan: { create(context: Context): View };
      exportDialog: { ask(context: Context, entry: Wire.CheckpointEntry): Promise<void> };
      doubts: { create(context: Context): View };
      predict: { create(context: Context): View };
      upload: { handOver(connection: Connection, file: File, image: string, progress: (share: number) => void): Promise<void> };
      answers: { create(): View; decisionOf(said: Said): string; plausibleOf(said: Said): string | null; chances(said: Said): HTMLElement; referralOf(said: Said): HTMLElement };
      corrections: { ask(connection: Connection, found: { dataset: string | null; split: string | null; class_names: string[] }, action: CorrectionAction, images: { dataset_file: string | null; label: string }[], proposed?: string): Promise<Wire.DatasetCorrected | null> };
      imageCase: {
        pictureOf(uri: string | null, alt?: string): HTMLElement;
        create(image: { picture: string | null; alt?: string; file: string | null }, ...told: (Node | null)[]): HTMLElement;
        tools(
          connection: Connection,
          found: { dataset: string | null; split: string | null; class_names: string[] },
          image: { file: string; dataset_file: string | null; label: string },
          how: { proposed?: string; actions?: CorrectionAction[]; told?: string; decided: (done: Wire.DatasetCorrected, tell: (words: string) => void) => void },
        ): HTMLElement[];
      };
      judgedFilters: { show(form: HTMLFormElement, state: State, found: Wire.JudgedList, only: any, narrow: (changes: Record<string, unknown>, evaluation?: string) => void): void };
      judgedImages: { create(context: { connection: Connection; store: Store }): { element: HTMLElement; show(state: State, run: string): void }; open(run: string, evaluation: string | null, only: Record<string, unknown>): void; correctionOf(image: Wire.JudgedImage): Node | string; referOf(refer: boolean | null): string };
      lightbox: { create(context: { connection: Connection; store: Store; closed: (image: Wire.JudgedImage | null) => void; step: (image: Wire.JudgedImage, by: number) => Promise<Wire.JudgedImage | null>; correct: (action: CorrectionAction, images: Wire.JudgedImage[]) => Promise<void> }): { open(found: Wire.JudgedList, first: Wire.JudgedImage): void } };
      errors: { create(context: Context): View };
      log: { create(context: Context): View; textOf(line: LineContent): string; lineElement(line: LogLine): HTMLElement };
      system: { create(context: Context): View };
      toasts: { create(context: Context): View };
      interrupted: { create(context: Context): View };
      backups: { create(context: Context): View };
      studies: { create(context: Context): View };
    };
  }
}
