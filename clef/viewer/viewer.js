"use strict";

// In this order: the table, the player, the timeline with labels and thresholds, the segment and its export, controls.
// They share `state`. Frames are numbered as in the table, from `data.first`; arrays by frame start there.

const data = JSON.parse(document.getElementById("data").textContent);
const NO_INTEGER = -(2 ** 31);
const SMALLEST_VIEW = 10; // frames
const STATUS_ORDER = ["detected", "tracked", "bridged", "no_face", "undecodable"]; // the last wins in a pixel
const [NO_FACE, UNDECODABLE] = [3, 4];
const $ = (id) => document.getElementById(id);
const last = data.first + data.frames - 1;
const isExpressions = data.kind === "expressions";

const state = {
  wanted: data.first, // the frame that was asked for
  shown: data.first, // the frame that the video shows
  from: data.first, // the part of the timeline in view, in frames
  to: last + 1,
  segment: null, // first and last frame
  face: null,
};

function decode(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const ARRAYS = { f4: Float32Array, f8: Float64Array, i4: Int32Array };
const columns = new Map();
for (const { name, type, base64, texts } of data.columns) {
  if (base64 !== undefined) columns.set(name, { type, texts, values: new ARRAYS[type](decode(base64).buffer) });
}
const cell = (name, row) => columns.get(name).values[row];
const statusOf = (row) => STATUS_ORDER.indexOf(columns.get("status").texts[cell("status", row)]);

// Rows are in order of frame: those of frame f are rowsOf[f] to rowsOf[f + 1].
const frameOfRow = columns.get("frame").values;
const rowsOf = new Int32Array(data.frames + 1);
for (const frame of frameOfRow) rowsOf[frame - data.first + 1] += 1;
for (let i = 0; i < data.frames; i++) rowsOf[i + 1] += rowsOf[i];

const curves = [
  ...data.labels.map((name) => ({ name, column: `p_${name}`, low: 0, high: 1, threshold: data.thresholds[name] })),
  ...data.asked.map((name) => ({ name, column: `ask: ${name}`, isAsked: true })),
];
const labelled = curves.slice(0, data.labels.length);
const status = new Uint8Array(data.frames);
let winner = null; // expressions: the index of the most probable label, or -1

// Take the rows of a face, and those of frames without any face.
function chooseFace(face) {
  state.face = face;
  const rows = new Int32Array(data.frames).fill(-1);
  for (let row = 0; row < frameOfRow.length; row++) {
    const found = cell("face", row);
    if (found === face || found === NO_INTEGER) rows[frameOfRow[row] - data.first] = row;
  }
  for (const curve of curves) {
    const { values } = columns.get(curve.column);
    curve.series = Float64Array.from(rows, (row) => (row < 0 ? NaN : values[row]));
    if (curve.isAsked) [curve.low, curve.high] = range(curve.series);
  }
  rows.forEach((row, i) => (status[i] = row < 0 ? NO_FACE : statusOf(row)));
  if (isExpressions) winner = Int16Array.from(rows, (row) => (row < 0 ? -1 : mostProbable(row)));
}

function range(series) {
  const known = series.filter((value) => !Number.isNaN(value));
  const low = known.reduce((a, b) => Math.min(a, b), Infinity);
  const high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  return low < high ? [low, high] : [-1, 1];
}

function mostProbable(row) {
  const values = labelled.map((curve) => cell(curve.column, row));
  return Number.isNaN(values[0]) ? -1 : values.indexOf(Math.max(...values));
}

function isPresent(curve, i) {
  if (curve.isAsked) return false;
  return isExpressions ? labelled[winner[i]] === curve : curve.series[i] >= curve.threshold;
}

function timeOf(frame) {
  const row = rowsOf[frame - data.first];
  return row < rowsOf[frame - data.first + 1] ? cell("time", row) : NaN;
}

const seconds = (value) => (Number.isNaN(value) ? "" : `${value.toFixed(3)} s`);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const video = $("video");

// The middle of a frame's interval: rounding cannot move it to a neighbour.
const mediaTime = (frame) => (frame - data.first + 0.5) / data.rate;

function seek(frame) {
  video.pause();
  state.wanted = clamp(Math.round(frame), data.first, last);
  if (!video.seeking) video.currentTime = mediaTime(state.wanted);
  drawPlayhead(state.wanted);
}

// While the browser seeks, only the newest wish is kept.
video.addEventListener("seeked", () => {
  if (video.paused && Math.abs(video.currentTime - mediaTime(state.wanted)) > 0.25 / data.rate) seek(state.wanted);
});
video.addEventListener("play", () => ($("play").textContent = "Pause"));
video.addEventListener("pause", () => ($("play").textContent = "Play"));
video.addEventListener("error", () => showProblem("This browser cannot play the video (VP9 in WebM)."));

// The number beside the video is that of the picture which the browser has just drawn. Its time is that of its start,
// rounded to a millisecond, or in Firefox the time that was sought, in the middle of its interval.
function onPicture(now, picture) {
  state.shown = clamp(data.first + Math.floor(picture.mediaTime * data.rate + 0.25), data.first, last);
  if (!video.paused || video.ended) state.wanted = state.shown;
  showFrame();
  video.requestVideoFrameCallback(onPicture);
}

function showFrame() {
  const frame = state.shown;
  if (document.activeElement !== $("frame")) $("frame").value = frame;
  $("scrubber").value = state.wanted;
  $("time").textContent = seconds(timeOf(frame));
  const isBroken = status[frame - data.first] === UNDECODABLE;
  showProblem(isBroken ? "This frame cannot be decoded; the picture is an earlier one." : "");
  showValues(frame);
  drawBoxes(frame);
  if (!video.paused) drawPlayhead(frame);
}

function showProblem(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

function drawBoxes(frame) {
  const { context, width, height } = prepare($("boxes"));
  if (!$("show-boxes").checked) return;
  context.scale(width / data.width, height / data.height);
  const pixel = data.width / width;
  context.font = `${13 * pixel}px system-ui, sans-serif`;
  for (let row = rowsOf[frame - data.first]; row < rowsOf[frame - data.first + 1]; row++) {
    const face = cell("face", row);
    if (face === NO_INTEGER) continue;
    const box = ["x", "y", "width", "height"].map((name) => cell(name, row));
    const isChosen = face === state.face;
    for (const [colour, line] of [
      ["#000000", isChosen ? 5 : 3],
      [isChosen ? "#f0e442" : "#ffffff", isChosen ? 2.5 : 1],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = line * pixel;
      context.strokeRect(...box);
    }
    if (faces.size > 1) {
      context.lineWidth = 3 * pixel;
      context.strokeStyle = "#000000";
      context.strokeText(`face ${face}`, box[0], box[1] - 6 * pixel);
      context.fillStyle = isChosen ? "#f0e442" : "#ffffff";
      context.fillText(`face ${face}`, box[0], box[1] - 6 * pixel);
    }
  }
}

// Size a canvas for the screen's pixels, and empty it.
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

function togglePlay() {
  if (!video.paused) return seek(state.shown);
  if (state.wanted === last) video.currentTime = 0;
  video.playbackRate = Number($("speed").value);
  return video.play();
}

const plot = $("plot");
const style = getComputedStyle(document.documentElement);
const size = (name) => parseFloat(style.getPropertyValue(name));
const AXIS = size("--axis");
const STATUS = size("--status");
const ROW = size("--row");
const rowTop = (index) => AXIS + STATUS + index * ROW;

const xOf = (frame) => ((frame - state.from) / (state.to - state.from)) * plot.clientWidth;
const frameAt = (x) =>
  clamp(Math.floor(state.from + (x / plot.clientWidth) * (state.to - state.from)), data.first, last);

function drawTimeline() {
  const { context, width } = prepare($("canvas"));
  const colours = {};
  for (const name of ["ink", "muted", "line", "curve", "asked", "present"]) {
    colours[name] = style.getPropertyValue(`--${name}`);
  }
  drawAxis(context, width, colours);
  drawStatus(context, width, colours);
  curves.forEach((curve, index) => drawCurve(context, width, colours, curve, rowTop(index)));
  drawPlayhead(state.wanted, false);
  drawSelection();
  const all = data.frames;
  const thumb = $("overview").firstElementChild;
  thumb.style.left = `${(100 * (state.from - data.first)) / all}%`;
  thumb.style.width = `${(100 * (state.to - state.from)) / all}%`;
}

// Ticks are at whole frames, since the time of a frame may be any.
function drawAxis(context, width, colours) {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  const steps = [1, 2, 5]
    .flatMap((n) => [1, 10, 100, 1000, 10000, 100000].map((power) => n * power))
    .sort((a, b) => a - b);
  const step = steps.find((frames) => (frames / (state.to - state.from)) * width > 78) ?? steps.at(-1);
  for (let frame = Math.ceil(state.from / step) * step; frame < Math.min(state.to, last + 1); frame += step) {
    const x = xOf(frame + 0.5);
    context.fillStyle = colours.line;
    context.fillRect(x, 0, 1, context.canvas.height);
    if (x > width - 50) continue;
    context.fillStyle = colours.ink;
    context.fillText(frame, x + 4, 3);
    context.fillStyle = colours.muted;
    context.fillText(clock(timeOf(frame)), x + 4, 17);
  }
}

function clock(time) {
  if (Number.isNaN(time)) return "";
  const digits = state.to - state.from < 20 * data.rate ? 2 : 0;
  const minutes = Math.floor(time / 60);
  return `${minutes}:${(time - 60 * minutes).toFixed(digits).padStart(digits ? 5 : 2, "0")}`;
}

// Call draw(x, i, end) for each pixel column, with the frames i to end in it.
function eachPixel(width, draw) {
  for (let x = 0; x < width; x++) {
    const i = Math.floor(state.from + (x / width) * (state.to - state.from)) - data.first;
    const end = Math.max(i + 1, Math.floor(state.from + ((x + 1) / width) * (state.to - state.from)) - data.first);
    if (i >= 0 && i < data.frames) draw(x, i, Math.min(end, data.frames));
  }
}

function drawStatus(context, width, colours) {
  const fill = [colours.curve, colours.curve, colours.curve, null, colours.present];
  const opacity = [0.9, 0.55, 0.25, 0, 1];
  eachPixel(width, (x, i, end) => {
    let worst = 0;
    for (; i < end; i++) worst = Math.max(worst, status[i]);
    if (!fill[worst]) return;
    context.globalAlpha = opacity[worst];
    context.fillStyle = fill[worst];
    context.fillRect(x, AXIS + (worst === 4 ? 2 : 7), 1, worst === 4 ? 16 : 8);
  });
  context.globalAlpha = 1;
}

function drawCurve(context, width, colours, curve, top) {
  const { series, low, high, threshold } = curve;
  const yOf = (value) => top + 6 + (1 - (value - low) / (high - low)) * (ROW - 14);
  context.fillStyle = colours.line;
  context.fillRect(0, top, width, 1);
  context.fillStyle = colours.present;
  eachPixel(width, (x, i, end) => {
    for (; i < end; i++) {
      if (!isPresent(curve, i)) continue;
      context.globalAlpha = 0.14;
      context.fillRect(x, top + 1, 1, ROW - 6);
      context.globalAlpha = 1;
      context.fillRect(x, top + ROW - 5, 1, 4);
      return;
    }
  });
  if (threshold !== undefined) {
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(0, yOf(threshold));
    context.lineTo(width, yOf(threshold));
    context.stroke();
    context.setLineDash([]);
  }
  context.strokeStyle = curve.isAsked ? colours.asked : colours.curve;
  context.lineWidth = 1.5;
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  let isDrawing = false;
  const point = (x, value) => {
    if (!isDrawing) context.moveTo(x, yOf(value));
    context.lineTo(x, yOf(value));
    isDrawing = true;
  };
  if (state.to - state.from <= width) {
    for (
      let i = Math.max(0, Math.floor(state.from) - data.first - 1);
      i < Math.min(data.frames, state.to - data.first + 1);
      i++
    ) {
      if (Number.isNaN(series[i])) isDrawing = false;
      else point(xOf(data.first + i + 0.5), series[i]);
    }
  } else {
    eachPixel(width, (x, i, end) => {
      let [low, high] = [Infinity, -Infinity];
      for (; i < end; i++) {
        if (series[i] < low) low = series[i];
        if (series[i] > high) high = series[i];
      }
      if (low > high) isDrawing = false;
      else [low, high].forEach((value) => point(x + 0.5, value));
    });
  }
  context.stroke();
}

function drawPlayhead(frame, follow = true) {
  if (follow && (frame < state.from || frame >= state.to)) {
    return view(frame - 0.1 * (state.to - state.from), state.to - state.from);
  }
  $("playhead").style.left = `${xOf(frame + 0.5)}px`;
}

function drawSelection() {
  $("selection").hidden = !state.segment;
  if (!state.segment) return;
  const [left, right] = [xOf(state.segment[0]), xOf(state.segment[1] + 1)].map((x) => clamp(x, 0, plot.clientWidth));
  Object.assign($("selection").style, { left: `${left}px`, width: `${right - left}px` });
}

// Show `span` frames from a frame on.
function view(from, span) {
  span = clamp(span, Math.min(SMALLEST_VIEW, data.frames), data.frames);
  state.from = clamp(from, data.first, last + 1 - span);
  state.to = state.from + span;
  drawTimeline();
}

function zoom(factor, x = xOf(clamp(state.wanted, state.from, state.to) + 0.5)) {
  const span = clamp((state.to - state.from) * factor, Math.min(SMALLEST_VIEW, data.frames), data.frames);
  const share = clamp(x / plot.clientWidth, 0, 1);
  view(state.from + share * (state.to - state.from - span), span);
}

function buildRows() {
  const row = (className, title) => {
    const element = document.createElement("div");
    element.className = `label ${className}`;
    element.title = title;
    element.innerHTML = "<div><b></b><span></span></div><small></small>";
    $("labels").append(element);
    return element;
  };
  const face = row("status", "How the face was found: detected; tracked or bridged between detections; not found");
  face.querySelector("b").textContent = "face";
  for (const curve of curves) {
    curve.title = curve.isAsked
      ? `cosine with "${curve.name}"`
      : [curve.name, data.names[curve.name]].filter(Boolean).join(", ");
    curve.row = row(curve.isAsked ? "asked" : "", curve.title);
    curve.row.querySelector("b").textContent = curve.name;
    if (curve.threshold !== undefined) addThreshold(curve);
  }
  $("canvas").style.height = `${rowTop(curves.length)}px`;
}

function addThreshold(curve) {
  const handle = document.createElement("div");
  handle.className = "threshold";
  handle.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-valuemin": 0, "aria-valuemax": 1 })) {
    handle.setAttribute(name, value);
  }
  handle.setAttribute("aria-label", `Threshold of ${curve.name}`);
  handle.title = `Threshold of ${curve.name}: drag it, or use the arrow keys; double-click for ${data.thresholds[curve.name]}`;
  curve.handle = handle;
  plot.append(handle);
  drag(handle, (start) => {
    const before = curve.threshold;
    return (event) => setThreshold(curve, before - (event.clientY - start.clientY) / (ROW - 14));
  });
  handle.addEventListener("dblclick", () => resetThreshold(curve));
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    setThreshold(curve, curve.threshold + step);
  });
  placeThreshold(curve);
}

