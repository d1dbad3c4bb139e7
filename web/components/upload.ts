// Sends files by tus: in parts, going on where it stopped after a cut line, a closed page or another choice of the file.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { type DetailedError, Upload } from "tus-js-client";
import { problemSentence, titleFrom } from "./upload-words";

const PART_BYTES = 8 * 1024 * 1024;
const RETRY_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000, 60_000];

interface Item {
  file: File;
  title: string;
  state: "chosen" | "sending" | "waiting" | "done" | "failed";
  sent: number;
  speed: number;
  problem: string;
  recording: string | null;
  upload: Upload | null;
}

class LcUpload extends LitElement {
  private items: Item[] = [];
  private wakeLock: WakeLockSentinel | null = null;

  protected override createRenderRoot(): HTMLElement {
    // The form is the server's; only the list of files is drawn here.
    return this.querySelector<HTMLElement>("[data-files]") ?? this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    for (const input of this.querySelectorAll<HTMLInputElement>("[data-file]")) {
      input.addEventListener("change", () => {
        this.choose([...(input.files ?? [])]);
        input.value = "";
      });
    }
    this.wireDrop();
    this.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
    window.addEventListener("online", () => this.retryWaiting());
  }

  private get busy(): boolean {
    return this.items.some((item) => item.state === "sending" || item.state === "waiting");
  }

  private wireDrop(): void {
    const zone = this.querySelector<HTMLElement>("[data-drop]");
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone?.classList.add("picker-over");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) zone?.classList.remove("picker-over");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      zone?.classList.remove("picker-over");
      this.choose([...(event.dataTransfer?.files ?? [])]);
    });
  }

  private choose(files: File[]): void {
    const most = Number(this.dataset.maxBytes);
    for (const file of files) {
      const problem =
        file.size > most
          ? "This file is larger than what may be sent."
          : file.size === 0
            ? "This file is empty. On a phone: wait until it is loaded from the cloud, then choose it again."
            : "";
      const state = problem ? "failed" : "chosen";
      const fresh: Item = {
        file,
        title: titleFrom(file.name),
        state,
        sent: 0,
        speed: 0,
        problem,
        recording: null,
        upload: null,
      };
      this.items = [
        ...this.items.filter((item) => item.file.name !== file.name || item.state !== "chosen"),
        fresh,
      ];
    }
    this.show();
  }

  private show(): void {
    this.requestUpdate();
    const button = this.querySelector<HTMLButtonElement>("[data-send]");
    if (button) button.disabled = !this.items.some((item) => item.state === "chosen");
    this.classList.toggle("has-files", this.items.length > 0);
  }

  private field(name: string): string {
    const control = this.querySelector<HTMLInputElement | HTMLSelectElement>(`[name=${name}]`);
    return control?.value.trim() ?? "";
  }

  private async send(): Promise<void> {
    this.wakeLock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
    const chosen = this.items.filter((item) => item.state === "chosen");
    for (const item of chosen) await this.sendOne(item, chosen.length === 1 ? this.field("title") : "");
    await this.wakeLock?.release().catch(() => undefined);
    const done = this.items.filter((item) => item.state === "done");
    if (!done.length || this.items.some((item) => item.state === "failed")) return;
    const only = done.length === 1 ? done[0]?.recording : null;
    location.assign(only ? `/recordings/${encodeURIComponent(only)}` : "/recordings");
  }

  private sendOne(item: Item, title: string): Promise<void> {
    return new Promise((resolve) => {
      const started = { at: performance.now(), sent: -1 };
      const upload = new Upload(item.file, {
        endpoint: this.dataset.endpoint ?? "/api/v1/uploads",
        chunkSize: PART_BYTES,
        retryDelays: RETRY_MS,
        removeFingerprintOnSuccess: true,
        metadata: {
          filename: item.file.name,
          filetype: item.file.type,
          title: title || item.title,
          language: this.field("language"),
        },
        onProgress: (sent) => {
          if (started.sent < 0) started.sent = sent;
          const seconds = (performance.now() - started.at) / 1000;
          item.speed = seconds > 1 ? (sent - started.sent) / seconds : 0;
          item.sent = sent;
          item.state = "sending";
          this.show();
        },
        onShouldRetry: (error) => {
          const status = (error as DetailedError).originalResponse?.getStatus() ?? 0;
          const again = status === 0 || status >= 500 || status === 409 || status === 423 || status === 429;
          if (again) item.state = "waiting";
          this.show();
          return again;
        },
        onUploadUrlAvailable: () => {
          // The server names itself as it is known outside; the policy allows only the name that is open here.
          if (upload.url)
            upload.url = new URL(new URL(upload.url, location.href).pathname, location.origin).href;
        },
        onAfterResponse: (_request, response) => {
          item.recording = response.getHeader("Lorecast-Recording") ?? item.recording;
        },
        onError: (error) => {
          item.state = "failed";
          item.problem = problemSentence(error);
          this.show();
          resolve();
        },
        onSuccess: () => {
          item.state = "done";
          item.sent = item.file.size;
          this.show();
          resolve();
        },
      });
      item.upload = upload;
      item.state = "sending";
      item.problem = "";
      this.show();
      void upload.findPreviousUploads().then((earlier) => {
        const last = earlier[0];
        if (last) upload.resumeFromPreviousUpload(last);
        upload.start();
      });
    });
  }

  private retryWaiting(): void {
    for (const item of this.items) if (item.state === "waiting") item.upload?.start();
  }

  private again(item: Item): void {
    item.state = "chosen";
    this.show();
    void this.send();
  }

  private drop(item: Item): void {
    void item.upload?.abort(item.state !== "chosen");
    this.items = this.items.filter((each) => each !== item);
    this.show();
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.items.length) return nothing;
    return html`<ul class="files">${this.items.map((item) => this.row(item))}</ul>`;
  }

  private row(item: Item): TemplateResult {
    const words = this.words(item);
    const part = item.file.size ? item.sent / item.file.size : 0;
    const running = item.state === "sending" || item.state === "waiting";
    return html`<li class="file file-${item.state}">
      <div class="stage-line"><strong>${item.file.name}</strong><span class="num quiet">${megabytes(item.file.size)}</span></div>
      ${running || item.state === "done" ? html`<progress class="progress" max="1" .value=${part} aria-label="Sent"></progress>` : nothing}
      <div class="stage-line"><span class=${item.problem ? "stage-error" : "quiet"} role=${item.problem ? "alert" : nothing}>${words}</span>
        <span class="actions">
          ${item.state === "failed" && item.upload ? html`<button type="button" class="btn btn-sm btn-plain" @click=${() => this.again(item)}>Try again</button>` : nothing}
          ${item.state === "done" ? nothing : html`<button type="button" class="btn btn-sm btn-plain" @click=${() => this.drop(item)}>${running ? "Stop" : "Remove"}</button>`}
        </span></div>
    </li>`;
  }

  private words(item: Item): string {
    if (item.problem) return item.problem;
    if (item.state === "chosen") return "Ready to send";
    if (item.state === "done") return "Arrived. It is being prepared.";
    if (item.state === "waiting") return "No connection. It goes on by itself where it stopped.";
    const left = item.speed > 0 ? (item.file.size - item.sent) / item.speed : 0;
    const tail =
      left > 2 ? `, about ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left` : "";
    return `${Math.floor((item.sent / item.file.size) * 100)} % sent${tail}`;
  }
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}

customElements.define("lc-upload", LcUpload);
