// The video, its words and its chapters as one thing: a click on a sentence plays it, the sentence that is heard is
// marked, keys work as people know them. The page is complete without this; the video element stays the native one.
import { copy } from "./copy";
import { clock, isForeignKey, say, singleKeysWork, switchSingleKeys } from "./status";

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];
const SPEED_KEY = "lorecast.speed";
const CAPTIONS_KEY = "lorecast.captions";

interface Span {
  element: HTMLElement;
  start: number;
  end: number;
}

export class Player extends HTMLElement {
  video!: HTMLVideoElement;
  private sentences: Span[] = [];
  private chapters: Span[] = [];
  private current: HTMLElement | null = null;
  private follows = true;

  connectedCallback(): void {
    const video = this.querySelector<HTMLVideoElement>("[data-video]");
    if (!video) return;
    this.video = video;
    this.sentences = this.spans("[data-sentence]");
    this.chapters = this.spans("[data-chapter]");
    for (const hidden of this.querySelectorAll<HTMLElement>("[data-tools], [data-act]"))
      hidden.hidden = false;
    this.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", this.key);
    video.addEventListener("timeupdate", () => this.tick());
    video.addEventListener("seeked", () => this.tick());
    video.addEventListener("playing", () => this.fault(null));
    video.querySelector("source:last-of-type")?.addEventListener("error", () => this.fault("load"));
    this.wireSpeed();
    this.wireCaptions();
    this.wireFollow();
    this.wireKeysDialog();
    this.begin();
  }

  disconnectedCallback(): void {
    document.removeEventListener("keydown", this.key);
  }

  /** Go to a moment; `plays` starts the video there. */
  seek(seconds: number, plays: boolean): void {
    this.video.currentTime = seconds;
    if (plays) this.play();
    this.setFollow(true);
    this.tick();
  }

  private begin(): void {
    const start = Number(this.dataset.start ?? 0);
    const jump = (): void => {
      if (start > 0 && Math.abs(this.video.currentTime - start) > 0.3) this.video.currentTime = start;
    };
    if (this.video.readyState >= HTMLMediaElement.HAVE_METADATA) jump();
    else this.video.addEventListener("loadedmetadata", jump, { once: true });
    if (start > 0) this.mark(start);
    if (this.dataset.plays !== undefined) this.play();
  }

  private play(): void {
    // Refused without a click on this site before: then the frame stands there and waits.
    this.video.play().catch(() => undefined);
  }

  private spans(selector: string): Span[] {
    return [...this.querySelectorAll<HTMLElement>(selector)].map((element) => ({
      element,
      start: Number(element.dataset.start),
      end: Number(element.dataset.end),
    }));
  }

  private tick(): void {
    const now = this.video.currentTime;
    this.mark(now);
    const label = this.querySelector("[data-copy-at]");
    if (label) label.textContent = clock(now);
    const part = now / (this.video.duration || Number.POSITIVE_INFINITY);
    this.querySelector("[data-played]")?.setAttribute("width", (part * 1000).toFixed(1));
  }

  private mark(now: number): void {
    const chapter = lastBefore(this.chapters, now)?.element ?? null;
    for (const each of this.chapters) toggleCurrent(each.element, each.element === chapter);
    const sentence = lastBefore(this.sentences, now)?.element ?? null;
    if (sentence === this.current) return;
    if (this.current) toggleCurrent(this.current, false);
    this.current = sentence;
    if (!sentence) return;
    toggleCurrent(sentence, true);
    if (this.follows) this.bringIntoView(sentence);
  }

  private bringIntoView(sentence: HTMLElement): void {
    const pane = this.querySelector<HTMLElement>("[data-transcript]");
    if (!pane || pane.scrollHeight <= pane.clientHeight + 1) return;
    const offset = sentence.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    pane.scrollBy({ top: offset - pane.clientHeight / 3, behavior: calm ? "auto" : "smooth" });
  }