function placeThreshold(curve) {
  const original = data.thresholds[curve.name];
  const top = rowTop(curves.indexOf(curve)) + 6 + (1 - curve.threshold) * (ROW - 14);
  curve.handle.style.top = `${top}px`;
  curve.handle.textContent = curve.threshold.toFixed(2);
  curve.handle.setAttribute("aria-valuenow", curve.threshold);
  curve.handle.classList.toggle("moved", curve.threshold !== original);
  $("reset").hidden = labelled.every(({ name, threshold }) => threshold === data.thresholds[name]);
}

function setThreshold(curve, value) {
  curve.threshold = clamp(Math.round(100 * value) / 100, 0, 1);
  showThreshold(curve);
}

function resetThreshold(curve) {
  curve.threshold = data.thresholds[curve.name];
  showThreshold(curve);
}

function showThreshold(curve) {
  placeThreshold(curve);
  showCounts();
  showValues(state.shown);
  drawTimeline();
}

function showValues(frame) {
  const i = frame - data.first;
  $("labels").firstElementChild.querySelector("span").textContent = STATUS_ORDER[status[i]].replace("_", " ");
  for (const curve of curves) {
    const value = curve.series[i];
    curve.row.querySelector("span").textContent = Number.isNaN(value) ? "" : value.toFixed(2);
    curve.row.classList.toggle("present", isPresent(curve, i));
  }
}

