// Polls what changed and draws it. Every text of a message goes through textContent.
"use strict";

const POLL_MILLISECONDS = 1500;
const PAGE = 500;
const SHOWN_AT_MOST = 400;
const FAILED = new Set(["undelivered", "failed"]);

const messages = new Map(); // id -> message
let revision = 0;
let chosen = decodeURIComponent(location.hash.slice(1)); // "sms:+1…", or "" for everybody
let channel = "";
let canReply = false;

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#icon-" + name);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function avatar(made, name, seed) {
  let hue = 7;
  for (const letter of seed) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  made.className = "avatar";
  made.style.setProperty("--hue", hue);
  made.replaceChildren(icon(name));
  return made;
}

// The business clock where there is one: it is the time that the borrower would see.
const instant = (message) => new Date(message.business_at || message.at);
const person = (message) => (message.direction === "in" ? message.from : message.to);
const key = (message) => message.channel + ":" + person(message);
// In the zone of the number where it has one only, else in UTC; the place is said with the hour.
const zone = (message) => message.zone || "UTC";
const place = (message) => zone(message).split("/").pop().replaceAll("_", " ");
const day = (message) => instant(message).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: zone(message) });
const hour = (message) => instant(message).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone(message) });
const parts = (who) => [who.slice(0, who.indexOf(":")), who.slice(who.indexOf(":") + 1)];
const newestFirst = (a, b) => instant(b) - instant(a) || b.id - a.id;

function standing(message) {
  if (message.direction === "in") return message.accepted ? ["good", "heard"] : ["bad", "not heard"];
  if (!message.accepted) return ["bad", "refused"];
  if (FAILED.has(message.status)) return ["fair", "not delivered"];
  if (message.channel !== "sms" || message.status === "delivered") return ["good", "delivered"];
  return ["", message.status];
}

function drawn(message, withAddress) {
  const [tone, word] = standing(message);
  const made = element("div", `message ${message.channel} ${message.direction}`);
  if (word === "refused") made.classList.add("refused");
  if (withAddress && message.channel === "sms") made.append(element("div", "to", person(message)));
  if (message.channel === "sms") {
    made.append(element("div", "bubble", message.text));
  } else {
    const card = element("div", "card");
    const kind = element("div", "kind");
    kind.append(icon(message.channel), element("span", "", withAddress ? person(message) : message.from || "notification"));
    card.append(kind);
    if (message.subject) card.append(element("h2", "", message.subject));
    card.append(element("p", "", message.text.trim()));
    if (message.channel === "email") card.addEventListener("click", () => card.classList.toggle("open"));
    made.append(card);
  }
  const meta = element("div", "meta");
  meta.append(element("time", "", `${hour(message)} ${place(message)}`));
  meta.append(element("span", "badge " + tone, message.code ? `${word} ${message.code}` : word));
  if (message.behavior !== "ok") meta.append(element("span", "badge lie", message.behavior));
  if (message.attempt_id) made.title = "attempt " + message.attempt_id;
  made.append(meta);
  return made;
}

function visible() {
  const all = [...messages.values()];
  return channel ? all.filter((message) => message.channel === channel) : all;
}

function drawContacts(shown) {
  const latest = new Map();
  const number = new Map();
  for (const message of shown) {
    const who = key(message);
    number.set(who, (number.get(who) || 0) + 1);
    const known = latest.get(who);
    if (!known || newestFirst(message, known) < 0) latest.set(who, message);
  }
  const wanted = $("search").value.trim().toLowerCase();
  const list = [...latest.entries()]
    .filter(([who]) => who.toLowerCase().includes(wanted))
    .sort((a, b) => newestFirst(a[1], b[1]))
    .slice(0, SHOWN_AT_MOST);
  const everybody = contact("", "all", "Everybody", `${latest.size} addresses`, "", shown.length);
  const rows = list.map(([who, message]) =>
    contact(who, message.channel, person(message), message.subject || message.text, `${hour(message)} ${place(message)}`, number.get(who)));
  $("contacts").replaceChildren(everybody, ...rows);
}

