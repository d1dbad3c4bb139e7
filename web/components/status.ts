// The page's one live region: short words that screen readers say and everybody sees for a while.
let clearing = 0;

/** Show and announce a sentence. `quiet` only announces it. */
export function say(sentence: string, quiet = false): void {
  const region = document.getElementById("status");
  if (!region) return;
  const line = document.createElement("p");
  line.textContent = sentence;
  if (quiet) line.className = "sr-only";
  region.replaceChildren(line);
  window.clearTimeout(clearing);
  clearing = window.setTimeout(() => region.replaceChildren(), 6000);
}

/** Tell whether a key press belongs to a field, a dialog or a command of the browser, not to the page. */
export function isForeignKey(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  const field = target.closest("input, textarea, select, [contenteditable], dialog");
  return Boolean(field) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
}

const SWITCH = "lorecast.single-keys";

/** Single keys can be switched off on a device (WCAG 2.1.4). */
export function singleKeysWork(): boolean {
  return localStorage.getItem(SWITCH) !== "off";
}

export function switchSingleKeys(on: boolean): void {
  localStorage.setItem(SWITCH, on ? "on" : "off");
}

/** Say a moment as on a player: 83.2 is 1:23. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(s).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}
