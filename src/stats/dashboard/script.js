"use strict";
(() => {
  const SHOWN_MS = 120000;
  const STALE_MS = 3500;
  const SUMMARY_MS = 15000;
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Figures, written as the server writes them.
  const three = v => v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
  const count = v => Math.round(v).toLocaleString("en");
  const scaled = (v, units, least) => {
    for (const [unit, size] of units) if (v >= size) return `${three(v / size)} ${unit}`;
    return `${v.toFixed(0)} ${least}`;
  };
  const time = ns => scaled(ns, [["s", 1e9], ["ms", 1e6], ["µs", 1e3]], "ns");
  const span = s => {
    const [minutes, hours, days] = [60, 3600, 86400].map(size => Math.floor(s / size));
    if (days) return `${days} d ${hours % 24} h`;
    if (hours) return `${hours} h ${minutes % 60} min`;
    return minutes ? `${minutes} min ${Math.floor(s) % 60} s` : `${Math.floor(s)} s`;
  };
  const KINDS = {
    text: String,
    count,
    rate: v => v < 100 ? v.toFixed(1) : count(v),
    time,
    ms: v => time(v * 1e6),
    span,
    bytes: v => scaled(v, [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]], "B"),
    share: v => `${(v * 100).toFixed(1)} %`,
    factor: v => `${v.toFixed(2)}×`,
  };
  const told = (kind, value) => value === undefined || value === null ? "–"
    : typeof value === "string" ? value : KINDS[kind](value);
  const at = (scope, path) => path.split(".").reduce((value, name) => name ? value?.[name] : value, scope);
  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  // Places in the page that figures stand in, by what the page says of them.
  const placesOf = elements => elements.map(element => {
    const [kind, path] = element.dataset.f.split(" ");
    return { element, kind, path };
  });
  const fill = (places, scope) => {
    for (const { element, kind, path } of places) {
      const of = at(scope, path.slice(0, Math.max(0, path.lastIndexOf("."))));
      write(element, told(kind, kind === "time" && of?.count === 0 ? undefined : at(scope, path)));
    }
  };
  const fixed = placesOf(all("[data-f]").filter(element => !element.closest("[data-rows]")));
  const tables = all("[data-rows]").map(body => ({
    body, path: body.dataset.rows, row: one("template", body).content.firstElementChild, rows: [],
  }));
  for (const { body } of tables) body.replaceChildren(one("template", body));
  const ORDER = {
    routes: rows => [...rows].sort((a, b) => b.count - a.count),
    stalls: rows => [...rows].reverse(),
    "connections.closed": rows => rows.filter(row => row.value).sort((a, b) => b.value - a.value),
  };
  const fillTable = (table, scope) => {
    const found = at(scope, table.path) ?? [];
    const list = Array.isArray(found) ? found
      : Object.entries(found).map(([key, value]) => ({ key, value }));
    const items = (ORDER[table.path] ?? (rows => rows))(list);
    while (table.rows.length > items.length) table.rows.pop().row.remove();
    while (table.rows.length < items.length) {
      const row = table.row.cloneNode(true);
      table.rows.push({ row, places: placesOf(all("[data-f]", row)) });
      // What is cut off is there to be had.
      for (const name of all(".name", row)) name.addEventListener("pointerenter", () => { name.title = name.textContent; });
      table.body.append(row);
    }
    items.forEach((item, i) => fill(table.rows[i].places, item));
    bars(table, items);
  };

  // Bars in the cells of a column, and marks where one of several lies far from the others.
  const bars = ({ rows, path }, items) => {
    const columns = rows[0]?.places.filter(({ element }) => "bar" in element.dataset) ?? [];
    for (const { path: field, element } of columns) {
      const values = items.map(item => at(item, field) ?? 0);
      const most = Number(element.dataset.bar) || Math.max(...values, 1);
      const ordered = [...values].sort((a, b) => a - b);
      const middle = ordered[Math.floor(ordered.length / 2)];
      const [least, floor] = field === "busy_ratio" ? [0.05, 1.5] : [1, 2];
      rows.forEach(({ places }, i) => {
        const cell = places.find(place => place.path === field).element;
        cell.style.setProperty("--share", Math.min(1, values[i] / most).toFixed(4));
        const others = (values.reduce((a, b) => a + b, 0) - values[i]) / Math.max(1, values.length - 1);
        const counts = path === "cores" && values.length > 1 && enough(items, field);
        const mark = !counts ? "" : values[i] > floor * Math.max(others, least) && values[i] > middle ? "high"
          : field === "requests_total" && values[i] * floor < others ? "low" : "";
        if (mark) cell.dataset.mark = mark; else delete cell.dataset.mark;
      });
    }
  };
  // A handful of requests says nothing of their cores, and lags below 1 ms harm nobody.
  const enough = (items, field) => field.startsWith("loop_lag.") ? items.some(item => at(item, field) > 1e6)
    : items.reduce((sum, item) => sum + item.requests_total, 0) >= 200 * items.length;

  // Drawing.
  const NS = "http://www.w3.org/2000/svg";
  const LEFT = 54, BELOW = 18;
  const draw = (svg, name, attributes, text) => {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    svg.append(element);
    return element;
  };
  // Labels that would run into others are left out; those that were drawn last stay.
  const declutter = svg => {
    const kept = [];
    for (const label of all("text", svg).reverse()) {
      const { x, y, width, height } = label.getBBox();
      const hits = kept.some(other => x < other.x + other.width + 6 && other.x < x + width + 6
        && y < other.y + other.height - 4 && other.y < y + height - 4);
      if (hits) label.remove(); else kept.push({ x, y, width, height });
    }
  };
  const begin = figure => {
    const { width, height } = figure.getBoundingClientRect();
    const svg = one("svg", figure);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    return { svg, width, height, bottom: height - BELOW };
  };
  const line = points => points.map(([x, y], i) => `${i && points[i - 1] ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const lines = points => {
    const parts = [[]];
    for (const point of points) point ? parts.at(-1).push(point) : parts.push([]);
    return parts.filter(part => part.length).map(line).join("");
  };
  const nice = most => {
    const size = 10 ** Math.floor(Math.log10(most));
    return [1, 2, 2.5, 5, 10].map(step => step * size).find(step => step >= most);
  };
  const ticks = (low, high) => {
    const found = [];
    for (let ns = 1; ns <= high; ns *= 10) if (ns >= low) found.push(ns);
    return found;
  };
  const seconds = [];
  let marks = [];
  const newest = () => seconds.at(-1)?.at_ms ?? 0;
  const timeAxis = ({ svg, width, bottom }) => {
    const x = ms => LEFT + (width - LEFT) * (1 - (newest() - ms) / SHOWN_MS);
    const steps = width < 520 ? [120, 60, 0] : [120, 90, 60, 30, 0];
    for (const s of steps) {
      const place = x(newest() - s * 1000);
      const side = s === 0 ? "end" : s === 120 ? "" : "middle";
      draw(svg, "text", { x: place, y: bottom + 14, class: side }, s === 0 ? "now" : s === 60 ? "1 min ago" : s === 120 ? "2 min ago" : `${s} s`);
    }
    return x;
  };
  const upright = ({ svg, bottom }, x) => {
    for (const ms of marks) draw(svg, "path", { class: "anew", d: `M${x(ms).toFixed(1)} 0V${bottom}` });
    const second = chosen();
    if (second && scrub.value < 0) draw(svg, "path", { class: "cursor", d: `M${x(second.at_ms - 500).toFixed(1)} 0V${bottom}` });
  };

  const scrub = one(".scrub input");
  const chosen = () => {
    const wanted = newest() + scrub.value * 1000;
    return seconds.findLast(second => second.at_ms <= wanted + 500);
  };
  const clock = ms => new Date(ms).toLocaleTimeString("en-GB");
  const tellSecond = () => {
    const second = chosen();
    if (!second) return;
    const [, , , bad, worse] = second.classes;
    const parts = [`${KINDS.rate(second.per_second)} a second`];
    if (second.requests) parts.push(`p50 ${time(second.p50_ns)}`, `p99 ${time(second.p99_ns)}`, `longest ${time(second.max_ns)}`);
    if (bad) parts.push(`${count(bad)} with 4xx`);
    if (worse) parts.push(`${count(worse)} with 5xx`);
    const text = `${clock(second.at_ms)}: ${parts.join(", ")}`;
    write(one(".scrub output"), text);
    if (document.activeElement === scrub) scrub.setAttribute("aria-valuetext", text);
  };

  const drawRate = () => {
    const chart = begin(one(".rate"));
    const { svg, width, bottom } = chart;
    const most = nice(Math.max(1, ...seconds.map(second => second.per_second)) * 1.05);
    const y = value => 6 + (bottom - 6) * (1 - value / most);
    for (const value of [0, most / 2, most]) {
      draw(svg, "path", { class: "grid", d: `M${LEFT} ${Math.round(y(value)) + 0.5}H${width}` });
      draw(svg, "text", { class: "end", x: LEFT - 8, y: y(value) + 4 }, value < 10 ? String(value) : count(value));
    }
    const x = timeAxis(chart);
    const points = spaced(second => [x(second.at_ms - 500), y(second.per_second)]);
    const flat = points.filter(Boolean);
    if (flat.length > 1) draw(svg, "path", { class: "area", d: `${line(flat)}L${flat.at(-1)[0].toFixed(1)} ${y(0)}L${flat[0][0].toFixed(1)} ${y(0)}Z` });
    const column = (width - LEFT) / (SHOWN_MS / 1000);
    for (const second of seconds) {
      let from = 0;
      for (const [name, part] of [["c5", second.classes[4]], ["c4", second.classes[3]]]) {
        if (!part) continue;
        const value = second.per_second * part / Math.max(1, second.requests);
        const top = y(from + value);
        draw(svg, "rect", { class: name, x: (x(second.at_ms) - column).toFixed(1), y: top.toFixed(1), width: Math.max(1, column - 1).toFixed(1), height: Math.max(1, y(from) - top).toFixed(1) });
        from += value;
      }
    }
    draw(svg, "path", { class: "edge", d: lines(points) });
    upright(chart, x);
    declutter(svg);
    const rates = seconds.map(second => second.per_second);
    write(one("#rate-told"), rates.length ? `Now ${KINDS.rate(rates.at(-1))}; in the last two minutes from ${KINDS.rate(Math.min(...rates))} to ${KINDS.rate(Math.max(...rates))}.` : "");
  };
  // A point for each second, and none where a second is missing.
  const spaced = point => seconds.flatMap((second, i) => {
    const gap = i && second.at_ms - seconds[i - 1].at_ms > 2500;
    return gap ? [null, point(second)] : [point(second)];
  });

  const lowest = band => {
    const bucket = band * 32, shift = Math.max(0, Math.floor(bucket / 128) - 1);
    return (bucket - shift * 128) * 2 ** shift;
  };
  let ramp = [];
  const readRamp = () => {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const gradient = probe.createLinearGradient(0, 0, 64, 0);
    const sample = document.createElement("i");
    document.body.append(sample);
    for (let i = 0; i < 5; i++) {
      sample.style.color = `var(--h${i})`;
      gradient.addColorStop(i / 4, getComputedStyle(sample).color);
    }
    sample.remove();
    probe.fillStyle = gradient;
    probe.fillRect(0, 0, 64, 1);
    const { data } = probe.getImageData(0, 0, 64, 1);
    ramp = Array.from({ length: 64 }, (_, i) => `rgb(${data[4 * i]} ${data[4 * i + 1]} ${data[4 * i + 2]})`);
  };
  const drawHeat = () => {
    const figure = one(".heat");
    const chart = begin(figure);
    const { svg, width, height, bottom } = chart;
    const told = seconds.filter(second => second.requests);
    let low = Math.min(...told.map(second => second.bands.first));
    let high = Math.max(...told.map(second => second.bands.first + second.bands.counts.length));
    if (!told.length) [low, high] = [40, 76];
    while (high - low < 16) { high++; if (low > 4 && high - low < 16) low--; }
    const [from, to] = [Math.log2(Math.max(1, lowest(low))), Math.log2(lowest(high))];
    const y = ns => bottom - bottom * (Math.log2(Math.max(1, ns)) - from) / (to - from);
    const canvas = one("canvas", figure), ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    const x = timeAxis(chart);
    const column = (width - LEFT) / (SHOWN_MS / 1000);
    const most = Math.log1p(Math.max(1, ...told.map(second => Math.max(...second.bands.counts))));
    seconds.forEach((second, i) => {
      if (!second.requests) return;
      // From where the one before has ended: some are a little longer.
      const before = seconds[i - 1]?.at_ms ?? 0;
      const begun = second.at_ms - before < 1600 ? x(before) : x(second.at_ms) - column;
      const left = Math.round(begun * ratio), right = Math.round(x(second.at_ms) * ratio);
      second.bands.counts.forEach((requests, i) => {
        if (!requests) return;
        const band = second.bands.first + i;
        const top = Math.round(y(lowest(band + 1)) * ratio), under = Math.round(y(lowest(band)) * ratio);
        pen.fillStyle = ramp[Math.round(63 * Math.log1p(requests) / most)];
        pen.fillRect(Math.max(left, LEFT * ratio), top, right - Math.max(left, LEFT * ratio), under - top);
      });
    });
    for (const ns of ticks(2 ** from, 2 ** to)) {
      draw(svg, "path", { class: "grid", d: `M${LEFT} ${Math.round(y(ns)) + 0.5}H${width}` });
      draw(svg, "text", { class: "end", x: LEFT - 8, y: Math.max(9, y(ns) + 4) }, time(ns).replace(/\.0+ /, " "));
    }
    for (const field of ["p99_ns", "p50_ns"]) {
      const d = lines(spaced(second => second.requests ? [x(second.at_ms) - column / 2, y(second[field])] : null));
      draw(svg, "path", { class: "halo", d });
      draw(svg, "path", { class: field.slice(0, 3), d });
    }
    upright(chart, x);
    declutter(svg);
    const last = told.at(-1);
    write(one("#heat-told"), last ? `In the last second with requests half took up to ${time(last.p50_ns)}, 99 % up to ${time(last.p99_ns)}; the longest of two minutes ${time(Math.max(...told.map(second => second.max_ns)))}.` : "No requests.");
  };

  const drawCurve = stats => {
    const chart = begin(one(".curve"));
    const { svg, width, bottom } = chart;
    const waves = stats.charts.windows.filter(told => told.count);
    const ends = waves.map(told => Math.max(Math.log10(told.count), 0.5));
    const nines = Math.max(2, Math.ceil(Math.max(0, ...ends)));
    const values = waves.flatMap(told => [told.curve_ns[0], told.max_ns]);
    const [from, to] = [Math.floor(Math.log10(Math.max(1, Math.min(...values, 1e9)))), Math.ceil(Math.log10(Math.max(...values, 1e3) * 1.01))];
    const x = nine => LEFT + (width - LEFT - 12) * nine / nines;
    const y = ns => 6 + (bottom - 6) * (1 - (Math.log10(Math.max(1, ns)) - from) / (to - from));
    for (let ns = from; ns <= to; ns++) {
      draw(svg, "path", { class: "grid", d: `M${LEFT} ${Math.round(y(10 ** ns)) + 0.5}H${width}` });
      draw(svg, "text", { class: "end", x: LEFT - 8, y: y(10 ** ns) + 4 }, time(10 ** ns).replace(/\.0+ /, " "));
    }
    for (let nine = 0; nine <= nines; nine++) {
      const share = nine < 3 ? [0, 90, 99][nine] : `99.${"9".repeat(nine - 2)}`;
      draw(svg, "path", { class: "grid", d: `M${Math.round(x(nine)) + 0.5} 6V${bottom}` });
      draw(svg, "text", { class: nine === 0 ? "" : nine === nines ? "end" : "middle", x: nine === nines ? width : x(nine), y: bottom + 14 }, `${share} %`);
    }
    const order = ["1s", "10s", "60s", "total"];
    waves.forEach((told, i) => {
      const points = told.curve_ns.map((ns, step) => [x(Math.min(step / 16, ends[i])), y(ns)]);
      points.push([x(ends[i]), y(told.max_ns)]);
      const on = told.name === stats.window.name ? " on" : "";
      const wave = draw(svg, "path", { class: `wave w${order.indexOf(told.name)}${on}`, d: line(points) });
      if (!on) svg.prepend(wave);
    });
    declutter(svg);
  };

  const stack = (element, parts) => {
    while (element.children.length < parts.length) element.append(document.createElement("i"));
    parts.forEach(([name, value], i) => {
      const part = element.children[i];
      part.className = name;
      part.hidden = !value;
      part.style.flexGrow = value;
    });
  };

  // What came, and what is made of it.
  let stats, server, uptime = 0, wanted = false;
  const redraw = () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      if (!stats) return;
      drawRate();
      drawHeat();
      drawCurve(stats);
      tellSecond();
    });
  };
  const take = data => {
    stats = data;
    const { started_at, pid, uptime_seconds } = stats.server;
    const key = `${started_at} ${pid}`;
    // An answer that is given again is older by a second at most than what was told last.
    const isSame = server === key && uptime_seconds > uptime - 2;
    const after = isSame ? seconds.at(-1)?.second ?? 0 : 0;
    for (const second of stats.charts.seconds) {
      if (second.second <= after) continue;
      // The calendar was set back: what had been before lies before all the same.
      const back = second.at_ms <= newest() ? newest() + 1000 - second.at_ms : 0;
      for (const before of back ? seconds : []) before.at_ms -= back;
      marks = marks.map(ms => ms - back);
      seconds.push(second);
    }
    if (server && !isSame) {
      const first = stats.charts.seconds[0];
      marks.push(first ? first.at_ms - 1000 : Date.now());
      const anew = one(".anew");
      write(anew, `The server started anew at ${clock(Date.parse(started_at))}: what counts since the start began at 0 then.`);
      anew.hidden = false;
    }
    server = key;
    uptime = uptime_seconds;
    while (seconds.length && newest() - seconds[0].at_ms >= SHOWN_MS) seconds.shift();
    marks = marks.filter(ms => newest() - ms < SHOWN_MS);
    fill(fixed, stats);
    for (const table of tables) fillTable(table, stats);
    const current = stats.charts.windows.findIndex(told => told.name === stats.window.name);
    tables.find(({ path }) => path === "charts.windows").rows
      .forEach(({ row }, i) => i === current ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current"));
    stack(one("#stage-stack"), ["queue", "head", "handler", "write"].map((name, i) => [`g${i}`, stats.stages[name].mean_ns]));
    stack(one("#status-stack"), ["1xx", "2xx", "3xx", "4xx", "5xx"].map((name, i) => [`s${i + 1}`, stats.status[name]]));
    summarize();
    redraw();
  };

  let summarized = -Infinity;
  const summarize = () => {
    const { requests, latency, status, stalls, imbalance, cores } = stats;
    const when = stats.window.name === "total" ? "since the start" : `over the last ${stats.window.name.replace("s", " s")}`;
    const parts = latency.count
      ? [`${KINDS.rate(requests.mean_per_second)} requests a second ${when}: half within ${time(latency.p50_ns)}, 99 % within ${time(latency.p99_ns)}.`]
      : [`No requests ${when}.`];
    if (status["5xx"]) parts.push(`${count(status["5xx"])} failed with 5xx.`);
    const recent = stalls.filter(stall => newest() - Date.parse(stall.at) < 60000);
    if (recent.length) parts.push(`${recent.length} ${recent.length === 1 ? "stall" : "stalls"} in the last minute.`);
    // Each request may be short all the same.
    const behind = cores.filter(core => core.accept_queue > 10 && core.busy_ratio > 0.9).length;
    if (behind) parts.push(`${count(behind)} of ${count(cores.length)} cores ${behind === 1 ? "has" : "have"} more to do than can be done: connections wait.`);
    if (cores.length > 1 && latency.count >= 200 * cores.length && imbalance.requests > 1.5) parts.push(`One core has ${KINDS.factor(imbalance.requests)} its share of requests.`);
    // A figure and its unit stay on one line.
    const text = parts.join(" ").replace(/ (?=(?:ns|µs|ms|s|min)\b|%)/g, "\u00a0");
    write(one(".summary"), text);
    // Read out now and then, and not each second.
    if (performance.now() - summarized < SUMMARY_MS) return;
    summarized = performance.now();
    write(one("[aria-live]"), text);
  };

  // Following the server, whatever becomes of it.
  let source, heard = -Infinity, isLost = false, again;
  const settings = new URLSearchParams(location.search);
  const state = (isStale, text) => {
    root.classList.toggle("stale", isStale);
    write(one(".state [role=status]"), text);
  };
  const follow = () => {
    clearTimeout(again);
    source?.close();
    const query = new URLSearchParams({ format: "sse", charts: "1" });
    for (const name of ["window", "filter"]) if (settings.has(name)) query.set(name, settings.get(name));
    const opened = source = new EventSource(`?${query}`);
    source.onmessage = event => {
      heard = performance.now();
      isLost = false;
      take(JSON.parse(event.data));
      state(false, "Live");
      write(one(".age"), "");
    };
    // A browser gives up where the answer is no stream of events: a server in between may say so.
    source.onerror = () => {
      isLost = true;
      watch();
      if (opened === source && source.readyState === EventSource.CLOSED) again = setTimeout(follow, 2000);
    };
  };
  const watch = () => {
    const silent = performance.now() - heard;
    if (heard < 0) return state(true, "Connecting");
    if (!isLost && silent < STALE_MS) return;
    state(true, `Stale: ${isLost ? "the connection is lost" : "the server is silent"}, trying again`);
    write(one(".age"), `for ${span(silent / 1000)}`);
  };
  const show = name => {
    for (const link of all("[data-window]")) {
      if (link.dataset.window === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  for (const link of all("[data-window]")) {
    link.addEventListener("click", event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      settings.set("window", link.dataset.window);
      history.replaceState(null, "", `?${settings}`);
      show(link.dataset.window);
      summarized = -Infinity;
      follow();
    });
  }
  for (const figure of all(".rate, .heat")) {
    figure.addEventListener("pointermove", event => {
      const { left, width } = figure.getBoundingClientRect();
      const back = Math.round((1 - (event.clientX - left - LEFT) / (width - LEFT)) * (SHOWN_MS / 1000) - 0.5);
      scrub.value = -Math.min(119, Math.max(0, back));
      redraw();
    });
    figure.addEventListener("pointerleave", () => { scrub.value = 0; redraw(); });
  }
  scrub.addEventListener("input", redraw);
  scrub.addEventListener("focus", tellSecond);
  new ResizeObserver(redraw).observe(one("main"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => { readRamp(); redraw(); });

  root.classList.add("runs");
  write(one(".host"), location.host);
  document.title = `${location.host} – corelane`;
  show(settings.get("window") ?? "total");
  readRamp();
  watch();
  setInterval(watch, 1000);
  follow();
})();
