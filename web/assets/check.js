// The public check page: a file is judged and drawn in a worker of this browser
// and never leaves it. Everything needed is loaded with the page, so that it
// works without a network from then on; only the status is asked of the platform,
// by the code in the document. Without this script the page uploads the file and
// says so.
const limit = 20_000; // ms for one file; a hostile one is given up then
const maxFile = 20 << 20;
const main = document.querySelector("[data-checker]");
const part = (name, from = main) => from.querySelector(`[data-part="${name}"]`);
const words = Object.fromEntries([...document.querySelector("#check-words").content.querySelectorAll("[data-w]")].map((e) => [e.dataset.w, e.textContent]));
const say = (name, ...args) => args.reduce((s, a) => s.replace("%s", () => a), words[name] ?? name);
const english = document.documentElement.lang === "en";

// The worker. A task that takes too long ends it, and the next one gets a new
// one, made of what the page keeps.
let wasm, trust, trustText, loadedAt, worker, ready;
let lastTask = 0;
const waiting = new Map();

function employ() {
  worker = new Worker(main.dataset.worker);
  worker.onmessage = ({ data }) => waiting.get(data.id)?.(data);
  worker.onerror = () => {
    for (const f of waiting.values()) f({ failed: "worker", done: true });
  };
  ready = task({ task: "load", wasm }, { within: 10 * limit }).then(({ module }) => { wasm = module; });
  ready.catch(() => {});
}

function task(message, { tell = () => {}, within = Number(main.dataset.limit) || limit } = {}) {
  return new Promise((resolve, reject) => {
    const id = ++lastTask;
    const end = (f, v) => { clearTimeout(timer); waiting.delete(id); f(v); };
    const timer = setTimeout(() => {
      worker.terminate();
      end(reject, new Error("time"));
      for (const f of [...waiting.values()]) f({ failed: "time", done: true });
      employ();
    }, within);
    waiting.set(id, (data) => {
      if (data.failed !== undefined) end(reject, new Error(data.failed));
      else if (data.done) end(resolve, data.answer);
      else tell(data.answer);
    });
    worker.postMessage({ ...message, id });
  });
}

async function load() {
  const got = await Promise.all([fetch(main.dataset.wasm), fetch("/check/trust.json")]);
  if (got.some((r) => !r.ok)) throw new Error("not loaded");
  [wasm, trustText] = [await got[0].arrayBuffer(), await got[1].text()];
  trust = JSON.parse(trustText);
  loadedAt = performance.now();
  employ();
  await ready;
}

// The platform's time: a clock of this machine that is wrong must not make a
// certificate expire.
const now = () => new Date(Date.parse(trust.at) + performance.now() - loadedAt);
const shanghai = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "medium" });
const time = (at) => shanghai.format(new Date(at));

// Small pieces.
function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) if (v) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== "").flatMap(dated));
  return e;
}

// dated keeps the dates of a text on one line: browsers break it after a hyphen.
function dated(child) {
  if (typeof child !== "string") return [child];
  return child.split(/(\d{4}-\d{2}-\d{2})/).map((s, i) => {
    if (i % 2 === 0) return s;
    const e = document.createElement("span");
    e.className = "date";
    e.textContent = s;
    return e;
  });
}

function icon(shape, of = "i") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", of);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + shape);
  svg.append(use);
  return svg;
}

const chip = (look, shape, text) => el("span", { class: "st " + look }, icon(shape), text);
const states = { pass: ["ok", "ok"], note: ["care", "warn"], na: ["rest", "future"], fail: ["stop", "revoked"] };
const reason = (c) => (english ? c.reasonEn : c.reason) || c.reason;
const pairs = (list) => list.flatMap(([k, v]) => (v ? [el("dt", {}, k), el("dd", {}, v)] : []));

// Checks in a row that came out the same, such as those not carried out after
// one failed, are one line.
function lines(checks) {
  const list = [];
  for (const c of checks) {
    const last = list.at(-1);
    if (last && last.state === c.state && last.reason === c.reason && last.file === c.file) last.times++;
    else list.push({ ...c, times: 1 });
  }
  return list.map(checkLine);
}

