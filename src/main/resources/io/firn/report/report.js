// Draws the page's charts: each is a description in the page's data, and knows nothing of what it shows.
(() => {
  const charts = () => JSON.parse(document.getElementById("charts").textContent);
  const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faint = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
  const number = digits => (_, v) => v == null ? "–"
    : v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const ticks = (_, values) => values.map(v => v == null ? "" : v.toLocaleString("en", { maximumFractionDigits: 8 }));

  // As wide as its longest label, and a little more: once the width is settled, the labels may still change.
  function axisSize(self, values, axis, cycle) {
    const a = self.axes[axis];
    if (cycle > 1) return a._size;
    const longest = (values ?? []).reduce((l, v) => v.length > l.length ? v : l, "");
    self.ctx.font = a.font[0];
    return Math.max(40, Math.ceil(a.ticks.size + a.gap + self.ctx.measureText(longest).width / devicePixelRatio) + 8);
  }

  const paths = {
    LINE: uPlot.paths.linear(),
    POINTS: uPlot.paths.linear(),
    STEPS: uPlot.paths.stepped({ align: 1 }),
    BARS: uPlot.paths.bars({ size: [0.9, 60] }),
  };

  // Names of parts of the x axis, above the lines, where there is room for them.
  function spans(spec) {
    return u => {
      const ctx = u.ctx;
      ctx.save();
      ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.fillStyle = color("--quiet");
      ctx.strokeStyle = color("--line");
      ctx.textBaseline = "top";
      for (const s of spec.spans ?? []) {
        const from = u.valToPos(s.from, "x", true);
        const to = u.valToPos(s.to, "x", true);
        ctx.beginPath();
        ctx.moveTo(from, u.bbox.top);
        ctx.lineTo(from, u.bbox.top + u.bbox.height);
        ctx.stroke();
        if (ctx.measureText(s.name).width + 8 * devicePixelRatio < to - from) {
          ctx.fillText(s.name, from + 4 * devicePixelRatio, u.bbox.top + 2 * devicePixelRatio);
        }
      }
      ctx.restore();
    };
  }

  function build(spec, box) {
    const value = number(spec.digits);
    const series = [{ label: spec.x, value: (_, v) => v == null ? "–" : v.toLocaleString("en", { maximumFractionDigits: 1 }) }];
    const tables = [];
    const bands = [];
    for (const s of spec.series) {
      const stroke = color(`--c${s.color % 8}`);
      // A band says something only where it has a width.
      const band = s.low && s.low.some((v, i) => v !== s.high[i]);
      tables.push(band ? [s.x, s.y, s.high, s.low] : [s.x, s.y]);
      series.push({
        label: s.name, stroke, value, spanGaps: true, paths: paths[s.kind], width: s.kind === "BARS" ? 0 : 1.75,
        dash: s.dashed || s.color > 7 ? [6, 4] : undefined,
        fill: s.kind === "BARS" ? faint(stroke, 0.35) : s.kind === "STEPS" ? faint(stroke, 0.14) : undefined,
        points: { show: s.kind === "POINTS" && s.x.length <= 60, size: 6, fill: stroke },
        class: s.kind === "LINE" && s.x.length === 2 ? "fixed" : s.dashed ? "dashed" : undefined,
      });
      if (band) {
        const hidden = { stroke: "transparent", width: 0, spanGaps: true, points: { show: false }, class: "band" };
        series.push({ ...hidden }, { ...hidden });
        bands.push({ series: [series.length - 2, series.length - 1], fill: faint(stroke, 0.16) });
      }
    }
    const axis = { stroke: color("--quiet"), font: "12px system-ui, sans-serif", values: ticks,
      grid: { stroke: color("--grid"), width: 1 }, ticks: { stroke: color("--line"), width: 1, size: 5 } };
    const options = {
      width: box.clientWidth, height: Math.max(200, Math.min(300, box.clientWidth * 0.6)), series, bands,
      legend: { markers: { width: 0, fill: (u, i) => u.series[i].fill && u.series[i].width === 0 ? u.series[i].fill() : u.series[i].stroke() } },
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      scales: { x: { time: false, range: spec.range ? () => spec.range : undefined },
        y: { range: spec.range ? () => spec.range : undefined } },
      axes: [{ ...axis, label: spec.x, labelSize: 18, labelGap: 0, labelFont: "12px system-ui, sans-serif", size: 32 },
        { ...axis, size: axisSize }],
      hooks: { drawClear: [spans(spec)] },
    };
    return new uPlot(options, uPlot.join(tables), box);
  }

  const drawn = new Map();
  const redraw = () => {
    drawn.forEach(chart => chart.destroy());
    drawn.clear();
    charts().forEach(spec => drawn.set(spec.id, build(spec, document.getElementById(spec.id))));
  };
  redraw();
  addEventListener("firn:changed", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = document.documentElement.clientWidth;
  let waiting = 0;
  addEventListener("resize", () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 100);
  });
})();