// Count the frames in which each label is present, among those with a face, in the segment or in all.
function showCounts() {
  const [first, end] = state.segment ?? [data.first, last];
  for (const curve of labelled) {
    let present = 0;
    let known = 0;
    for (let i = first - data.first; i <= end - data.first; i++) {
      if (Number.isNaN(curve.series[i])) continue;
      known += 1;
      present += isPresent(curve, i);
    }
    const small = curve.row.querySelector("small");
    small.textContent = known ? `${Math.round((100 * present) / known)} % · ${present} of ${known}` : "";
    small.title = `Frames with ${curve.name}, of those with this face, in ${state.segment ? "the segment" : "the video"}`;
  }
}

function select(first, end) {
  state.segment =
    first === null
      ? null
      : [Math.min(first, end), Math.max(first, end)].map((f) => clamp(Math.round(f), data.first, last));
  const [a, b] = state.segment ?? [data.first, last];
  $("segment-first").value = a;
  $("segment-last").value = b;
  const length = `${b - a + 1} frame${b > a ? "s" : ""}, ${seconds(timeOf(a))} to ${seconds(timeOf(b))}`;
  $("segment-length").textContent = state.segment ? length : `all ${length}`;
  $("segment-clear").disabled = $("segment-zoom").disabled = !state.segment;
  showCounts();
  drawSelection();
}

