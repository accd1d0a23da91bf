
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("figures").textContent);
  const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b8860b", "#8e5ea2", "#1aa6b7", "#7f7f7f", "#c0504d", "#5b8c2a",
    "#355c9a", "#a0522d", "#6a5acd", "#444444"];
  const DARK = ["#56b4e9", "#ff9d5c", "#3ddc97", "#f0c63f", "#c9a0dc", "#5fd7e3", "#a8a8a8", "#ff8a80", "#a5d66a",
    "#8fb3ff", "#e0a070", "#a99cff", "#d0d0d0"];
  const PAPER = "680px"; // what A4 has between its margins
  const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
  const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];

  // 7500 -> 2h05m: the two largest units, as the tables have it.
  function duration(length) {
    const seconds = Math.round(Math.abs(length));
    const at = Math.max(0, UNITS.findIndex(([size]) => seconds >= size));
    if (seconds === 0) return "0s";
    const first = Math.floor(seconds / UNITS[at][0]);
    const rest = at < 3 ? Math.floor((seconds % UNITS[at][0]) / UNITS[at + 1][0]) : 0;
    const sign = length < 0 ? "-" : "";
    return sign + first + UNITS[at][1] + (rest ? String(rest).padStart(2, "0") + UNITS[at + 1][1] : "");
  }
  const known = (shown) => (value) => (value === null || value === undefined || Number.isNaN(value) ? "-" : shown(value));
  const percent = (share) => `${NUMBER.format(Math.round(share * 1000) / 10)} %`;

  const functions = {
    "@duration": known(duration),
    "@percent": known(percent),
    "@number": known((value) => NUMBER.format(value)),
    "@pointed_duration": (pointed) => (pointed.axisDimension === "x" ? duration(pointed.value) : NUMBER.format(pointed.value)),
    "@point": (one) => [one.name, ...one.value.map(duration)].join("\n"),
    "@job": (one) => {
      const [, , , , job, tenant, chips, wait, ran] = one.data;
      const { words } = page;
      return [job, `${words.tenant} ${tenant}`, `${words.chips} ${NUMBER.format(chips)}`, `${words.wait} ${duration(wait)}`,
        `${words.ran} ${duration(ran)}`].join("\n");
    },
    "@bar": (parameters, api) => {
      const [left, top] = api.coord([api.value(0), api.value(2)]);
      const [right, bottom] = api.coord([api.value(1), api.value(3)]);
      const area = parameters.coordSys;
      const whole = { x: left, y: top, width: Math.max(right - left, 0.5), height: Math.max(bottom - top - 0.4, 0.4) };
      const shape = echarts.graphic.clipRectByRect(whole, area);
      return shape && { type: "rect", transition: [], shape, style: { fill: api.visual("color"), opacity: 0.85 } };
    },
  };
  const NAMED = new Set(["formatter", "valueFormatter", "renderItem"]);

  function alive(value, key) {
    if (Array.isArray(value)) return value.map((one) => alive(one));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, alive(one, name)]));
    }
    return NAMED.has(key) && Object.hasOwn(functions, value) ? functions[value] : value;
  }

  function coloured(option, colours) {
    const axis = colours === DARK ? "#9aa4af" : "#59636e";
    const line = colours === DARK ? "#373e47" : "#e4e8ec";
    for (const one of option.series) {
      const colour = colours[one.color % colours.length];
      one.color = colour;
      one.itemStyle = { color: colour, ...one.itemStyle };
      if (one.type === "line") one.lineStyle = { ...one.lineStyle, color: colour };
    }
    for (const name of ["xAxis", "yAxis"]) {
      option[name].axisLabel = { color: axis, hideOverlap: true, ...option[name].axisLabel };
      option[name].nameTextStyle = { color: axis };
      option[name].splitLine = { lineStyle: { color: line }, ...option[name].splitLine };
    }
    option.legend = { textStyle: { color: axis, width: 200, overflow: "truncate" }, ...option.legend };
    option.tooltip = { renderMode: "richText", confine: true, ...option.tooltip };
    return { animation: false, useUTC: true, backgroundColor: "transparent", ...option };
  }

  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  let printing = false;
  const dark = () => !printing && (root.dataset.theme ? root.dataset.theme === "dark" : media.matches);
  const charts = [];

  function draw() {
    while (charts.length) charts.pop().dispose();
    const colours = dark() ? DARK : LIGHT;
    for (const [id, option] of Object.entries(page.figures)) {
      const place = document.getElementById(`plot-${id}`);
      place.style.height = `${place.dataset.height}px`;
      place.style.width = printing ? PAPER : "";
      const chart = echarts.init(place, colours === DARK ? "dark" : null, { renderer: "svg", locale: page.language });
      chart.setOption(coloured(alive(option), colours));
      charts.push(chart);
    }
  }

  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    draw();
  });
  media.addEventListener("change", draw);
  window.addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  for (const [name, now] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(name, () => {
      printing = now;
      draw();
    });
  }
  draw();
})();
