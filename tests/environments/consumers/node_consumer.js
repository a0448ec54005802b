// Runs an ONNX file as a program in Node would: MODEL IMAGES.bin BATCH,HEIGHT,WIDTH,3 FOLDER.
"use strict";
const fs = require("fs");
const path = require("path");
const ort = require("onnxruntime-node");

async function main([model, images, dims, folder]) {
  const session = await ort.InferenceSession.create(model);
  const bytes = new Uint8Array(fs.readFileSync(images));
  const input = new ort.Tensor("uint8", bytes, dims.split(",").map(Number));
  const results = await session.run({ [session.inputNames[0]]: input });
  const facts = {};
  for (const [name, { type, dims, data }] of Object.entries(results)) {
    facts[name] = { type, dims };
    const file = path.join(folder, `${name}.bin`);
    fs.writeFileSync(file, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  fs.writeFileSync(path.join(folder, "facts.json"), JSON.stringify(facts));
  console.log(require("onnxruntime-node/package.json").version);
}

main(process.argv.slice(2));
