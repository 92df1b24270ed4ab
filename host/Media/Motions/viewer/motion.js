// Plays skeletons: <figure class="motion" data-joints data-rate data-bones data-sides> with a canvas and controls. Positions are millimetres as 16-bit integers, frame by frame; y is up.
(() => {
  const decode = text => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
  };

  const setUp = figure => {
    const canvas = figure.querySelector('canvas'), bar = figure.querySelector('input[type=range]'), out = figure.querySelector('output');
    const play = figure.querySelector('[data-do=play]'), speed = figure.querySelector('select'), follow = figure.querySelector('[data-do=follow]');
    const count = +figure.dataset.joints, rate = +figure.dataset.rate, bones = JSON.parse(figure.dataset.bones), sides = figure.dataset.sides;
    const data = decode(figure.querySelector('script[type="text/plain"]').textContent.trim()), frames = data.length / (3 * count);
    const at = (frame, joint, axis) => data[(frame * count + joint) * 3 + axis] / 1000;
    const context = canvas.getContext('2d');
    let yaw = 0.55, pitch = 0.22, zoom = 1, time = 0, playing = !matchMedia('(prefers-reduced-motion: reduce)').matches, last = 0, drawn = '', visible = true, following = true;

    // The room: what the whole motion needs, and at least a person.
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (let i = 0; i < data.length; i++) { const axis = i % 3, v = data[i] / 1000; low[axis] = Math.min(low[axis], v); high[axis] = Math.max(high[axis], v); }
    const floor = low[1], height = Math.max(high[1] - low[1], 1), span = Math.max(high[0] - low[0], high[2] - low[2]);
    const half = Math.ceil((span / 2 + 1) * 2) / 2;

    const colour = name => getComputedStyle(figure).getPropertyValue(name).trim();
    const pose = () => {
      const a = Math.min(Math.floor(time), frames - 1), b = Math.min(a + 1, frames - 1), f = Math.min(time - a, 1), points = [];
      for (let j = 0; j < count; j++) points.push([0, 1, 2].map(axis => at(a, j, axis) * (1 - f) + at(b, j, axis) * f));
      return points;
    };

    const draw = () => {
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, tall = canvas.clientHeight;
      const key = [time, yaw, pitch, zoom, following, width, tall, ratio, colour('--ink')].join();
      if (key === drawn || !width) return;
      drawn = key;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(tall * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(tall * ratio); }
      const points = pose(), centre = following ? [points[0][0], floor + height * 0.5, points[0][2]] : [(low[0] + high[0]) / 2, floor + height * 0.5, (low[2] + high[2]) / 2];
      const reach = (following ? height * 0.75 : Math.max(height * 0.75, span * 0.62)) / zoom, distance = reach * 4, scale = Math.min(width * 0.62, tall * 0.95) / (2 * reach);
      const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
      const project = p => {
        const x = p[0] - centre[0], y = p[1] - centre[1], z = p[2] - centre[2];
        const x1 = x * cy - z * sy, z1 = x * sy + z * cy, y1 = y * cp - z1 * sp, z2 = y * sp + z1 * cp;
        const k = distance / Math.max(distance - z2, distance * 0.05);
        return [width / 2 + x1 * scale * k, tall / 2 - y1 * scale * k, k, distance - z2 > distance * 0.06];
      };
      const line = (a, b) => { const p = project(a), q = project(b); if (p[3] && q[3]) { context.moveTo(p[0], p[1]); context.lineTo(q[0], q[1]); } };
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, tall);
      context.lineCap = context.lineJoin = 'round';

      // Floor, one line every half metre, under the middle of the motion.
      const mx = Math.round((low[0] + high[0])) / 2, mz = Math.round((low[2] + high[2])) / 2;
      context.strokeStyle = colour('--floor'); context.lineWidth = 1; context.beginPath();
      for (let g = -half; g <= half + 1e-6; g += 0.5) { line([mx + g, floor, mz - half], [mx + g, floor, mz + half]); line([mx - half, floor, mz + g], [mx + half, floor, mz + g]); }
      context.stroke();

      // The root's way over the floor so far, and the shadow.
      context.strokeStyle = colour('--trail'); context.lineWidth = 2; context.beginPath();
      for (let t = 1; t <= time; t++) line([at(t - 1, 0, 0), floor, at(t - 1, 0, 2)], [at(t, 0, 0), floor, at(t, 0, 2)]);
      context.stroke();
      context.globalAlpha = 0.25; context.strokeStyle = colour('--ink'); context.lineWidth = 4; context.beginPath();
      for (const [a, b] of bones) line([points[a][0], floor, points[a][2]], [points[b][0], floor, points[b][2]]);
      context.stroke();
      context.globalAlpha = 1;

      // Far bones first.
      const names = { l: '--left', r: '--right', m: '--middle' }, depth = p => p[0] * sy * cp + p[2] * cy * cp + p[1] * sp;
      const order = bones.map(([a, b]) => [a, b, depth(points[a]) + depth(points[b])]).sort((a, b) => a[2] - b[2]);
      const thick = scale * 0.035 + 1.5;
      for (const [a, b] of order) {
        context.strokeStyle = colour(names[sides[b]] || '--middle'); context.lineWidth = thick; context.beginPath(); line(points[a], points[b]); context.stroke();
      }
      context.fillStyle = colour('--ink');
      for (let j = 0; j < count; j++) { const p = project(points[j]); if (p[3]) { context.beginPath(); context.arc(p[0], p[1], Math.max(1.5, thick * 0.38 * p[2]), 0, 2 * Math.PI); context.fill(); } }
      // A head, where the skeleton is known to have one.
      if (count === 22) { const p = project(points[15]); context.beginPath(); context.arc(p[0], p[1] - scale * 0.06, scale * 0.085 * p[2], 0, 2 * Math.PI); context.fillStyle = colour('--middle'); context.fill(); }
    };

    const show = () => {
      const frame = Math.min(Math.floor(time), frames - 1);
      if (+bar.value !== frame) bar.value = frame;
      out.textContent = `${frame + 1} / ${frames}, ${(frame / rate).toFixed(2)} s`;
      bar.setAttribute('aria-valuetext', out.textContent);
      play.textContent = playing ? 'Pause' : 'Play';
      follow.setAttribute('aria-pressed', following);
      draw();
    };
    const seek = to => { time = Math.max(0, Math.min(frames - 1, to)); show(); };
    const toggle = () => { playing = !playing; if (playing && time >= frames - 1) time = 0; show(); };
    const tick = now => {
      if (playing && visible && last) {
        time += Math.min(now - last, 100) / 1000 * rate * +speed.value;
        if (time > frames - 1 + rate * 0.4) time = 0;
      }
      last = now;
      show();
      requestAnimationFrame(tick);
    };

    play.onclick = toggle;
    follow.onclick = () => { following = !following; show(); };
    bar.max = frames - 1;
    bar.oninput = () => { playing = false; seek(+bar.value); };
    canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); canvas.dataset.held = '1'; };
    canvas.onpointerup = canvas.onpointercancel = () => { delete canvas.dataset.held; };
    const turn = (x, y) => { yaw += x; pitch = Math.max(-0.2, Math.min(1.5, pitch + y)); show(); };
    canvas.onpointermove = e => { if (canvas.dataset.held) turn(e.movementX * 0.01, e.movementY * 0.01); };
    canvas.addEventListener('wheel', e => { if (!e.ctrlKey && document.activeElement !== canvas) return; e.preventDefault(); zoom = Math.max(0.3, Math.min(6, zoom * Math.exp(-e.deltaY * 0.001))); show(); }, { passive: false });
    canvas.onkeydown = e => {
      const keys = {
        ' ': toggle, k: toggle, ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, 0.08), ArrowDown: () => turn(0, -0.08),
        ',': () => { playing = false; seek(Math.floor(time) - 1); }, '.': () => { playing = false; seek(Math.floor(time) + 1); }, Home: () => seek(0), End: () => { playing = false; seek(frames - 1); },
        '+': () => { zoom = Math.min(6, zoom * 1.15); show(); }, '=': () => { zoom = Math.min(6, zoom * 1.15); show(); }, '-': () => { zoom = Math.max(0.3, zoom / 1.15); show(); },
        f: () => { following = !following; show(); }, 0: () => { yaw = 0.55; pitch = 0.22; zoom = 1; show(); }
      };
      if (keys[e.key] && !e.altKey && !e.metaKey && !e.ctrlKey) { e.preventDefault(); keys[e.key](); }
    };
    new IntersectionObserver(seen => { visible = seen[seen.length - 1].isIntersecting; }).observe(canvas);
    requestAnimationFrame(tick);
  };

  document.querySelectorAll('figure.motion').forEach(setUp);
  const theme = document.querySelector('[data-do=theme]');
  if (theme) theme.onclick = () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
  };
})();
