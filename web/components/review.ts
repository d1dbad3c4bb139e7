// The reviewer's keys and the small helps around the verdict and the comments.
import "./player";
import type { Player } from "./player";
import { clock, isForeignKey, singleKeysWork } from "./status";

const VERDICT_KEYS: Record<string, string> = { A: "approve", R: "request_changes", X: "reject" };

class Review extends HTMLElement {
  private doubt = -1;

  connectedCallback(): void {
    this.verdictForm()?.addEventListener("submit", (event) => this.check(event));
    this.querySelector("textarea[name=text]")?.addEventListener("input", (event) => {
      (event.target as HTMLTextAreaElement).setCustomValidity("");
    });
    this.querySelector('[data-act="next-doubt"]')?.addEventListener("click", () => this.toDoubt(1));
    this.wireComment();
    document.addEventListener("keydown", (event) => this.key(event));
  }

  private get player(): Player | null {
    return this.querySelector<Player>("lc-player");
  }

  private verdictForm(): HTMLFormElement | null {
    return this.querySelector<HTMLFormElement>("[data-verdict]");
  }

  /** Changes and rejection need a word for the expert. */
  private check(event: SubmitEvent): void {
    const form = event.target as HTMLFormElement;
    const text = form.elements.namedItem("text") as HTMLTextAreaElement;
    const decision = (event.submitter as HTMLButtonElement | null)?.value;
    if (decision === "approve" || text.value.trim()) return;
    event.preventDefault();
    text.setCustomValidity("Say what should change, or why not.");
    text.reportValidity();
  }

  /** A comment holds the moment at which one began to write it; the video waits meanwhile. */
  private wireComment(): void {
    const form = this.querySelector<HTMLFormElement>("[data-comment]");
    const text = form?.querySelector("textarea");
    const at = form?.querySelector<HTMLInputElement>("[name=at_s]");
    const label = form?.querySelector("[data-comment-label]");
    if (!form || !text || !at) return;
    text.addEventListener("focus", () => {
      const video = this.player?.video;
      if (!video || text.value) return;
      video.pause();
      at.value = video.currentTime.toFixed(1);
      if (label) label.textContent = `Comment at ${clock(video.currentTime)}`;
    });
    form.addEventListener("htmx:afterRequest", (event) => {
      if ((event as CustomEvent<{ successful: boolean }>).detail.successful) {
        form.reset();
        at.value = "";
        if (label) label.textContent = "Comment";
      }
    });
  }

  private toDoubt(step: number): void {
    const places = [...this.querySelectorAll<HTMLElement>("[data-doubt]")];
    if (!places.length) return;
    this.doubt = (this.doubt + step + places.length) % places.length;
    const place = places[this.doubt];
    place?.focus();
    place?.scrollIntoView({ block: "center" });
    this.player?.seek(Math.max(0, Number(place?.dataset.seek) - 1), true);
  }

  private key(event: KeyboardEvent): void {
    if (isForeignKey(event) || !singleKeysWork()) return;
    const decision = event.shiftKey ? VERDICT_KEYS[event.key] : undefined;
    if (decision) {
      event.preventDefault();
      this.verdictForm()?.querySelector<HTMLButtonElement>(`[value="${decision}"]`)?.click();
    } else if (event.key === "n" || event.key === "p") {
      event.preventDefault();
      this.toDoubt(event.key === "n" ? 1 : -1);
    }
  }
}

customElements.define("lc-review", Review);

// In the queue, J and K walk through the recordings.
document.addEventListener("keydown", (event) => {
  const links = [...document.querySelectorAll<HTMLAnchorElement>("[data-queue-link]")];
  if (!links.length || isForeignKey(event) || !singleKeysWork()) return;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = links.indexOf(document.activeElement as HTMLAnchorElement);
  links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
});