  private clicked(event: MouseEvent): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const target = event.target as Element;
    const act = target.closest<HTMLElement>("[data-act]");
    if (act) {
      this.act(act.dataset.act ?? "");
      return;
    }
    const place = target.closest<HTMLElement | SVGElement>("[data-seek]");
    if (!place || !this.contains(place)) return;
    event.preventDefault();
    this.seek(Number(place.dataset.seek), true);
  }

  private act(name: string): void {
    if (name === "back") this.step(-10);
    if (name === "forward") this.step(10);
    if (name === "copy") this.copyLink();
    if (name === "keys") this.querySelector<HTMLDialogElement>("[data-keys]")?.showModal();
    if (name === "follow") this.setFollow(!this.follows);
  }

  private step(seconds: number): void {
    this.video.currentTime = Math.max(0, this.video.currentTime + seconds);
  }

  private copyLink(): void {
    const at = Math.floor(this.video.currentTime);
    const page = new URL(this.dataset.page ?? location.pathname, location.href);
    if (at) page.searchParams.set("t", String(at));
    void copy(page.href, `Link to ${clock(at)} copied.`);
  }

  private wireSpeed(): void {
    const select = this.querySelector<HTMLSelectElement>("[data-speed]");
    if (!select) return;
    const kept = Number(localStorage.getItem(SPEED_KEY) ?? 1);
    if (SPEEDS.includes(kept)) this.setSpeed(kept);
    select.addEventListener("change", () => this.setSpeed(Number(select.value)));
  }

  private setSpeed(speed: number): void {
    this.video.defaultPlaybackRate = speed;
    this.video.playbackRate = speed;
    localStorage.setItem(SPEED_KEY, String(speed));
    const select = this.querySelector<HTMLSelectElement>("[data-speed]");
    if (select) select.value = String(speed);
  }

  private wireCaptions(): void {
    const captions = this.captions();
    if (!captions) return;
    if (localStorage.getItem(CAPTIONS_KEY) === "on") captions.mode = "showing";
    this.video.textTracks.addEventListener("change", () => {
      localStorage.setItem(CAPTIONS_KEY, captions.mode === "showing" ? "on" : "off");
    });
  }

  private captions(): TextTrack | undefined {
    return [...this.video.textTracks].find((track) => track.kind === "captions");
  }

  private wireFollow(): void {
    const pane = this.querySelector<HTMLElement>("[data-transcript]");
    for (const kind of ["wheel", "touchmove"]) {
      pane?.addEventListener(kind, () => this.setFollow(false), { passive: true });
    }
  }

  private setFollow(on: boolean): void {
    this.follows = on;
    this.querySelector('[data-act="follow"]')?.setAttribute("aria-pressed", String(on));
    if (on && this.current) this.bringIntoView(this.current);
  }

  private wireKeysDialog(): void {
    const box = this.querySelector<HTMLInputElement>("[data-keys-switch]");
    if (!box) return;
    box.checked = singleKeysWork();
    box.addEventListener("change", () => switchSingleKeys(box.checked));
  }

  private readonly key = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && /^Arrow(Left|Right)$/.test(event.key) && !inField(event)) {
      event.preventDefault();
      this.toChapter(event.key === "ArrowRight" ? 1 : -1);
      return;
    }
    if (isForeignKey(event) || !singleKeysWork()) return;
    const onControl = (event.target as Element).closest("button, a, summary");
    if (onControl && (event.key === " " || event.key === "Enter")) return;
    const run = this.commands(event.key);
    if (!run) return;
    event.preventDefault();
    run();
  };

  private commands(key: string): (() => void) | undefined {
    if (/^[0-9]$/.test(key)) {
      return () => this.seek((Number(key) / 10) * (this.video.duration || 0), !this.video.paused);
    }
    const table: Record<string, () => void> = {
      " ": () => this.toggle(),
      k: () => this.toggle(),
      j: () => this.step(-10),
      l: () => this.step(10),
      ArrowLeft: () => this.step(-5),
      ArrowRight: () => this.step(5),
      "<": () => this.shiftSpeed(-1),
      ">": () => this.shiftSpeed(1),
      c: () => this.toggleCaptions(),
      m: () => {
        this.video.muted = !this.video.muted;
      },
      f: () => void (document.fullscreenElement ? document.exitFullscreen() : this.video.requestFullscreen()),
      y: () => this.copyLink(),
      "?": () => this.act("keys"),
    };
    return table[key];
  }

  private toggle(): void {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  private shiftSpeed(step: number): void {
    const next = SPEEDS[SPEEDS.indexOf(this.video.playbackRate) + step];
    if (!next) return;
    this.setSpeed(next);
    say(`Speed ${next}`);
  }

  private toggleCaptions(): void {
    const captions = this.captions();
    if (!captions) return;
    captions.mode = captions.mode === "showing" ? "disabled" : "showing";
    say(captions.mode === "showing" ? "Captions on" : "Captions off");
  }

  private toChapter(step: number): void {
    const at = this.chapters.findLastIndex((chapter) => chapter.start <= this.video.currentTime + 0.5);
    const next = this.chapters[Math.max(0, at + step)];
    if (next) this.seek(next.start, !this.video.paused);
  }

  private fault(kind: string | null): void {
    const line = this.querySelector<HTMLElement>("[data-video-error]");
    if (!line) return;
    line.hidden = !kind;
    line.textContent = kind
      ? "The video does not play. Reload the page to try again; the words can be read."
      : "";
  }
}

function inField(event: KeyboardEvent): boolean {
  return Boolean((event.target as Element).closest("input, textarea, select, dialog"));
}

function lastBefore(spans: Span[], now: number): Span | undefined {
  return spans.findLast((span) => span.start <= now + 0.05);
}

function toggleCurrent(element: HTMLElement, on: boolean): void {
  if (on) element.setAttribute("aria-current", "true");
  else element.removeAttribute("aria-current");
}

customElements.define("lc-player", Player);
