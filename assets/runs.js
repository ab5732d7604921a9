// What the tab shows already, for the server to leave out; and the curves that are on the page drawn
// into one picture. Text goes to the canvas as text.
(() => {
  const WIDTH = 560;
  const HEIGHT = 280;
  const SCALE = 2;
  const PAD = { left: 64, right: 16, top: 44, bottom: 28 };

  window.studioRunsShown = () =>
    JSON.stringify(
      Object.fromEntries(
        [...document.querySelectorAll("#runs [data-part]")].map(({ dataset }) => [
          dataset.part,
          dataset.shown,
        ]),
      ),
    );

  const colour = (name) =>
    getComputedStyle(document.body).getPropertyValue(`--studio-${name}`).trim() || "#888";
  const percent = (element, side) => parseFloat(element.style[side]) / 100;

  const drawPlot = (pen, plot, left, top) => {
    const body = plot.querySelector(".plot-body");
    const area = {
      x: left + PAD.left,
      y: top + PAD.top,
      w: WIDTH - PAD.left - PAD.right,
      h: HEIGHT - PAD.top - PAD.bottom,
    };
    const caption = plot.querySelector("figcaption");
    pen.textAlign = "left";
    pen.fillStyle = colour("text");
    pen.font = "600 14px system-ui, sans-serif";
    pen.fillText(caption.firstChild.textContent, left + 8, top + 18);
    drawLegend(pen, caption, left + 8, top + 36);
    drawTicks(pen, body, area);
    for (const line of body.querySelectorAll("polyline, path.dot")) drawLine(pen, line, area);
  };

  const cut = (pen, text, width) => {
    let length = text.length;
    const made = () => (length < text.length ? `${text.slice(0, length).trimEnd()}…` : text);
    while (length > 1 && pen.measureText(made()).width > width) length -= 1;
    return made();
  };

  // A name is cut rather than the value after it.
  const drawLegend = (pen, caption, x, y) => {
    pen.font = "12px system-ui, sans-serif";
    const keys = [...caption.querySelectorAll(".key")];
    const share = (WIDTH - 16) / keys.length - 31;
    const all = keys.map((key) => pen.measureText(key.textContent.trim()).width);
    const fits = all.reduce((sum, width) => sum + width + 31, 0) <= WIDTH - 16;
    for (const key of keys) {
      const value = key.querySelector("b")?.textContent ?? "";
      const name = (key.firstChild?.textContent ?? "").trim();
      const room = fits ? WIDTH : share - pen.measureText(` ${value}`).width;
      const text = `${cut(pen, name, room)} ${value}`.trim();
      pen.fillStyle = getComputedStyle(key, "::before").borderTopColor;
      pen.fillRect(x, y - 5, 12, 2);
      pen.fillStyle = colour("text-2");
      pen.fillText(text, x + 17, y);
      x += 17 + pen.measureText(text).width + 14;
    }
  };

  const drawTicks = (pen, body, area) => {
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = colour("text-2");
    pen.strokeStyle = colour("line");
    pen.lineWidth = 1;
    pen.setLineDash([]);
    for (const tick of body.querySelectorAll(".tick-y")) {
      const y = area.y + percent(tick, "top") * area.h;
      pen.beginPath();
      pen.moveTo(area.x, y);
      pen.lineTo(area.x + area.w, y);
      pen.stroke();
      pen.textAlign = "right";
      pen.fillText(tick.textContent, area.x - 8, y + 4);
    }
    pen.textAlign = "center";
    for (const tick of body.querySelectorAll(".tick-x")) {
      pen.fillText(tick.textContent, area.x + percent(tick, "left") * area.w, area.y + area.h + 18);
    }
  };

  const drawLine = (pen, line, area) => {
    const style = getComputedStyle(line);
    const at = (x, y) => [area.x + (x / 100) * area.w, area.y + (y / 100) * area.h];
    pen.strokeStyle = pen.fillStyle = style.stroke;
    pen.globalAlpha = Number(style.opacity);
    if (line.classList.contains("dot")) {
      const [x, y] = line.getAttribute("d").match(/-?[\d.]+/g).map(Number);
      pen.beginPath();
      pen.arc(...at(x, y), 3, 0, 7);
      pen.fill();
    } else {
      pen.lineWidth = parseFloat(style.strokeWidth);
      pen.setLineDash(line.hasAttribute("stroke-dasharray") ? [5, 4] : []);
      pen.beginPath();
      for (const pair of line.getAttribute("points").split(" ")) {
        pen.lineTo(...at(...pair.split(",").map(Number)));
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  };

  // Which runs these are and when they trained, and when the picture was made.
  const LINE = 20;
  const minute = (date) => {
    const two = (number) => String(number).padStart(2, "0");
    const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
  };
  const drawHead = (pen, lines, width) => {
    pen.textAlign = "left";
    lines.forEach((line, place) => {
      pen.font = `${place < lines.length - 1 ? 600 : 400} 13px system-ui, sans-serif`;
      pen.fillStyle = colour(place < lines.length - 1 ? "text" : "text-2");
      pen.fillText(cut(pen, line, width - 16), 8, 20 + place * LINE);
    });
  };

  const picture = (plots, dated) => {
    const lines = [...dated, `Picture of ${minute(new Date())}`];
    const head = 12 + lines.length * LINE;
    const columns = Math.min(2, plots.length);
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH * columns * SCALE;
    canvas.height = (head + HEIGHT * Math.ceil(plots.length / columns)) * SCALE;
    const pen = canvas.getContext("2d");
    pen.scale(SCALE, SCALE);
    pen.fillStyle = colour("surface");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    drawHead(pen, lines, WIDTH * columns);
    plots.forEach((plot, place) => {
      drawPlot(pen, plot, (place % columns) * WIDTH, head + Math.floor(place / columns) * HEIGHT);
    });
    return canvas;
  };

  const save = () => {
    const all = document.querySelector("#run-curves .plots");
    if (!all) return;
    const dated = (all.dataset.dated ?? "").split("\n").filter(Boolean);
    picture([...all.querySelectorAll(".plot")], dated).toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${all.dataset.name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-studio='plots-png']")) save();
  });
})();
