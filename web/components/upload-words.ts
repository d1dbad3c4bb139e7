// What goes wrong while sending, in words for somebody who wants to go back to work.
import type { DetailedError } from "tus-js-client";

const SENTENCES: Record<number, string> = {
  401: "You are signed out. Sign in again and choose the same file: it goes on where it stopped.",
  403: "You may not upload here. Ask your administrator.",
  404: "The server has forgotten this upload. Try again: it starts anew.",
  410: "The server has forgotten this upload. Try again: it starts anew.",
  413: "This file is larger than what may be sent.",
  415: "This is not a kind of video that can be taken. MP4, MOV, WebM and Matroska can.",
  429: "Too many uploads at once. Wait until the others are done.",
  507: "The server has no space left. Your file is safe with you; tell your administrator.",
};

/** Say what happened: the server's own sentence where it sent one. */
export function problemSentence(error: Error | DetailedError): string {
  const response = "originalResponse" in error ? error.originalResponse : null;
  if (!response)
    return "The connection is gone. Your file is safe; try again and it goes on where it stopped.";
  const own = problemDetail(response.getBody());
  return (
    own ?? SENTENCES[response.getStatus()] ?? "The server did not take it. Your file is safe; try again."
  );
}

function problemDetail(body: string): string | null {
  try {
    const problem: unknown = JSON.parse(body);
    if (problem && typeof problem === "object" && "detail" in problem && typeof problem.detail === "string") {
      return problem.detail;
    }
  } catch {
    // Not a problem document.
  }
  return null;
}

/** Make a title out of a file name: "Pump_filter-2.mp4" is "Pump filter 2". */
export function titleFrom(name: string): string {
  const bare = name.replace(/\.[a-z0-9]{2,5}$/i, "").replace(/[_]+|(?<=\D)-(?=\D)/g, " ");
  return bare.trim().slice(0, 120) || "Recording";
}
