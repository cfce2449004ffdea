// The editor of a face. What is edited is the JSON in the form's text area: this
// shows it as objects, has the server draw it, and writes every change back.
const form = document.querySelector("form[data-face]");
const area = form.querySelector("[name=face]");
const $ = (s, from = form) => from.querySelector(s);
const $$ = (s, from = form) => [...from.querySelectorAll(s)];
const words = Object.fromEntries([...document.querySelectorAll("[data-words] dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]));
const SVG = "http://www.w3.org/2000/svg";
const LISTS = ["texts", "tables", "pictures", "codes", "rules", "borders"];
const round = (x) => Math.round(x * 100) / 100;

// A face is never changed in place: every step has its own, sharing what is the same.
let face = null;
let past = [];
let future = [];
let chosen = { page: 0, ref: "page" }; // ref: face, page, texts/3, grid, seal
let lastStep = { tag: "", at: 0 };
let drawn = null; // the last answer
let scale = 1;

function parse(text) {
  try {
    const f = JSON.parse(text);
    return f && typeof f === "object" && Array.isArray(f.pages) ? f : null;
  } catch {
    return null;
  }
}

// step makes next the face. Steps of one tag in quick succession are one.
function step(next, tag = "") {
  if (next === face) return;
  const now = performance.now();
  if (!(tag && tag === lastStep.tag && now - lastStep.at < 700)) {
    past.push(face);
    if (past.length > 300) past.shift();
  }
  lastStep = { tag, at: now };
  future = [];
  face = next;
  written();
}

function written() {
  area.value = JSON.stringify(face, null, 1);
  area.dispatchEvent(new Event("input", { bubbles: true }));
  show();
  ask();
}

function undo(from, to) {
  if (from.length === 0) return;
  to.push(face);
  face = from.pop();
  lastStep = { tag: "", at: 0 };
  chosen.page = Math.min(chosen.page, face.pages.length - 1);
  if (!object()) chosen.ref = "page";
  written();
}

// The object that is chosen, and the face with it changed.
function object(c = chosen) {
  if (c.ref === "face") return face;
  const page = face.pages[c.page];
  if (!page || c.ref === "page") return page;
  if (c.ref === "grid" || c.ref === "seal") return page[c.ref];
  const [list, i] = c.ref.split("/");
  return page[list]?.[+i];
}
const kindOf = (ref) => ref.split("/")[0];

function withPage(n, page) {
  return { ...face, pages: face.pages.map((p, i) => (i === n ? page : p)) };
}
function withObject(value, c = chosen) {
  if (c.ref === "face") return value;
  if (c.ref === "page") return withPage(c.page, value);
  const page = { ...face.pages[c.page] };
  if (c.ref === "grid" || c.ref === "seal") page[c.ref] = value;
  else {
    const [list, i] = c.ref.split("/");
    page[list] = page[list].map((x, j) => (j === +i ? value : x));
  }
  return withPage(c.page, page);
}
const change = (value, tag) => step(withObject(value), tag);

// The rectangle of an object in mm, and the object at another.
function boxOf(o, kind) {
  if (kind === "seal") return [o.x - o.d / 2, o.y - o.d / 2, o.d, o.d];
  if (kind === "rules") {
    return [Math.min(o.from[0], o.to[0]), Math.min(o.from[1], o.to[1]), Math.abs(o.from[0] - o.to[0]), Math.abs(o.from[1] - o.to[1])];
  }
  return o.at;
}
function placed(o, kind, [x, y, w, h]) {
  const [X, Y, W, H] = boxOf(o, kind);
  if (kind === "seal") {
    const d = round(Math.max(8, w !== W ? w : h));
    return { ...o, d, x: round(x + d / 2), y: round(y + d / 2) };
  }
  if (kind === "rules") {
    const at = ([px, py]) => [round(x + (W ? ((px - X) * w) / W : 0)), round(y + (H ? ((py - Y) * h) / H : 0))];
    return { ...o, from: at(o.from), to: at(o.to) };
  }
  return { ...o, at: [x, y, w, h].map(round) };
}
// within keeps a rectangle on its page.
function within([x, y, w, h], page) {
  w = Math.min(Math.max(w, 0), page.w);
  h = Math.min(Math.max(h, 0), page.h);
  return [Math.min(Math.max(x, 0), page.w - w), Math.min(Math.max(y, 0), page.h - h), w, h];
}

function nameOf(o, ref) {
  const kind = kindOf(ref);
  if (kind === "texts") return o.text || o.id || words.texts;
  if (kind === "tables") return `${words.tables} ${o.key || ""}`;
  if (kind === "pictures") return words[o.kind] || words.pictures;
  if (kind === "codes") return words[o.kind] || words.codes;
  return words[kind];
}

function objects(page) {
  const list = [];
  for (const kind of LISTS) (page[kind] ?? []).forEach((o, i) => list.push([`${kind}/${i}`, o]));
  if (page.grid) list.push(["grid", page.grid]);
  if (page.seal) list.push(["seal", page.seal]);
  return list;
}

// show brings lists and properties to the face as it is.
function show() {
  const pages = $("[data-pages]");
  pages.replaceChildren(...face.pages.map((p, i) => button([words.page.replace("%s", i + 1), p.form, p.name].filter(Boolean).join(" "), i, "page")));
  const page = face.pages[chosen.page] ?? face.pages[0];
  const groups = [];
  for (const kind of [...LISTS, "grid", "seal"]) {
    const here = objects(page).filter(([ref]) => kindOf(ref) === kind);
    if (here.length === 0) continue;
    const head = document.createElement("h3");
    head.textContent = words[kind];
    groups.push(head, ...here.map(([ref, o], n) => button(nameOf(o, ref) + (kind === "rules" || kind === "borders" ? ` ${n + 1}` : ""), chosen.page, ref)));
  }
  $("[data-objects]").replaceChildren(...groups);
  $("[data-choose=face]").toggleAttribute("aria-current", chosen.ref === "face");
  $("[data-act=undo]").disabled = past.length === 0;
  $("[data-act=redo]").disabled = future.length === 0;
  properties();
  boxes();
}

function button(text, page, ref) {
  const b = document.createElement("button");
  b.type = "button";
  b.className = "objectbtn";
  b.textContent = text.length > 34 ? text.slice(0, 34) + "…" : text;
  b.title = text.slice(0, 200);
  b.lang = "zh-CN";
  b.dataset.page = page;
  b.dataset.ref = ref;
  if (chosen.page === page && chosen.ref === ref) b.setAttribute("aria-current", "true");
  return b;
}

function choose(page, ref, say = false) {
  chosen = { page: Math.max(0, Math.min(page, face.pages.length - 1)), ref };
  if (!object()) chosen.ref = "page";
  lastStep = { tag: "", at: 0 };
  show();
  if (say) $("[data-say]").textContent = chosen.ref === "face" ? "" : nameOf(object(), chosen.ref) ?? "";
  $(`[data-objects] [aria-current]`)?.scrollIntoView({ block: "nearest" });
}

// properties fills the fields of the chosen object's kind.
const value = (o, path) => path.split(".").reduce((x, k) => x?.[k], o);
function properties() {
  const kind = kindOf(chosen.ref);
  const o = object();
  for (const group of $$("[data-for]")) group.hidden = group.dataset.for !== kind;
  for (const b of $$("[data-act=duplicate], [data-act=delete]")) b.disabled = kind === "face" || (kind === "page" && b.dataset.act === "delete" && face.pages.length === 1) || (kind === "grid" && b.dataset.act === "duplicate") || (kind === "seal" && b.dataset.act === "duplicate");
  const group = $(`[data-for=${kind}]`);
  for (const el of $$("[data-prop]", group)) {
    if (el === document.activeElement) continue;
    const x = value(o, el.dataset.prop);
    if (el.dataset.type === "bool") el.checked = !!x;
    else if (el.dataset.type === "color") el.value = x || "#000000";
    else el.value = x ?? "";
  }
  const columns = $("[data-columns]");
  if (kind === "tables" && columns !== document.activeElement) columns.value = (o.columns ?? []).map((c) => c.title + (c.w ? ` ${c.w}` : "")).join("\n");
  const fields = $("[data-gridfields]");
  if (kind === "grid" && fields !== document.activeElement) {
    fields.value = (o.fields ?? []).map((f) => [f.key, f.label, f.wide ? "+" : "", f.required ? "*" : "", f.join === "\n" ? "|" : ""].filter(Boolean).join(" ")).join("\n");
  }
  if (kind === "pictures") $("[data-imported]").textContent = o.data ? words.imported.replace("%s", Math.ceil((o.data.length * 3) / 4096)) : words.none;
}

form.addEventListener("input", (e) => {
  const el = e.target;
  if (el === area) {
    if (e.isTrusted) typedText();
    return;
  }
  const kind = kindOf(chosen.ref);
  if (el.matches("[data-columns]")) {
    change({ ...object(), columns: el.value.split("\n").filter((l) => l.trim()).map(column) }, "columns");
  } else if (el.matches("[data-gridfields]")) {
    change({ ...object(), fields: el.value.split("\n").filter((l) => l.trim()).map(gridField) }, "gridfields");
  } else if (el.dataset.prop && el.closest("[data-for]")?.dataset.for === kind) {
    setProp(el);
  } else return;
  e.stopPropagation();
});

function column(line) {
  const m = line.trim().match(/^(.*?)(?:\s+([\d.]+))?$/);
  return m[2] ? { title: m[1], w: +m[2] } : { title: m[1] };
}
function gridField(line) {
  const [key, label, ...flags] = line.trim().split(/\s+/);
  const f = { key, label: label ?? key };
  if (flags.includes("+")) f.wide = true;
  if (flags.includes("*")) f.required = true;
  if (flags.includes("|")) f.join = "\n";
  return f;
}

function setProp(el) {
  const path = el.dataset.prop.split(".");
  let x;
  if (el.dataset.type === "bool") x = el.checked || undefined;
  else if (el.dataset.type) x = el.value || undefined;
  else {
    if (el.value === "" && path.length > 1) return;
    x = el.value === "" ? undefined : +el.value;
    if (Number.isNaN(x)) return;
  }
  if (path[0] === "text") x ??= "";
  if ((path[0] === "color" || path[0] === "ground" || path[0] === "ink" || path[0] === "soft" || path[0] === "line") && x && !/^#[0-9a-fA-F]{6}$/.test(x)) return; // half typed
  const o = { ...object() };
  if (path.length > 1) o[path[0]] = o[path[0]].map((y, i) => (i === +path[1] ? x : y));
  else if (x === undefined) delete o[path[0]];
  else o[path[0]] = x;
  change(o, chosen.ref + el.dataset.prop);
}

// The text itself may be edited too; as long as it is no JSON, nothing else changes.
function typedText() {
  const f = parse(area.value);
  refuse(f ? "" : words.json, "");
  if (!f) return;
  past.push(face);
  future = [];
  face = f;
  chosen.page = Math.min(chosen.page, Math.max(0, f.pages.length - 1));
  if (!object()) chosen.ref = "face";
  show();
  ask();
}

function refuse(text, next) {
  const banner = $("[data-refused]");
  banner.hidden = !text;
  banner.querySelector("strong").textContent = text;
  banner.querySelector(".small").textContent = next;
}

// The preview.
let timer = 0;
let asking = null;
const setting = () => ({ from: form.dataset.from, data: $("[data-data]").value, form: $("[data-shot]").value });
function ask(after = 120) {
  form.dataset.asked = String(+(form.dataset.asked ?? 0) + 1); // for whoever waits until it is drawn
  clearTimeout(timer);
  timer = setTimeout(draw, after);
}
async function post(body, signal) {
  const answer = await fetch(form.dataset.face, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  if (!answer.ok || !answer.headers.get("Content-Type")?.includes("json")) throw new Error(String(answer.status));
  return answer.json();
}
async function draw() {
  asking?.abort();
  const { signal } = (asking = new AbortController());
  const which = form.dataset.asked;
  try {
    const a = await post({ ...setting(), face }, signal);
    refuse(a.refused ?? "", a.next ?? "");
    if (!a.refused) {
      drawn = a;
      forms(a.forms ?? []);
      await stage($("[data-stage]"), a.pages, true, signal);
      problems(a.problems);
    }
    form.dataset.drawn = which;
  } catch (e) {
    if (e.name !== "AbortError") refuse(words.offline, "");
  }
}
async function drawBeside() {
  const version = +($("[data-beside]")?.value ?? 0);
  const box = $("[data-besidestage]");
  box.hidden = version === 0;
  $(".facestage").classList.toggle("two", version !== 0);
  if (version === 0) return;
  try {
    const a = await post({ ...setting(), version });
    await stage(box, a.pages, false);
  } catch {
    refuse(words.offline, "");
  }
}
function forms(list) {
  const select = $("[data-shot]");
  if (list.join() !== [...select.options].map((o) => o.value).join()) {
    const was = select.value || face.form;
    select.replaceChildren(...list.map((f) => new Option(f, f, false, f === was)));
  }
  select.closest("label").hidden = list.length < 2;
}

// stage puts the drawn pages up, the boxes of the objects over them; what was asked for
// anew meanwhile is not put over what came of that.
async function stage(box, pages, editable, signal) {
  const leaves = pages.map((p, i) => {
    let leaf = box.children[i];
    if (!leaf?.matches?.(".leaf")) {
      leaf = document.createElement("div");
      leaf.className = "leaf";
      leaf.append(new Image());
    }
    leaf.dataset.page = p.index;
    const img = leaf.querySelector("img");
    img.alt = "";
    return [leaf, img, "data:image/svg+xml," + encodeURIComponent(p.svg), p];
  });
  await Promise.all(leaves.map(async ([, img, src]) => {
    const next = new Image();
    next.src = src;
    await next.decode().catch(() => {});
    signal?.throwIfAborted();
    img.src = src;
  }));
  box.replaceChildren(...leaves.map(([leaf]) => leaf));
  if (editable) boxes();
}

function svg(name, attributes) {
  const el = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attributes)) el.setAttribute(k, v);
  return el;
}

function boxes() {
  if (moving) return;
  for (const leaf of $$("[data-stage] .leaf")) {
    leaf.querySelector("svg")?.remove();
    const n = +leaf.dataset.page;
    const page = face.pages[n];
    if (!page) continue;
    const over = svg("svg", { viewBox: `0 0 ${page.w} ${page.h}`, class: "handles" });
    scale = page.w / leaf.clientWidth;
    const grip = 9 * scale;
    const list = objects(page).map(([ref, o]) => [ref, o, boxOf(o, kindOf(ref))]).filter(([, , b]) => b?.length === 4 && b.every(Number.isFinite));
    list.sort((a, b) => b[2][2] * b[2][3] - a[2][2] * a[2][3]);
    for (const [ref, o, b] of list) {
      const [x, y, w, h] = [b[0], b[1], Math.max(b[2], 1.2), Math.max(b[3], 1.2)];
      const frame = kindOf(ref) === "borders";
      const mine = chosen.page === n && chosen.ref === ref;
      const r = svg("rect", { x, y, width: w, height: h, class: "box" + (frame ? " frame" : "") + (mine ? " chosen" : "") + (troubled(n, ref, o) ? " wrong" : ""), "data-page": n, "data-ref": ref });
      r.append(svg("title", {}));
      r.firstChild.textContent = nameOf(o, ref);
      over.append(r);
    }
    const o = chosen.page === n && chosen.ref !== "page" && chosen.ref !== "face" && object();
    if (o) {
      const b = boxOf(o, kindOf(chosen.ref));
      if (b?.length === 4) {
        for (const [cx, cy, corner] of [[0, 0, "nw"], [1, 0, "ne"], [0, 1, "sw"], [1, 1, "se"]]) {
          over.append(svg("rect", { x: b[0] + cx * b[2] - grip / 2, y: b[1] + cy * b[3] - grip / 2, width: grip, height: grip, class: "grip " + corner, "data-corner": corner }));
        }
      }
    }
    leaf.append(over);
  }
}

const troubled = (n, ref, o) => (drawn?.problems ?? []).some((p) => (p.ref && p.page === n + 1 && p.ref === ref) || (p.key && o.text?.includes(`{${p.key}`)));

function problems(list) {
  drawn.problems = list;
  $("[data-count]").textContent = list.length ? String(list.length) : "";
  $("[data-fine]").hidden = list.length > 0;
  $("[data-problems]").replaceChildren(...list.map((p) => {
    const li = document.createElement("li");
    const b = document.createElement("button");
    b.type = "button";
    b.className = "problem";
    Object.assign(b.dataset, { page: p.page, ref: p.ref, keyname: p.key });
    const icon = svg("svg", { class: "i", "aria-hidden": "true" });
    icon.append(svg("use", { href: "#i-warn" }));
    const text = document.createElement("span");
    const strong = document.createElement("strong");
    strong.textContent = p.name;
    strong.lang = "zh-CN";
    const cap = document.createElement("span");
    cap.className = "cap";
    cap.textContent = [p.page ? words.page.replace("%s", p.page) : "", p.data].filter(Boolean).join(" · ");
    text.append(strong, " " + p.text + " ", cap);
    b.append(icon, text);
    li.append(b);
    return li;
  }));
  boxes();
}

// A finding chooses its object: by its reference, or where the field is shown.
function chooseProblem({ page, ref, keyname }) {
  if (ref) return choose(page - 1, ref, true);
  for (const [n, p] of face.pages.entries()) {
    const hit = objects(p).find(([, o]) => keyname && (o.text?.includes(`{${keyname}`) || o.key === keyname || o.fields?.some((f) => f.key === keyname)));
    if (hit) return choose(n, hit[0], true);
  }
  choose(page ? page - 1 : chosen.page, page ? "page" : "face", true);
}

form.addEventListener("click", (e) => {
  const b = e.target.closest("button");
  if (!b) return;
  if (b.matches(".problem")) chooseProblem({ ...b.dataset, page: +b.dataset.page });
  else if (b.dataset.choose) choose(0, b.dataset.choose);
  else if (b.matches(".objectbtn")) choose(+b.dataset.page, b.dataset.ref);
  else if (acts[b.dataset.act]) {
    e.preventDefault();
    acts[b.dataset.act]();
  }
});

function fresh(kind, page) {
  const [x, y] = [page.w / 2, page.h / 2];
  const color = "#182222";
  return {
    texts: () => ({ at: [round(x - 25), round(y - 4), 50, 8], font: "song", pt: 12, min: 8, text: words.new, color }),
    rules: () => ({ from: [round(x - 25), round(y)], to: [round(x + 25), round(y)], width: 0.25, color }),
    borders: () => ({ at: [10, 10, page.w - 20, page.h - 20], kind: "single", width: 0.4, color: "#9a7b4a" }),
    pictures: () => ({ at: [round(x - 12.5), round(y - 17.5), 25, 35], kind: "image" }),
    codes: () => ({ at: [round(x - 12), round(y - 12), 24, 24], kind: "qr" }),
    tables: () => ({ at: [round(page.w * 0.1), round(y - 15), round(page.w * 0.8), 30], key: $("#keys option")?.value ?? "items", pt: 9, columns: [{ title: words.texts }] }),
  }[kind]();
}

const acts = {
  undo: () => undo(past, future),
  redo: () => undo(future, past),
  add() {
    const kind = $("[data-kind]").value;
    const n = chosen.page;
    const page = { ...face.pages[n] };
    let ref = "seal";
    if (kind === "seal") page.seal ??= { x: round(page.w * 0.75), y: round(page.h * 0.8), d: Math.min(42, page.w / 2, page.h / 3) };
    else {
      page[kind] = [...(page[kind] ?? []), fresh(kind, page)];
      ref = `${kind}/${page[kind].length - 1}`;
    }
    chosen = { page: n, ref };
    step(withPage(n, page));
    if (kind === "texts") $('[data-for=texts] [data-prop="text"]').select();
  },
  duplicate() {
    const [kind, i] = chosen.ref.split("/");
    if (kind === "page") {
      const pages = [...face.pages];
      pages.splice(chosen.page + 1, 0, face.pages[chosen.page]);
      chosen = { page: chosen.page + 1, ref: "page" };
      return step({ ...face, pages });
    }
    if (i === undefined) return;
    const page = { ...face.pages[chosen.page] };
    const o = { ...object() };
    delete o.id;
    const b = boxOf(o, kind);
    page[kind] = [...page[kind], placed(o, kind, within([b[0] + 3, b[1] + 3, b[2], b[3]], page))];
    chosen = { page: chosen.page, ref: `${kind}/${page[kind].length - 1}` };
    step(withPage(chosen.page, page));
  },
  delete() {
    const [kind, i] = chosen.ref.split("/");
    const n = chosen.page;
    if (kind === "face" || (kind === "page" && face.pages.length === 1)) return;
    if (kind === "page") {
      chosen = { page: Math.max(0, n - 1), ref: "page" };
      return step({ ...face, pages: face.pages.filter((_, j) => j !== n) });
    }
    const page = { ...face.pages[n] };
    if (i === undefined) delete page[kind];
    else page[kind] = page[kind].filter((_, j) => j !== +i);
    chosen = { page: n, ref: "page" };
    step(withPage(n, page));
  },
  addpage() {
    const like = face.pages[chosen.page] ?? { w: 210, h: 297 };
    chosen = { page: face.pages.length, ref: "page" };
    step({ ...face, pages: [...face.pages, { ...(like.form ? { form: like.form } : {}), w: like.w, h: like.h }] });
  },
  dropimage() {
    const { data, mime, basis, ...rest } = object();
    change(rest);
  },
  async default() {
    try {
      const a = await post({ ...setting(), fresh: true });
      if (a.refused) return refuse(a.refused, a.next ?? "");
      chosen = { page: 0, ref: "face" };
      step(a.face);
    } catch {
      refuse(words.offline, "");
    }
  },
};

form.addEventListener("change", async (e) => {
  const el = e.target;
  if (el.matches("[data-data], [data-shot]")) {
    ask(0);
    drawBeside();
  } else if (el.matches("[data-beside]")) drawBeside();
  else if (el.matches("[data-insert]")) insert(el);
  else if (el.matches("[data-import]")) importPicture(el);
  else if (el.matches("[data-upload]") && el.files[0]) {
    area.value = await el.files[0].text();
    el.value = "";
    area.closest("details").open = true;
    typedText();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

function insert(select) {
  const text = $('[data-for=texts] [data-prop="text"]');
  if (select.value) {
    text.setRangeText(select.value, text.selectionStart, text.selectionEnd, "end");
    setProp(text);
  }
  select.value = "";
}

function importPicture(input) {
  const file = input.files[0];
  if (!file) return;
  if (file.size > 1 << 20) return refuse(words.large, "");
  if (file.type !== "image/png" && file.type !== "image/jpeg") return refuse(words.kind, "");
  const reader = new FileReader();
  const c = { ...chosen };
  reader.onload = () => {
    input.value = "";
    chosen = c;
    change({ ...object(), mime: file.type, data: reader.result.split(",")[1], basis: object().basis ?? "" });
    $('[data-for=pictures] [data-prop="basis"]').focus();
  };
  reader.readAsDataURL(file);
}

// Dragging moves, a corner changes the size.
let moving = null;
const stageBox = $("[data-stage]");
stageBox.addEventListener("pointerdown", (e) => {
  const corner = e.target.dataset?.corner;
  if (!corner) {
    if (!e.target.dataset?.ref) {
      const leaf = e.target.closest(".leaf");
      if (leaf && +leaf.dataset.page >= 0) choose(+leaf.dataset.page, "page");
      return;
    }
    choose(+e.target.dataset.page, e.target.dataset.ref, true);
  }
  const leaf = e.target.closest(".leaf") ?? $(`[data-stage] .leaf[data-page="${chosen.page}"]`);
  const page = face.pages[chosen.page];
  const kind = kindOf(chosen.ref);
  moving = { x: e.clientX, y: e.clientY, corner, kind, page, o: object(), box: boxOf(object(), kind), mm: page.w / leaf.clientWidth, begun: face, far: false };
  stageBox.setPointerCapture(e.pointerId);
  stageBox.focus({ preventScroll: true });
  e.preventDefault();
});
stageBox.addEventListener("pointermove", (e) => {
  if (!moving) return;
  const m = moving;
  const snap = e.altKey ? (x) => x : (x) => Math.round(x * 2) / 2;
  let [dx, dy] = [(e.clientX - m.x) * m.mm, (e.clientY - m.y) * m.mm];
  if (!m.far && Math.hypot(e.clientX - m.x, e.clientY - m.y) < 3) return;
  m.far = true;
  let [x, y, w, h] = m.box;
  if (!m.corner) [x, y, w, h] = within([snap(x + dx), snap(y + dy), w, h], m.page);
  else {
    const [l, t, r, b] = [x, y, x + w, y + h];
    const L = m.corner.includes("w") ? Math.max(0, Math.min(snap(l + dx), r - 1)) : l;
    const R = m.corner.includes("e") ? Math.min(m.page.w, Math.max(snap(r + dx), l + 1)) : r;
    const T = m.corner.includes("n") ? Math.max(0, Math.min(snap(t + dy), b - 0.5)) : t;
    const B = m.corner.includes("s") ? Math.min(m.page.h, Math.max(snap(b + dy), t + 0.5)) : b;
    [x, y, w, h] = [L, T, R - L, B - T];
  }
  face = withObject(placed(m.o, m.kind, [x, y, w, h]));
  const r = $(`[data-stage] .leaf[data-page="${chosen.page}"] .chosen`);
  const b = boxOf(object(), m.kind);
  if (r) ["x", "y", "width", "height"].forEach((k, i) => r.setAttribute(k, i > 1 ? Math.max(b[i], 1.2) : b[i]));
  for (const g of $$("[data-stage] .grip")) g.remove();
  properties();
  ask();
});
function dropped() {
  if (!moving) return;
  const { begun, far } = moving;
  moving = null;
  const now = face;
  face = begun;
  if (far) step(now);
  else boxes();
}
stageBox.addEventListener("pointerup", dropped);
stageBox.addEventListener("pointercancel", dropped);

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (e) => {
  const inText = document.activeElement?.matches("input, select, textarea");
  if ((e.ctrlKey || e.metaKey) && !e.altKey && document.activeElement !== area) {
    if (e.code === "KeyZ") (e.shiftKey ? acts.redo : acts.undo)();
    else if (e.code === "KeyY") acts.redo();
    else if (e.code === "KeyD" && !inText) acts.duplicate();
    else return;
    e.preventDefault();
    return;
  }
  if (inText || e.ctrlKey || e.altKey || e.metaKey || !stageBox.contains(document.activeElement)) return;
  const kind = kindOf(chosen.ref);
  if (e.key === "Delete" || e.key === "Backspace") {
    if (kind !== "page" && kind !== "face") acts.delete();
    e.preventDefault();
  } else if (arrows[e.key] && kind !== "page" && kind !== "face") {
    const [dx, dy] = arrows[e.key].map((x) => x * (e.shiftKey ? 5 : 0.5));
    const [x, y, w, h] = boxOf(object(), kind);
    change(placed(object(), kind, within([x + dx, y + dy, w, h], face.pages[chosen.page])), "arrows" + chosen.ref);
    e.preventDefault();
    e.stopPropagation();
  }
}, true);

new ResizeObserver(() => face && boxes()).observe(stageBox);

face = parse(area.value);
for (const el of $$("[data-script]")) el.hidden = false;
for (const el of document.querySelectorAll("[data-noscript]")) el.hidden = true;
if (!face) {
  refuse(words.json, "");
  face = { title: "", pages: [{ w: 210, h: 297 }] };
} else {
  $("[data-raw]").open = false;
  show();
  ask(0);
}
