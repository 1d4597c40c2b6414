// Points and lines of a figure at once: the library for plots takes a second of work before it draws anything.

/** Room for labels around the points. */
export const MARGIN = { l: 64, r: 16, t: 12, b: 48 };

/** From values of an axis to pixels; NaN for what is no number. */
function scale(axis = {}, values, from, to) {
  const at = (value) => (typeof value !== "number" ? NaN : axis.type === "log" ? Math.log10(value) : value);
  const known = values.map(at).filter(Number.isFinite);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const rim = 0.06 * (most - least) || 1;
  const [low, high] = axis.range ?? [least - rim, most + rim];
  return (value) => from + ((to - from) * (at(value) - low)) / (high - low);
}

function follow(pen, points, steps) {
  pen.beginPath();
  let before = null;
  for (const [x, y] of points) {
    const gap = !Number.isFinite(x + y);
    if (!gap && before && steps) pen.lineTo(x, before[1]);
    if (!gap) pen[before ? "lineTo" : "moveTo"](x, y);
    before = gap ? null : [x, y];
  }
  pen.stroke();
}

function dot(pen, points, size) {
  for (const [x, y] of points) {
    pen.beginPath();
    pen.arc(x, y, size / 2, 0, 2 * Math.PI);
    pen.fill();
  }
}

/** Put a drawing of the traces that are points and lines into a place; it is taken away by whoever draws better. */
export function sketch(place, data, layout, soft) {
  const canvas = document.createElement("canvas");
  const [width, height] = [place.clientWidth, place.clientHeight];
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.rect(MARGIN.l, MARGIN.t, width - MARGIN.l - MARGIN.r, height - MARGIN.t - MARGIN.b);
  pen.clip();
  const traces = data.filter((trace) => trace.type === "scatter" && trace.x.length);
  const x = scale(layout.xaxis, traces.flatMap((trace) => trace.x), MARGIN.l, width - MARGIN.r);
  const y = scale(layout.yaxis, traces.flatMap((trace) => trace.y), height - MARGIN.b, MARGIN.t);
  for (const trace of traces) {
    const points = trace.x.map((value, i) => [x(value), y(trace.y[i])]);
    const { color, size = 6 } = trace.marker ?? {};
    pen.globalAlpha = trace.opacity ?? 1;
    pen.fillStyle = typeof color === "string" ? color : soft;
    pen.strokeStyle = trace.line?.color ?? soft;
    pen.lineWidth = trace.line?.width ?? 2;
    if (trace.mode.includes("lines")) follow(pen, points, trace.line?.shape === "hv");
    if (trace.mode.includes("markers")) dot(pen, points, size);
  }
  place.replaceChildren(canvas);
  return canvas;
}
