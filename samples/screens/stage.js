// Plays a drawn screen from a plan, one moment at a time, so that every frame can be photographed.
// A page calls at(sentence, offset) with the times of the narration and says what happens then;
// the camera calls seek(t) with rising times and photographs again when the answer differs.
"use strict";

const Stage = { actions: [], pointer: { x: 640, y: 420 }, moves: [], typings: [], ripples: [], carried: null };

function at(sentence, offset = 0) {
  const t = window.cues[Math.min(sentence, window.cues.length - 1)] + offset;
  const chain = {
    move: (selector, seconds = 0.7, dx = 0.5, dy = 0.55) => add(t, () => startMove(selector, t, seconds, dx, dy)),
    click: () => add(t, () => Stage.ripples.push(t)),
    type: (selector, text, perSecond = 11) => add(t, () => Stage.typings.push({ selector, text, t, perSecond })),
    run: (action) => add(t, action),
    show: (selector) => add(t, () => document.querySelector(selector).classList.remove("hidden")),
    hide: (selector) => add(t, () => document.querySelector(selector).classList.add("hidden")),
    mark: (selector, name) => add(t, () => document.querySelector(selector).classList.add(name)),
    unmark: (selector, name) => add(t, () => document.querySelector(selector).classList.remove(name)),
    carry: (selector) => add(t, () => (Stage.carried = selector && document.querySelector(selector))),
  };
  function add(time, action) {
    Stage.actions.push({ time, action });
    return chain;
  }
  return chain;
}

function startMove(selector, t, seconds, dx, dy) {
  const box = document.querySelector(selector).getBoundingClientRect();
  const from = { ...Stage.pointer };
  Stage.moves = [{ t, seconds, from, to: { x: box.left + box.width * dx, y: box.top + box.height * dy } }];
}

function seek(t) {
  Stage.actions.sort((a, b) => a.time - b.time);
  let applied = 0;
  while (Stage.actions.length && Stage.actions[0].time <= t) {
    movePointer(Stage.actions[0].time);
    Stage.actions.shift().action();
    applied += 1;
  }
  movePointer(t);
  const typed = typeText(t);
  const ripple = drawRipple(t);
  if (window.animate) window.animate(t);
  Stage.count = (Stage.count || 0) + applied;
  const extra = window.animationKey ? window.animationKey(t) : "";
  const { x, y } = Stage.pointer;
  return [Stage.count, x.toFixed(1), y.toFixed(1), typed, ripple, extra].join("|");
}

function movePointer(t) {
  for (const { t: start, seconds, from, to } of Stage.moves) {
    const part = Math.min(Math.max((t - start) / seconds, 0), 1);
    const eased = part * part * (3 - 2 * part);
    const arc = Math.sin(part * Math.PI) * Math.min(24, Math.abs(to.x - from.x) * 0.06);
    Stage.pointer = { x: from.x + (to.x - from.x) * eased, y: from.y + (to.y - from.y) * eased - arc };
  }
  const arrow = document.getElementById("pointer");
  if (arrow) arrow.style.transform = `translate(${Stage.pointer.x}px, ${Stage.pointer.y}px)`;
  if (Stage.carried) {
    Stage.carried.style.left = `${Stage.pointer.x + 10}px`;
    Stage.carried.style.top = `${Stage.pointer.y + 6}px`;
  }
}

function typeText(t) {
  let state = "";
  for (const { selector, text, t: start, perSecond } of Stage.typings) {
    // A person's fingers are uneven: some letters come early, some late, always the same ones.
    const count = Math.min(text.length, Math.max(0, Math.floor((t - start) * perSecond + Math.sin(t * 9) * 0.4)));
    const node = document.querySelector(selector);
    const busy = count < text.length;
    node.textContent = text.slice(0, count);
    node.classList.toggle("caret", busy);
    state += `${count};`;
  }
  return state;
}

function drawRipple(t) {
  const ring = document.getElementById("ripple");
  if (!ring) return "";
  const live = Stage.ripples.find((start) => t >= start && t < start + 0.45);
  ring.style.opacity = "0";
  if (live === undefined) return "";
  const part = (t - live) / 0.45;
  ring.style.opacity = String(0.55 * (1 - part));
  ring.style.transform = `translate(${Stage.pointer.x - 20}px, ${Stage.pointer.y - 20}px) scale(${0.3 + part})`;
  return part.toFixed(2);
}

document.addEventListener("DOMContentLoaded", () => {
  if (document.body.dataset.pointer === "none") return;
  document.body.insertAdjacentHTML(
    "beforeend",
    `<div id="ripple"></div><svg id="pointer" width="22" height="30" viewBox="0 0 22 30">
    <path d="M1.5 1.5v22l5.6-5 3.7 8.6 4-1.7-3.7-8.4h7.6z" fill="#111" stroke="#fff" stroke-width="1.8" stroke-linejoin="round"/></svg>`,
  );
});