function checkLine(c) {
  const line = el("li", { class: "tickline" }, chip(...states[c.state], say("state." + c.state)), el("span", {}, reason(c)));
  if (c.file && !reason(c).includes(c.file)) line.lastChild.append(" ", el("span", { class: "code" }, c.file));
  if (c.times > 1) line.lastChild.append(` ×${c.times}`);
  return line;
}

const group = (title, note, checks) => el("section", { class: "checkgroup" }, el("h3", {}, title), note ? el("p", { class: "cap", lang: "zh-CN" }, note) : "", el("ul", { class: "small" }, ...lines(checks)));

// The verdict on a file.
const looks = {
  genuine: ["ok", "ok"], "genuine-untrusted": ["care", "warn"], altered: ["stop", "revoked"], "not-signed": ["stop", "warn"], unreadable: ["rest", "refuse"],
};
let current; // the file that is shown: its report, name, status

function headline(look, shape, title, why) {
  part("verdict").className = "sheet verdict " + look;
  part("head").replaceChildren(icon(shape, "big"), el("div", {}, el("h2", { class: "answer", tabindex: "-1" }, title), el("p", { class: "dim" }, why)), part("head").querySelector(".asof") ?? "");
}

function showReport(c) {
  const r = c.report;
  headline(...looks[r.verdict], say("verdict." + r.verdict), say("why." + r.verdict));
  part("asof").hidden = true;
  part("file").replaceChildren(el("strong", {}, c.name), ` · ${c.size} · `, ...dated(say("judged", time(c.at))));
  const notes = [];
  if (r.verdictNow && r.verdictNow !== r.verdict) notes.push(el("div", { class: "banner care" }, icon("warn"), el("p", {}, el("strong", {}, say("later"))), el("p", { class: "small" }, r.checks.filter((k) => k.state === "note").map(reason).join(" "))));
  if (r.copy) {
    const until = Date.parse(r.copy.until) > 0 ? time(r.copy.until) : "—";
    notes.push(el("div", { class: "banner " + (r.copy.expired ? "stop" : "") }, icon(r.copy.expired ? "expired" : "info"),
      el("p", {}, el("strong", {}, say(r.copy.expired ? "copy.expired" : "copy"))), el("p", { class: "small" }, say("copy.for", r.copy.purpose, r.copy.maker, until))));
  }
  part("notes").replaceChildren(...notes);
  part("notes").hidden = notes.length === 0;
  // A file that no signature protects is listed once, as that; a reason without
  // a file of its own stands by itself.
  const bad = (title, file) => el("li", { class: "bad" }, icon("warn"), el("div", {}, el("strong", {}, title), file ? el("p", { class: "small code" }, file) : ""));
  const named = new Set([...r.altered, ...r.uncovered]);
  const reasons = r.checks.filter((k) => k.state === "fail" && !named.has(k.file)).map(reason);
  part("bad").replaceChildren(...r.altered.filter((f) => !r.uncovered.includes(f)).map((f) => bad(say("altered"), f)), ...r.uncovered.map((f) => bad(say("uncovered"), f)), ...[...new Set(reasons)].map((x) => bad(x)));
  const signer = (s) => [s.sealName || s.unit || s.signer, s.sealName && s.unit !== s.sealName ? s.unit : "", Date.parse(s.time) > 0 ? time(s.time) : ""].filter(Boolean).join(" · ");
  part("when").replaceChildren(...pairs([
    [say("at-signing"), chip(...looks[r.verdict], say("verdict." + r.verdict))],
    [say("at-now"), r.verdictNow && chip(...looks[r.verdictNow], say("verdict." + r.verdictNow))],
    ...r.signatures.filter(signer).map((s) => [say(s.type === "Sign" ? "signed-by" : "sealed-by"), el("span", { lang: "zh-CN" }, signer(s))]),
  ]));
  part("when").hidden = r.verdict === "unreadable";
  part("groups").replaceChildren(
    group(say("group.file"), "", r.checks.filter((k) => !k.signature && k.name !== "data")),
    ...r.signatures.map((s, i) => group(say("group.signature", i + 1), signer(s), r.checks.filter((k) => k.signature === s.id))),
    ...(r.checks.some((k) => k.name === "data") ? [group(say("group.data"), "", r.checks.filter((k) => k.name === "data"))] : []),
  );
  const ends = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/;
  part("metadata").replaceChildren(...pairs(r.metadata.map((p) => [words["m." + p.name] ?? p.name, el("span", { lang: "zh-CN" }, p.name.startsWith("JZJ") ? p.value.replace(ends, "$1-$2-$3 $4:$5:$6") : p.value)])));
  part("metabox").hidden = r.metadata.length === 0;
  part("fieldbox").hidden = true;
  part("status").hidden = true;
}

