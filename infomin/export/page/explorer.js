"use strict";
// Compute the views of any image in the page. g is a lattice of points^3 colours of 16 bits, blue
// outermost, red innermost; views between lattice points are interpolated trilinearly.
{
  const MAX_PIXELS = 4_000_000; // larger images are shown smaller
  const config = JSON.parse(document.getElementById("table").textContent);
  const n = config.points;
  const channels = config.channels;
  const lattice = decode();

  const element = (id) => document.getElementById(id);
  const [stage, source, status, picks] = ["stage", "source", "status", "picks"].map(element);
  const canvases = [source, ...document.querySelectorAll("canvas[data-channel]")];
  const contexts = canvases.map((canvas) =>
    canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" }));
  let pixels, views, cursor, latest = 0;

  function decode() {
    const bytes = Uint8Array.from(atob(config.table), (letter) => letter.charCodeAt(0));
    const levels = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
      const { low, high } = channels[i % 3];
      return low + (levels.getUint16(2 * i, true) / 65535) * (high - low);
    });
  }

  // For each of 256 levels: the lattice point below it, and the fraction of the way to the next.
  const below = Uint8Array.from({ length: 256 }, (_, v) => Math.min(Math.floor(v * (n - 1) / 255), n - 2));
  const fraction = Float32Array.from({ length: 256 }, (_, v) => v * (n - 1) / 255 - below[v]);

  function transform(rgba) {
    const count = rgba.length / 4, out = channels.map(() => new Float32Array(count));
    const RED = 3, GREEN = 3 * n, BLUE = 3 * n * n;
    for (let i = 0; i < count; i++) {
      const red = rgba[4 * i], green = rgba[4 * i + 1], blue = rgba[4 * i + 2];
      const r = fraction[red], g = fraction[green], b = fraction[blue];
      const base = BLUE * below[blue] + GREEN * below[green] + RED * below[red];
      for (let c = 0; c < 3; c++) {
        let y = 0;
        for (let k = base + c, corner = 0; corner < 4; corner++) {
          const from = k + (corner & 1 ? GREEN : 0) + (corner & 2 ? BLUE : 0);
          const along = lattice[from] + r * (lattice[from + RED] - lattice[from]);
          y += along * (corner & 1 ? g : 1 - g) * (corner & 2 ? b : 1 - b);
        }
        out[c][i] = y;
      }
    }
    return out;
  }

  async function show(image, name) {
    const turn = ++latest;
    let bitmap;
    try {
      // pixel values of the file, without colour management, as Python libraries read them
      bitmap = await createImageBitmap(image, { colorSpaceConversion: "none" });
    } catch {
      status.textContent = `${name}: the browser cannot read this as an image.`;
      return;
    }
    if (turn !== latest) return;
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
    const width = Math.max(1, Math.floor(bitmap.width * scale));
    const height = Math.max(1, Math.floor(bitmap.height * scale));
    for (const canvas of canvases) [canvas.width, canvas.height] = [width, height];
    const context = contexts[0];
    context.imageSmoothingEnabled = scale < 1;
    context.fillStyle = "#fff"; // behind transparent pixels
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    pixels = context.getImageData(0, 0, width, height).data;
    views = transform(pixels);
    views.forEach((values, c) => draw(contexts[c + 1], values, channels[c], width, height));
    move(width >> 1, height >> 1);
    status.textContent = `${name}: ${width} × ${height} pixels` + (scale < 1 ? ", made smaller." : ".");
  }

  function draw(context, values, { black, white }, width, height) {
    const grey = context.createImageData(width, height), data = grey.data;
    for (let i = 0; i < values.length; i++) {
      data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = 255 * (values[i] - black) / (white - black);
      data[4 * i + 3] = 255;
    }
    context.putImageData(grey, 0, 0);
  }

  // Show the values under a cursor, at the same pixel in all canvases.
  function move(x, y) {
    const { width, height } = source;
    cursor = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
    const i = cursor[1] * width + cursor[0];
    for (const mark of stage.querySelectorAll(".cursor")) {
      mark.style.left = `${100 * (cursor[0] + 0.5) / width}%`;
      mark.style.top = `${100 * (cursor[1] + 0.5) / height}%`;
    }
    const values = views.map((view) => view[i].toFixed(3).replace("-", "−"));
    const color = config.names.map((name, c) => `${name} ${pixels[4 * i + c]}`).join(" ");
    stage.querySelectorAll(".value").forEach((place, k) => {
      place.textContent = k ? values[k - 1] : color;
    });
    element("readout").textContent = `x ${cursor[0]}, y ${cursor[1]}: ${color}; `
      + channels.map(({ name }, c) => `${name}: ${values[c]}`).join("; ");
  }

  for (const canvas of canvases) {
    const point = (event) => {
      if (!views) return;
      const box = canvas.getBoundingClientRect();
      move(Math.floor((event.clientX - box.left) / box.width * canvas.width),
        Math.floor((event.clientY - box.top) / box.height * canvas.height));
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
  }
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || !views || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    move(cursor[0] + far * step[0], cursor[1] + far * step[1]);
  });

  // Images come from a file, by dropping one, or from the sample.
  function take(file) {
    if (!file) return;
    for (const button of picks.children) button.setAttribute("aria-pressed", "false");
    show(file, file.name);
  }
  element("file").addEventListener("change", (event) => take(event.target.files[0]));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  function pick(button) {
    for (const other of picks.children) other.setAttribute("aria-pressed", other === button);
    element("file").value = "";
    show(button.firstChild, button.firstChild.alt);
  }
  for (const image of document.querySelectorAll(".gallery img.color")) {
    const button = document.createElement("button");
    button.type = "button";
    const copy = image.cloneNode();
    copy.removeAttribute("style");
    button.append(copy);
    button.addEventListener("click", () => pick(button));
    picks.append(button);
  }
  if (picks.firstChild) picks.firstChild.firstChild.decode().then(() => pick(picks.firstChild));
}
