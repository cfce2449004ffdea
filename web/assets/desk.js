// The pages work without this. It adds the keys of the desks, keeps typed text
// while it is typed, and prints.
// In a box that is ticked nothing is typed.
const typing = () => document.activeElement?.matches("input:not([type=checkbox]), select, textarea, [contenteditable]") ?? false;

// A scanner types fast: keys less than 30 ms apart are a scan, not shortcuts.
let last = 0;
const single = new Map();
const always = new Map();
for (const el of document.querySelectorAll("[data-key]")) {
  const key = el.dataset.key;
  const keys = /^(Shift\+)?F\d+$/.test(key) || key === "Escape" ? always : single;
  if (!keys.has(key)) keys.set(key, el);
}
// A key that several rows have acts on the row with the focus, else on the first.
const ofRow = (name) => document.activeElement?.closest("[data-row]")?.querySelector(`[data-key="${CSS.escape(name)}"]`);
const keysOff = () => localStorage.getItem("keys") === "off";
document.addEventListener("keydown", (e) => {
  const fast = e.timeStamp - last < 30;
  last = e.timeStamp;
  if (e.ctrlKey || e.altKey || e.metaKey || e.isComposing) return;
  const name = (e.shiftKey ? "Shift+" : "") + e.code;
  let el = always.get(name);
  if (!el && !typing() && !fast && !keysOff()) el = ofRow(name) ?? single.get(name) ?? moved(e.code);
  if (!el || el.disabled) return;
  e.preventDefault();
  if (el.matches("input, select, textarea") || el.dataset.act === "focus") el.focus();
  else el.click();
});

// ↑ and ↓ go through the rows that can be opened.
function moved(code) {
  if (code !== "ArrowDown" && code !== "ArrowUp") return null;
  const rows = [...document.querySelectorAll("[data-row]")];
  if (rows.length === 0) return null;
  const at = rows.indexOf(document.activeElement?.closest("[data-row]"));
  const to = rows[Math.min(rows.length - 1, Math.max(0, at + (code === "ArrowDown" ? 1 : -1)))];
  to.querySelector("button, a")?.focus();
  return null;
}

// Focus lands on the first row that asks for something.
if (!typing()) document.querySelector("[data-first]")?.focus({ preventScroll: true });

for (const el of document.querySelectorAll("[data-keys]")) {
  const show = () => { el.textContent = keysOff() ? el.dataset.resume : el.dataset.keys; };
  el.hidden = false;
  show();
  el.addEventListener("click", () => { localStorage.setItem("keys", keysOff() ? "on" : "off"); show(); });
}
// A page about work that goes on by itself is looked at again while nobody types.
for (const el of document.querySelectorAll("[data-refresh]")) {
  setTimeout(() => { if (!document.activeElement?.matches("input, textarea, select")) location.reload(); }, 1000 * el.dataset.refresh);
}
for (const el of document.querySelectorAll("[data-print]")) {
  el.hidden = false;
  el.addEventListener("click", () => window.print());
}

// Long forms are kept while they are typed.
for (const form of document.querySelectorAll("form[data-keep]")) {
  let timer = 0, saving = null;
  const note = form.querySelector("[data-saved]");
  const save = async () => {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch("/typed", { method: "POST", body, signal: AbortSignal.timeout(5000) }).catch(() => null);
    if (note && answer?.ok) note.textContent = note.dataset.saved + " " + new Date().toTimeString().slice(0, 8);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const all = Promise.allSettled([saving, save()]).then(() => { if (saving === all) saving = null; });
      saving = all;
    }, 800);
  });
  // What is on its way is waited for: kept after the form was taken, it would come back
  // in the next empty one.
  form.addEventListener("submit", (e) => {
    clearTimeout(timer);
    if (!saving) return;
    e.preventDefault();
    saving.then(() => form.requestSubmit(e.submitter));
  });
}

// Photos are made small here: at most 420 × 560 and 60 KB.
for (const field of document.querySelectorAll("[data-photo]")) {
  const [value, img, pick, drop, bad] = ["input[type=hidden]", "img", "[data-pick]", "[data-drop]", "[data-bad]"].map((s) => field.querySelector(s));
  const show = () => {
    img.hidden = drop.hidden = value.value === "";
    if (value.value) img.src = value.value;
  };
  const put = (url) => {
    value.value = url;
    show();
    value.dispatchEvent(new Event("input", { bubbles: true }));
  };
  pick.hidden = field.querySelector("[data-hint]").hidden = false;
  field.querySelector("[data-plain]").hidden = true;
  show();
  drop.addEventListener("click", () => put(""));
  pick.querySelector("input").addEventListener("change", async (e) => {
    const file = e.target.files[0];
    e.target.value = "";
    bad.hidden = true;
    if (file) await shrink(file).then(put, () => { bad.hidden = false; });
  });
}

async function shrink(file) {
  const picture = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  for (let most = 1; most > 0.2; most *= 0.8) {
    const by = Math.min(1, (420 * most) / picture.width, (560 * most) / picture.height);
    canvas.width = Math.max(1, Math.round(picture.width * by));
    canvas.height = Math.max(1, Math.round(picture.height * by));
    const paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
    for (let quality = 0.9; quality > 0.4; quality -= 0.1) {
      const url = canvas.toDataURL("image/jpeg", quality);
      if (url.length * 0.75 < 59 * 1024) return url;
    }
  }
  throw new Error("too large");
}

// Where the entries do not fit beside each other, the current one is in sight.
for (const el of document.querySelectorAll(":is(.bar nav, .nav, .steps) [aria-current]")) {
  const box = el.closest("nav, .steps");
  const a = el.getBoundingClientRect(), b = box.getBoundingClientRect();
  if (box.scrollWidth > box.clientWidth) box.scrollLeft += a.left - b.left - (b.width - a.width) / 2;
}