function contact(who, name, title, last, time, number) {
  const row = element("li");
  const button = element("button", "contact");
  button.type = "button";
  button.setAttribute("aria-current", String(who === chosen));
  button.append(avatar(element("span"), name, title), element("b", "", title), element("time", "", time),
    element("span", "last", last), element("span", "number", number));
  button.addEventListener("click", () => choose(who));
  row.append(button);
  return row;
}

function choose(who) {
  chosen = who;
  history.replaceState(null, "", "#" + encodeURIComponent(who));
  draw();
  $("conversation").scrollTop = 0;
}

function drawPhone(shown) {
  const everybody = chosen === "";
  const mine = (everybody ? shown : [...messages.values()].filter((m) => key(m) === chosen)).sort(newestFirst);
  const [kind, address] = parts(chosen);
  $("who").textContent = everybody ? "Everybody" : address;
  avatar($("avatar"), everybody ? "all" : kind, $("who").textContent);
  $("what").textContent = `${mine.length} ${mine.length === 1 ? "message" : "messages"}`;
  const now = mine[0] || { at: Date.now() };
  $("clock").textContent = hour(now);
  $("day").textContent = `${day(now).replace(/ \d{4}$/, "")} · ${place(now)}`;
  $("reply").hidden = !(canReply && kind === "sms");
  const drawings = [];
  let last = "";
  for (const message of mine.slice(0, SHOWN_AT_MOST)) {
    const today = day(message);
    if (today !== last) drawings.push(element("div", "date", today));
    last = today;
    drawings.push(drawn(message, everybody));
  }
  if (!drawings.length) drawings.push(element("p", "nothing", "Nothing has arrived yet. What is sent will be here a second later."));
  $("conversation").replaceChildren(...drawings);
}

function draw() {
  const shown = visible();
  const sent = shown.filter((message) => message.direction === "out");
  $("accepted").textContent = sent.filter((message) => message.accepted).length;
  $("undelivered").textContent = sent.filter((message) => FAILED.has(message.status)).length;
  $("refused").textContent = sent.filter((message) => !message.accepted).length;
  drawContacts(shown);
  drawPhone(shown);
}

async function pull() {
  let before = 0;
  let newest = revision;
  let changed = false;
  for (;;) {
    const answer = await fetch(`/sandbox/messages.json?since=${revision}&before=${before}&limit=${PAGE}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const page = await answer.json();
    if (page.revision < revision) { // the sandbox was started anew
      messages.clear();
      revision = 0;
      return true;
    }
    canReply = page.can_reply;
    if (!before) newest = page.revision;
    for (const message of page.messages) {
      const known = messages.get(message.id);
      if (!known || known.revision < message.revision) messages.set(message.id, message);
      changed = true;
    }
    if (page.messages.length < PAGE) break;
    before = page.messages[page.messages.length - 1].revision;
  }
  revision = newest;
  return changed;
}

async function watch() {
  try {
    if (await pull()) draw();
    $("live").textContent = "live";
    $("live").classList.add("on");
  } catch {
    $("live").textContent = "no answer";
    $("live").classList.remove("on");
  }
  setTimeout(watch, POLL_MILLISECONDS);
}

async function say(event) {
  event.preventDefault();
  const body = $("say").value;
  const borrower = parts(chosen)[1];
  const heard = [...messages.values()].filter((m) => key(m) === chosen && m.direction === "out").sort(newestFirst)[0];
  if (!body.trim() || !heard) return;
  $("say").value = "";
  await fetch("/sandbox/inbound", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ from: borrower, to: heard.from, body }),
  });
}

for (const button of document.querySelectorAll("[data-channel]")) {
  button.addEventListener("click", () => {
    channel = button.dataset.channel;
    for (const other of document.querySelectorAll("[data-channel]")) other.setAttribute("aria-pressed", String(other === button));
    choose("");
  });
}
$("search").addEventListener("input", draw);
$("reply").addEventListener("submit", say);
draw();
watch();
