// The other side of tokenizers-bench.go: reads lines of JSON, encodes with Hugging Face's `tokenizers`, answers with the
// tokens made and the CPU time taken, all threads together.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Tokenizer } = createRequire(process.argv[2] + "/")("tokenizers");
const loaded = new Map();
let texts = [];

async function measure({ file, mode, from, to }) {
  if (!loaded.has(file)) {
    const start = process.cpuUsage();
    const tokenizer = Tokenizer.fromFile(file);
    const { user, system } = process.cpuUsage(start);
    loaded.set(file, { tokenizer, load: (user + system) / 1000 });
  }
  const { tokenizer, load } = loaded.get(file);
  const part = texts.slice(from, to);
  let tokens = 0;
  const before = process.cpuUsage();
  if (mode === "single") {
    for (const text of part) tokens += (await tokenizer.encode(text)).getLength();
  } else {
    for (let i = 0; i < part.length; i += 1000) {
      for (const e of await tokenizer.encodeBatch(part.slice(i, i + 1000))) tokens += e.getLength();
    }
  }
  const { user, system } = process.cpuUsage(before);
  return { tokens, seconds: (user + system) / 1e6, load };
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  if (task.texts) texts = task.texts;
  process.stdout.write(JSON.stringify(task.texts ? {} : await measure(task)) + "\n");
}