let urls = [];
function showPages(c, pages, fields) {
  for (const u of urls) URL.revokeObjectURL(u);
  urls = pages.map((svg) => URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })));
  // As pictures the pages can run nothing and load nothing.
  part("pages").replaceChildren(...(urls.length
    ? urls.map((src, i) => el("figure", {}, el("img", { class: "faceimg", src, alt: say("page", i + 1, urls.length) })))
    : [el("p", { class: "small dim" }, say("no-pages"))]));
  part("seen").textContent = say(c.report.verdict === "altered" ? "seen.altered" : "seen");
  part("seen").hidden = urls.length === 0;
  part("fields").replaceChildren(...pairs(fields.map((f) => [f.name, f.value])));
  part("fieldbox").hidden = fields.length === 0;
}

// The status is asked only for a genuine file that names this platform, by its
// own code.
function codeOf(r) {
  const address = r.metadata.find((p) => p.name === "KZ_CYDZ")?.value ?? "";
  for (const base of [trust.checkURL, location.origin + "/check/"]) {
    const code = address.startsWith(base) ? address.slice(base.length) : "";
    if (/^[0-9A-Za-z]{8,64}$/.test(code)) return code;
  }
  return "";
}

async function askStatus(c) {
  const code = c.report.verdict === "genuine" ? codeOf(c.report) : "";
  if (c !== current) return;
  part("status").hidden = c.report.verdict !== "genuine";
  if (!code) {
    part("statustext").replaceChildren(chip("rest", "future", say("status.elsewhere")));
    part("ask").hidden = true;
    return;
  }
  part("ask").hidden = true;
  part("statustext").replaceChildren(chip("rest", "clock", say("status.asking")));
  let s;
  try {
    const answer = await fetch("/check/" + code, { headers: { Accept: "application/json" }, cache: "no-store", credentials: "same-origin" });
    s = await answer.json();
    if (!answer.ok) throw new Error(s.why || s.title);
  } catch (e) {
    if (c !== current) return;
    part("statustext").replaceChildren(chip("care", "future", say("status.unknown")), " ", el("span", { class: "small" }, e instanceof TypeError || e instanceof SyntaxError ? say("status.offline") : e.message));
    part("ask").hidden = false;
    return;
  }
  if (c !== current) return;
  c.status = s;
  if (c.report.verdictNow === "genuine" || s.class !== "ok") headline(s.class, s.shape, s.title, s.why);
  part("asof").hidden = false;
  part("asof").replaceChildren(el("span", { class: "cap" }, say("asof")), el("br"), el("strong", {}, s.asOf), el("br"), el("span", { class: "cap" }, s.source));
  part("head").append(part("asof"));
  part("statustext").replaceChildren(chip(s.class, s.shape, s.status), " ", el("span", { class: "small" }, [...s.overlays, s.docNo, s.validity].filter(Boolean).join(" · ")),
    el("span", { class: "cap receipt-no" }, say("receipt"), " ", el("span", { class: "code" }, s.receipt)));
  part("ask").hidden = true;
}

const inBytes = (n) => (n < 1024 * 1024 ? Math.max(1, Math.round(n / 1024)) + " KB" : (n / 1024 / 1024).toFixed(1) + " MB");
const refusedFile = (zh) => ({
  verdict: "unreadable", checks: [{ name: "package", state: "fail", reason: zh, reasonEn: zh }], uncovered: [], altered: [], signatures: [], metadata: [],
});

async function check(file) {
  const c = (current = { name: file.name, size: inBytes(file.size), at: now(), report: null, status: null });
  show("busy");
  part("busyname").textContent = file.name;
  let pages = [], fields = [];
  try {
    await ready;
    if (file.size > maxFile) c.report = refusedFile(say("too-large"));
    else {
      const tell = ({ report }) => { c.report = report; };
      ({ pages, fields } = await task({ task: "file", file, trust: trustText, now: c.at.toISOString() }, { tell }));
    }
  } catch (e) {
    // What was found out before it stopped is not thrown away.
    c.report ??= refusedFile(say(e.message === "time" ? "too-long" : "failed"));
  }
  if (c !== current) return;
  showReport(c);
  showPages(c, pages, fields);
  show("found");
  part("head").querySelector(".answer").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  await askStatus(c);
}

