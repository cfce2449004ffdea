// Judges and draws files with package document, compiled to WebAssembly. The
// policy this file comes with lets it load its glue and nothing else: it can't
// send anything anywhere.
"use strict";
importScripts("built/wasm_exec.js" + self.location.search);

let module;

// Each task gets an instance of its own, so that the memory a file took is freed
// with it.
async function instance(use) {
  const go = new Go();
  const ended = go.run(await WebAssembly.instantiate(module, go.importObject));
  const answer = await use(self.checker);
  if (typeof answer !== "string" && typeof answer !== "boolean") throw new Error("the checker ended");
  if (self.checker) {
    self.checker.end();
    await ended;
    // Timers of its runtime must not call an instance that is gone.
    go._scheduledTimeouts?.forEach((t) => clearTimeout(t));
  }
  return answer;
}

const tasks = {
  async load({ wasm }) {
    module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
    return { module };
  },
  async file({ file, trust, now }, tell) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    tell({ report: JSON.parse(await instance((c) => c.judge(bytes, trust, now))) });
    const fields = JSON.parse(await instance((c) => c.fields(bytes)));
    return { fields, pages: JSON.parse(await instance((c) => c.pictures(bytes))) };
  },
  async print({ text, trust, value }) {
    let holds = false;
    const statement = await instance((c) => {
      const s = c.statement(text, trust);
      if (value !== undefined) holds = c.holds(value);
      return s;
    });
    return { statement: JSON.parse(statement), holds };
  },
};

self.onmessage = async ({ data }) => {
  const tell = (answer, done = false) => postMessage({ id: data.id, answer, done });
  try {
    tell(await tasks[data.task](data, tell), true);
  } catch (e) {
    postMessage({ id: data.id, failed: String(e), done: true });
  }
};
