import { say } from "./status";

/** Put text on the clipboard and say so; without the permission, show it to be copied by hand. */
export async function copy(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    window.prompt("Copy this:", text);
  }
}

/** Make each `data-copy` button work. */
export function offerCopies(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button.dataset.copy ?? "", "Copied."));
  }
}