// Prints: what the QR code of a print says, and values read on the paper.
let printText = "";
async function checkPrint(text) {
  printText = text;
  current = null;
  part("values").replaceChildren();
  let s;
  try {
    await ready;
    ({ statement: s } = await task({ task: "print", text, trust: trustText }));
  } catch {
    s = { error: "not-a-statement" };
  }
  const ok = !s.error;
  part("printverdict").className = "sheet verdict " + (ok ? "ok" : "stop");
  part("printhead").replaceChildren(icon(ok ? "ok" : "warn", "big"), el("div", {}, el("h2", { class: "answer", tabindex: "-1" }, say(ok ? "print.ok" : "print." + s.error)), el("p", { class: "dim" }, say(ok ? "print.why" : "print.why." + s.error))));
  part("printfacts").replaceChildren(...(ok ? pairs([
    [say("print.identifier"), el("span", { class: "code" }, s.identifier)], [say("print.status"), el("strong", { lang: english ? "" : "zh-CN" }, say(s.status))], [say("print.time"), time(s.printed)], [say("print.values"), say("print.count", s.values)],
  ]) : []));
  part("printbody").hidden = !ok;
  show("printed");
  (ok ? part("value") : part("printhead").querySelector(".answer")).focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

part("valueform").addEventListener("submit", async (e) => {
  e.preventDefault();
  const value = part("value").value.trim();
  if (!value) return;
  let holds;
  try {
    ({ holds } = await task({ task: "print", text: printText, trust: trustText, value }));
  } catch {
    return;
  }
  part("values").prepend(el("li", {}, holds ? chip("ok", "ok", say("print.match")) : chip("stop", "revoked", say("print.differs")), el("span", { class: "shownvalue" }, value)));
  part("value").select();
});

function fromFragment() {
  if (location.hash.startsWith("#p=")) checkPrint(location.href);
}

// What is shown: the start, a file being read, its report, a print.
function show(name) {
  for (const n of ["start", "busy", "found", "printed"]) part(n).hidden = n !== name;
  main.classList.toggle("wide", name === "found");
  main.dataset.shows = name;
}

function again() {
  current = null;
  part("choose").value = "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  show("start");
  part("choose").focus();
}

for (const b of main.querySelectorAll("[data-again]")) b.addEventListener("click", again);
part("print").addEventListener("click", () => window.print());
part("ask").addEventListener("click", () => askStatus(current));
part("json").addEventListener("click", () => {
  const { name, size, at, report, status } = current;
  const b = new Blob([JSON.stringify({ file: name, size, checked: at.toISOString(), ...report, status: status ?? undefined }, null, 2)], { type: "application/json" });
  const a = el("a", { href: URL.createObjectURL(b), download: name.replace(/\.[^.]*$/, "") + ".report.json" });
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
});
part("choose").addEventListener("change", () => { if (part("choose").files[0]) check(part("choose").files[0]); });
part("printform").addEventListener("submit", (e) => {
  e.preventDefault();
  if (part("printtext").value.trim()) checkPrint(part("printtext").value.trim());
});
addEventListener("hashchange", fromFragment);
// A file dropped anywhere on the page is meant for it, and must not be opened.
addEventListener("dragover", (e) => { e.preventDefault(); part("dropzone").classList.add("over"); });
addEventListener("dragleave", (e) => { if (!e.relatedTarget) part("dropzone").classList.remove("over"); });
addEventListener("drop", (e) => {
  e.preventDefault();
  part("dropzone").classList.remove("over");
  const file = e.dataTransfer?.files[0];
  if (file && !part("local").hidden) check(file);
});

part("upload").hidden = true;
part("local").hidden = false;
main.dataset.shows = "loading";
load().then(() => {
  main.dataset.ready = "yes";
  part("readyline").textContent = say("ready");
  if (main.dataset.shows === "loading") main.dataset.shows = "start";
  fromFragment();
}).catch(() => {
  part("local").hidden = true;
  part("upload").hidden = false;
  show("start");
});
