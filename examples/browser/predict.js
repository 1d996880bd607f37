"use strict";
ort.env.wasm.numThreads = 1; // more need a page that is cross-origin isolated
const loading = Promise.all([
  fetch("model.json").then((answer) => answer.json()),
  ort.InferenceSession.create("model.onnx"),
]);
document.getElementById("image").addEventListener("change", async (event) => {
  const [model, session] = await loading;
  const side = model.image_size;
  const head = new Uint8Array(await event.target.files[0].slice(0, 25).arrayBuffer());
  // Of a 16-bit PNG a browser keeps the upper 8 bits, whatever part of the 16 its values use.
  if (head[0] === 0x89 && head[24] === 16)
    return void (document.getElementById("answer").textContent = `A browser cuts 16 bits to 8. Convert this PNG first: divide by 2^${model.preprocessing.bit_depth} - 1, times 255.`);
  const pen = Object.assign(document.createElement("canvas"), { width: side, height: side }).getContext("2d");
  pen.drawImage(await createImageBitmap(event.target.files[0]), 0, 0, side, side);
  const rgba = pen.getImageData(0, 0, side, side).data;
  const values = new Float32Array(3 * side * side); // red, green and blue planes, 0 to 255
  for (let i = 0; i < side * side; i++) for (let c = 0; c < 3; c++) values[c * side * side + i] = rgba[4 * i + c];
  const answers = await session.run({ images: new ort.Tensor("float32", values, [1, 3, side, side]) });
  const said = [...answers.probabilities.data];
  const shown = { ...decide(model, said, answers.novelty?.data[0]), probabilities: Object.fromEntries(model.class_names.map((name, i) => [name, said[i]])) };
  document.getElementById("answer").textContent = JSON.stringify(shown, null, 1);
});
