// Media to look at and listen to.
import { el, bytesOf } from './dom.js';
import { ask } from './api.js';
import { mesh } from './mesh.js';

const url = media => URL.createObjectURL(new Blob([bytesOf(media.data)], { type: media.type }));
const download = (href, name) => el('p', {}, el('a', { href, download: name }, `Download ${name}`));

// Any media as an element.
export async function show(media, words = '') {
  if (typeof media === 'string') return el('div', {}, el('pre', {}, media));
  if (media?.format === 'modelzoo.tokens/1') return tokens(media, words);
  if (media?.ids) return items(media);
  if (media?.type === 'image/png') return picture(media);
  if (media?.type === 'audio/wav') return sound(media);
  if (media?.type === 'application/x-npy') return motion(media);
  if (media?.type === 'model/obj') return el('div', {}, mesh(new TextDecoder().decode(bytesOf(media.data))), download(url(media), 'result.obj'));
  return media?.data ? download(url(media), 'result.safetensors') : el('pre', {}, JSON.stringify(media, null, 2));
}

export function picture(media, alt = 'The result') {
  const src = url(media), image = el('img', { class: 'picture', src, alt, onload: () => { if (image.naturalWidth < 256) image.classList.add('tiny'); } });
  return el('div', {}, image, download(src, 'result.png'));
}

async function sound(media) {
  const src = url(media), canvas = el('canvas', { class: 'wave', width: 1000, height: 80, role: 'img', 'aria-label': 'Waveform' });
  const data = await new OfflineAudioContext(1, 1, 44100).decodeAudioData(bytesOf(media.data).buffer), samples = data.getChannelData(0), context = canvas.getContext('2d');
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent');
  for (let x = 0; x < 1000; x++) {
    let low = 0, high = 0;
    for (let i = Math.floor(x * samples.length / 1000); i < (x + 1) * samples.length / 1000; i++) { low = Math.min(low, samples[i]); high = Math.max(high, samples[i]); }
    context.fillRect(x, 40 - high * 40, 1, Math.max(1, (high - low) * 40));
  }
  return el('div', {}, canvas, el('audio', { controls: true, src }), download(src, 'result.wav'));
}

// The server knows the skeleton; its figure is played by its own script.
async function motion(media) {
  const box = el('div', {});
  box.innerHTML = await (await ask('/v1/figure', { method: 'POST', body: bytesOf(media.data), headers: { 'Content-Type': media.type } })).text();
  setTimeout(() => document.body.append(el('script', { src: '/motion.js' })));
  box.append(download(url(media), 'result.npy'));
  return box;
}

// Ids: a row a codebook, a column a frame, a colour an id; text tokens in their places.
function tokens(media, words) {
  const flat = media.ids.flat(Infinity), rows = media.shape.length > 1 ? media.shape[media.shape.length - 2] * (media.shape.length > 2 ? media.shape[0] : 1) : 1, columns = Math.max(1, flat.length / rows);
  const sizes = media.vocabulary_sizes, same = sizes.every(size => size === sizes[0]);
  const parts = [el('p', {}, el('strong', {}, `${flat.length.toLocaleString('en')} tokens`), ` · ${media.shape.length > 1 ? `${media.shape.join(' × ')} · ` : ''}vocabulary ${same ? `${sizes.length > 1 ? `${sizes.length} × ` : ''}${sizes[0].toLocaleString('en')}` : sizes.join(', ')}${media.spans && words ? ` · ${([...words].length / Math.max(1, flat.length)).toFixed(1)} characters a token` : ''}`)];
  if (media.spans && words) {
    // A character of several tokens stands in the first; the others are marks beside it.
    let shown = 0;
    parts.push(el('p', { class: 'tokens' }, media.spans.map(([start, end], i) => {
      const text = words.slice(Math.max(start, shown), end), part = el('span', { class: text ? 'token' : 'token part', title: `id ${flat[i]}` }, text || '·');
      shown = Math.max(shown, end);
      return text || !media.extras?.piece_lengths ? part : null; // bytes of a piece stand in its first
    })));
  } else {
    const canvas = el('canvas', { class: 'ids', width: columns, height: rows, role: 'img', 'aria-label': `${rows} x ${columns} tokens, a colour an id` }), context = canvas.getContext('2d');
    flat.forEach((id, i) => { context.fillStyle = `hsl(${(id * 137.5) % 360} 65% 55%)`; context.fillRect(i % columns, Math.floor(i / columns), 1, 1); });
    canvas.style.setProperty('height', `${Math.max(24, Math.min(320, rows * 16))}px`);
    parts.push(canvas);
  }
  return el('div', {}, parts, el('details', {}, el('summary', {}, 'Ids'), el('pre', {}, JSON.stringify(media.ids))));
}

const items = media => el('table', {}, el('caption', {}, 'Items, best first'), el('tr', {}, el('th', { scope: 'col' }, 'rank'), el('th', { scope: 'col' }, 'item'), media.scores ? el('th', { scope: 'col' }, 'score') : null),
  media.ids.map((id, i) => el('tr', {}, el('td', {}, String(i + 1)), el('td', {}, id), media.scores ? el('td', {}, media.scores[i].toFixed(4)) : null)));
