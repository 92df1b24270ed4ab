// Surfaces and point clouds on a canvas: faces far to near, as bright as they face the light. Drag or arrow keys turn it, the wheel or plus and minus bring it near.
import { el } from './dom.js';

const width = 640, height = 480;

// The points and faces of a Wavefront file.
function read(text) {
  const points = [], faces = [];
  for (const line of text.split('\n')) {
    const [kind, ...rest] = line.trim().split(/\s+/);
    if (kind === 'v') points.push(rest.slice(0, 3).map(Number));
    if (kind === 'f') faces.push(rest.map(index => parseInt(index, 10) - 1));
  }
  return { points, faces };
}

// Into a ball of radius 1 around the middle.
function centred(points) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const point of points) point.forEach((value, axis) => { low[axis] = Math.min(low[axis], value); high[axis] = Math.max(high[axis], value); });
  const middle = low.map((value, axis) => (value + high[axis]) / 2);
  let reach = 0;
  for (const point of points) reach = Math.max(reach, Math.hypot(...point.map((value, axis) => value - middle[axis])));
  return points.map(point => point.map((value, axis) => (value - middle[axis]) / (reach || 1)));
}

export function mesh(text) {
  const { points, faces } = read(text), model = centred(points);
  const what = `${points.length} points${faces.length ? ` and ${faces.length} faces` : ''}`;
  const canvas = el('canvas', { width, height, tabindex: 0, class: 'picture mesh', role: 'img', 'aria-label': `A mesh of ${what}. Arrow keys turn it, plus and minus zoom.` }), context = canvas.getContext('2d');
  let turn = 0.6, tilt = 0.5, zoom = 1;

  const draw = () => {
    const [ct, st, cu, su] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    const seen = model.map(([x, y, z]) => { const x1 = x * ct - z * st, z1 = x * st + z * ct; return [x1, y * cu - z1 * su, y * su + z1 * cu]; }); // the last is towards the eye
    const at = ([x, y]) => [width / 2 + 220 * zoom * x, height / 2 - 220 * zoom * y];
    context.clearRect(0, 0, width, height);
    if (faces.length) surface(seen, at); else cloud(seen, at);
  };

  const surface = (seen, at) => {
    const order = faces.map((face, index) => [index, face.reduce((sum, corner) => sum + seen[corner][2], 0) / face.length]).sort((a, b) => a[1] - b[1]);
    for (const [index] of order) {
      const face = faces[index], [a, b, c] = face.map(corner => seen[corner]);
      const u = b.map((value, axis) => value - a[axis]), v = c.map((value, axis) => value - a[axis]);
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]], length = Math.hypot(...normal) || 1;
      context.fillStyle = context.strokeStyle = `hsl(215 45% ${25 + 50 * Math.abs(0.3 * normal[0] + 0.5 * normal[1] + 0.81 * normal[2]) / length}%)`;
      context.beginPath();
      face.forEach((corner, i) => context[i ? 'lineTo' : 'moveTo'](...at(seen[corner])));
      context.closePath();
      context.fill();
      context.stroke(); // no gaps between neighbours
    }
  };

  const cloud = (seen, at) => {
    for (const point of seen.toSorted((a, b) => a[2] - b[2])) {
      const [x, y] = at(point);
      context.fillStyle = `hsl(215 45% ${50 + 25 * point[2]}%)`;
      context.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
  };

  const turned = (right, up) => { turn += right; tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, tilt + up)); draw(); };
  const zoomed = factor => { zoom = Math.max(0.2, Math.min(10, zoom * factor)); draw(); };
  const keys = { ArrowLeft: () => turned(-0.1, 0), ArrowRight: () => turned(0.1, 0), ArrowUp: () => turned(0, 0.1), ArrowDown: () => turned(0, -0.1), '+': () => zoomed(1.2), '=': () => zoomed(1.2), '-': () => zoomed(1 / 1.2) };
  canvas.onkeydown = e => { if (keys[e.key] && !e.ctrlKey && !e.metaKey) { e.preventDefault(); keys[e.key](); } };
  canvas.onpointerdown = e => canvas.setPointerCapture(e.pointerId);
  canvas.onpointermove = e => { if (e.buttons) turned(e.movementX * 0.01, e.movementY * 0.01); };
  canvas.addEventListener('wheel', e => { if (document.activeElement === canvas) { e.preventDefault(); zoomed(e.deltaY < 0 ? 1.1 : 1 / 1.1); } }, { passive: false }); // else the page scrolls
  draw();
  return el('figure', { class: 'mesh' }, canvas, el('figcaption', { class: 'soft' }, `${what}. Drag or use the arrow keys to turn it, plus and minus to zoom.`));
}