// The shortest decimal number that is this 32-bit number.
function shortest(value) {
  for (let digits = 6; digits < 9; digits++) {
    const number = Number(value.toPrecision(digits));
    if (Math.fround(number) === value) return String(number);
  }
  return String(Number(value.toPrecision(9)));
}

function exported(name, row) {
  const column = columns.get(name);
  if (!column) return decision(name, row);
  const value = column.values[row];
  if (Number.isNaN(value) || value === NO_INTEGER) return "";
  if (column.texts) return quoted(column.texts[value]);
  return column.type === "f4" ? shortest(value) : String(value);
}

function decision(name, row) {
  if (isExpressions) return quoted(data.labels[mostProbable(row)] ?? "");
  const curve = labelled.find((other) => other.name === name);
  const value = cell(curve.column, row);
  return Number.isNaN(value) ? "" : String(Number(value >= curve.threshold));
}

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

function exportSegment() {
  const [first, end] = state.segment ?? [data.first, last];
  const names = data.columns.map(({ name }) => name);
  const lines = [names.map(quoted).join(",")];
  for (let row = rowsOf[first - data.first]; row < rowsOf[end - data.first + 1]; row++) {
    lines.push(names.map((name) => exported(name, row)).join(","));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.download = `${data.file.replace(/\.[^.]*$/, "")}-${first}-${end}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// Call `start` with the first event of a drag, and the function that it returns with those that follow.
function drag(element, start) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.stopPropagation();
    element.setPointerCapture(event.pointerId);
    const move = start(event);
    element.addEventListener("pointermove", move);
    const end = () => element.removeEventListener("pointermove", move);
    element.addEventListener("pointerup", end, { once: true });
    element.addEventListener("pointercancel", end, { once: true });
  });
}

const xIn = (element, event) => event.clientX - element.getBoundingClientRect().left;

function connectTimeline() {
  const isOnAxis = (event) => event.clientY - plot.getBoundingClientRect().top < AXIS;
  const frameUnder = (event) => frameAt(xIn(plot, event));
  drag(plot, (start) => {
    const first = frameUnder(start);
    seek(first);
    return (event) => (isOnAxis(start) ? select(first, frameUnder(event)) : seek(frameUnder(event)));
  });
  plot.addEventListener("pointermove", showTooltip);
  plot.addEventListener("pointerleave", () => ($("tooltip").hidden = true));
  plot.addEventListener(
    "wheel",
    (event) => {
      const along = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey || isOnAxis(event)) zoom(1.002 ** event.deltaY, xIn(plot, event));
      else if (along) view(state.from + (along / plot.clientWidth) * (state.to - state.from), state.to - state.from);
      else return;
      event.preventDefault();
    },
    { passive: false },
  );
  drag($("overview"), (start) => {
    const before = state.from;
    return (event) => {
      const share = (event.clientX - start.clientX) / $("overview").clientWidth;
      view(before + share * data.frames, state.to - state.from);
    };
  });
}

function showTooltip(event) {
  const tooltip = $("tooltip");
  const y = event.clientY - plot.getBoundingClientRect().top;
  const x = xIn(plot, event);
  const frame = frameAt(x);
  const curve = curves[Math.floor((y - rowTop(0)) / ROW)];
  const value = curve?.series[frame - data.first];
  const parts = [`frame ${frame}`, seconds(timeOf(frame))];
  if (y > AXIS && y < rowTop(0)) parts.unshift(STATUS_ORDER[status[frame - data.first]].replace("_", " "));
  if (curve) parts.unshift(curve.title, Number.isNaN(value) ? "no face" : value.toFixed(3));
  tooltip.textContent = parts.filter(Boolean).join(" · ");
  tooltip.hidden = false;
  tooltip.style.left = `${clamp(x + 12, 0, Math.max(0, plot.clientWidth - tooltip.offsetWidth))}px`;
  tooltip.style.top = `${y + 18}px`;
}

const KEYS = {
  " ": togglePlay,
  ArrowLeft: (event) => seek(state.wanted - (event.shiftKey ? 10 : 1)),
  ArrowRight: (event) => seek(state.wanted + (event.shiftKey ? 10 : 1)),
  Home: () => seek(data.first),
  End: () => seek(last),
  "[": () => select(state.wanted, Math.max(state.wanted, state.segment?.[1] ?? last)),
  "]": () => select(Math.min(state.wanted, state.segment?.[0] ?? data.first), state.wanted),
  Escape: () => select(null),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: () => view(data.first, data.frames),
  b: () => $("show-boxes").click(),
};

function connectControls() {
  $("play").addEventListener("click", togglePlay);
  $("back").addEventListener("click", () => seek(state.wanted - 1));
  $("forward").addEventListener("click", () => seek(state.wanted + 1));
  $("scrubber").addEventListener("input", () => seek($("scrubber").valueAsNumber));
  $("frame").addEventListener("change", () => {
    seek($("frame").valueAsNumber || data.first);
    $("frame").value = state.shown;
    $("frame").blur();
  });
  $("speed").addEventListener("change", () => (video.playbackRate = Number($("speed").value)));
  $("show-boxes").addEventListener("change", () => drawBoxes(state.shown));
  $("face").addEventListener("change", () => changeFace(Number($("face").value)));
  for (const id of ["segment-first", "segment-last"]) {
    $(id).addEventListener("change", () => {
      const [a, b] = ["segment-first", "segment-last"].map((name) => $(name).valueAsNumber);
      if (!Number.isNaN(a + b)) select(a, b);
    });
  }
  $("segment-clear").addEventListener("click", () => select(null));
  $("segment-zoom").addEventListener("click", () => view(state.segment[0], state.segment[1] + 1 - state.segment[0]));
  $("export").addEventListener("click", exportSegment);
  $("zoom-in").addEventListener("click", KEYS["+"]);
  $("zoom-out").addEventListener("click", KEYS["-"]);
  $("zoom-all").addEventListener("click", KEYS[0]);
  $("reset").addEventListener("click", () => labelled.forEach(resetThreshold));
  document.addEventListener("keydown", (event) => {
    const isTyping =
      event.target.matches("input[type=number], select") || event.ctrlKey || event.metaKey || event.altKey;
    const isPressing = event.target.matches("button, summary, input[type=checkbox]") && event.key === " ";
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (isTyping || isPressing || !act) return;
    event.preventDefault();
    act(event);
  });
}

function changeFace(face) {
  chooseFace(face);
  showCounts();
  showFrame();
  drawTimeline();
}

const faces = new Map(); // rows by face
for (const face of columns.get("face").values) if (face !== NO_INTEGER) faces.set(face, (faces.get(face) ?? 0) + 1);
for (const [face, rows] of [...faces].sort(([a], [b]) => a - b)) {
  $("face").append(new Option(`${face}: ${rows} frame${rows > 1 ? "s" : ""}`, face));
}
$("face").parentElement.hidden = faces.size < 2;
$("picture").style.setProperty("--ratio", data.width / data.height);
for (const id of ["scrubber", "frame", "segment-first", "segment-last"]) {
  Object.assign($(id), { min: data.first, max: last });
}
$("scrubber").value = data.first;
chooseFace(faces.size ? Math.min(...faces.keys()) : NO_INTEGER);
buildRows();
select(null);
connectControls();
connectTimeline();
drawTimeline();
new ResizeObserver(() => {
  drawTimeline();
  drawBoxes(state.shown);
}).observe(plot);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimeline);

video.requestVideoFrameCallback(onPicture);
video.addEventListener("loadedmetadata", () => seek(state.wanted));
const chunks = [...document.querySelectorAll("script.video")];
if (chunks.length) {
  const parts = chunks.map((chunk) => decode(chunk.textContent));
  chunks.forEach((chunk) => chunk.remove());
  video.src = URL.createObjectURL(new Blob(parts, { type: "video/webm" }));
} else if (video.readyState) {
  seek(state.wanted);
}
