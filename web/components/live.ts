// One stream of events a page. Progress is written in place; a change of state fetches the page again and exchanges
// the parts that are different, so that the server alone decides what they look like.

interface StageEvent {
  name: string;
  state: string;
  progress: number | null;
  error: string | null;
}

interface RecordingEvent {
  id: string;
  state: string;
  submission_state?: string | null;
  stages: StageEvent[];
}

const POLL_MS = 5000;
const SETTLE_MS = 250;
// A recording that first turns up later than this was made meanwhile.
const FIRST_MS = 3000;

export function followEvents(process: (part: Element) => void): void {
  const address = document.body.dataset.live;
  if (!address || !document.querySelector("[data-live-part]")) return;
  new Follower(address, process).start();
}

class Follower {
  private source: EventSource | null = null;
  private polling = 0;
  private settling = 0;
  private settled = false;
  private readonly known = new Map<string, string>();

  constructor(
    private readonly address: string,
    private readonly process: (part: Element) => void,
  ) {}

  start(): void {
    this.open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.close();
      else {
        this.open();
        this.refreshSoon();
      }
    });
    window.addEventListener("pagehide", () => this.close());
  }

  private open(): void {
    if (this.source) return;
    this.source = new EventSource(this.address);
    window.setTimeout(() => {
      this.settled = true;
    }, FIRST_MS);
    this.source.addEventListener("recording", (event) => this.take(JSON.parse(event.data) as RecordingEvent));
    this.source.addEventListener("submission", () => this.refreshSoon());
    this.source.addEventListener("error", () => {
      if (this.source?.readyState === EventSource.CLOSED) this.poll();
    });
  }

  private close(): void {
    this.source?.close();
    this.source = null;
    window.clearInterval(this.polling);
    this.polling = 0;
  }

  private poll(): void {
    this.polling ||= window.setInterval(() => this.refreshSoon(), POLL_MS);
  }

  private take(event: RecordingEvent): void {
    const places = [...document.querySelectorAll<HTMLElement>(`[data-recording="${CSS.escape(event.id)}"]`)];
    const now = `${event.state};${event.stages.map((stage) => `${stage.name}=${stage.state}`).join()}`;
    const full = `${now};${event.submission_state ?? ""}`;
    const before = this.known.get(event.id);
    this.known.set(event.id, full);
    // The stream begins with all recordings as they stand; those are compared with what the page shows.
    const news = before === undefined ? this.isNews(places, now) : before !== full;
    if (news) this.refreshSoon();
    for (const place of places) for (const stage of event.stages) showProgress(place, stage);
  }

  private isNews(places: HTMLElement[], now: string): boolean {
    return places.length ? places.some((place) => place.dataset.signature !== now) : this.settled;
  }

  private refreshSoon(): void {
    window.clearTimeout(this.settling);
    this.settling = window.setTimeout(() => void this.refresh(), SETTLE_MS);
  }

  private async refresh(): Promise<void> {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!reply?.ok) return;
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const part of document.querySelectorAll<HTMLElement>("[data-live-part]")) {
      const next = fresh.getElementById(part.id);
      if (next && needsExchange(part, next)) this.exchange(part, next);
    }
    const title = fresh.querySelector("title")?.textContent;
    if (title) document.title = title;
  }

  private exchange(part: HTMLElement, next: HTMLElement): void {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const link = focused?.getAttribute("href");
    part.replaceWith(next);
    this.process(next);
    if (focused) {
      const same = link ? next.querySelector<HTMLElement>(`[href="${CSS.escape(link)}"]`) : null;
      (same ?? document.getElementById("main"))?.focus();
    }
  }
}

function needsExchange(part: HTMLElement, next: HTMLElement): boolean {
  // A video that is there already stays: exchanging it would stop it.
  if (part.dataset.livePart === "once" && part.querySelector("video")) return false;
  // A form that somebody fills stays too.
  if (part.querySelector("details.confirm[open]")) return false;
  return part.outerHTML !== next.outerHTML;
}

function showProgress(place: HTMLElement, stage: StageEvent): void {
  if (stage.progress === null) return;
  for (const step of place.querySelectorAll(`[data-stage="${CSS.escape(stage.name)}"]`)) {
    const bar = step.querySelector("progress");
    if (bar) bar.value = stage.progress;
    const percent = step.querySelector("[data-percent]");
    if (percent) percent.textContent = `${Math.floor(stage.progress * 100)} %`;
  }
}
