// Forms made from the schema of a model's options, and the input that a verb takes.
import { el, base64Of } from './dom.js';

const field = (name, schema) => {
  const id = `option-${name}`, help = [schema.description, schema.minimum !== undefined ? `${schema.minimum} to ${schema.maximum}.` : '', schema.default === undefined ? 'Empty: the model decides.' : schema.type === 'boolean' || schema.enum ? '' : `Default ${JSON.stringify(schema.default)}.`].filter(Boolean).join(' ');
  const common = { id, name, 'aria-describedby': `${id}-help` };
  const input = schema.type === 'boolean' ? el('input', { ...common, type: 'checkbox', checked: schema.default === true })
    : schema.enum ? el('select', common, schema.default === undefined ? el('option', { value: '' }, '') : null, schema.enum.map(value => el('option', { value, selected: value === schema.default }, String(value))))
      : el('input', { ...common, type: schema.type === 'integer' || schema.type === 'number' ? 'number' : 'text', step: schema.type === 'integer' ? 1 : 'any', min: schema.minimum > -1e300 ? schema.minimum : undefined, max: schema.maximum < 1e300 ? schema.maximum : undefined, placeholder: schema.default ?? 'auto' });
  return schema.type === 'boolean' ? el('label', { class: 'check' }, input, ` ${name.replaceAll('_', ' ')}`, el('br'), el('small', { id: `${id}-help` }, help)) : el('label', {}, name.replaceAll('_', ' '), input, el('small', { id: `${id}-help` }, help));
};

// Fields of the options; read() gives those that differ from the default.
export function optionFields(schema) {
  const properties = Object.entries(schema.properties);
  const element = el('div', { class: 'fields' }, properties.map(([name, property]) => field(name, property)));
  const read = () => Object.fromEntries(properties.map(([name, property]) => {
    const input = element.querySelector(`[name="${name}"]`);
    const value = property.type === 'boolean' ? input.checked : input.value;
    return [name, value === '' || value === property.default ? undefined : value];
  }).filter(([, value]) => value !== undefined));
  return { element, read };
}

const accepts = { audio: 'audio/*', image: 'image/*', video: 'video/*', motion: '.npy', mesh: '.obj', tokens: '.json,.safetensors', tensors: '.safetensors,.npy', items: '.json' };
const types = { wav: 'audio/wav', mp3: 'audio/mpeg', flac: 'audio/flac', ogg: 'audio/ogg', png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', webp: 'image/webp', npy: 'application/x-npy', obj: 'model/obj', safetensors: 'application/vnd.safetensors', mp4: 'video/mp4', txt: 'text/plain' };

// Where the input of a verb comes from: words, a list, a file that is dropped, chosen or recorded. read() gives it as the API takes it.
export function mediaField(kind, label, optional = false) {
  if (kind === 'text') {
    const area = el('textarea', { name: 'input', required: !optional });
    return { element: el('label', {}, label, area), read: async () => area.value || undefined, set: value => { area.value = value; } };
  }

  let file = null, given;
  const name = el('span', { class: 'soft' }), chooser = el('input', { type: 'file', accept: accepts[kind], 'aria-label': `${label}: a file`, onchange: () => take(chooser.files[0]) });
  const area = kind === 'items' || kind === 'tokens' ? el('textarea', { 'aria-label': label, placeholder: kind === 'items' ? '["12", "7", "103"]' : 'What tokenize gave, as JSON' }) : null;
  const take = blob => { file = blob ?? null; given = undefined; name.textContent = file ? `${file === chooser.files[0] ? '' : `${file.name}, `}${Math.ceil(file.size / 1000)} kB` : ''; };
  const drop = el('div', {
    class: 'drop', ondragover: e => { e.preventDefault(); drop.classList.add('over'); }, ondragleave: () => drop.classList.remove('over'),
    ondrop: e => { e.preventDefault(); drop.classList.remove('over'); take(e.dataTransfer.files[0]); },
  }, el('div', { class: 'row' }, chooser, kind === 'audio' ? recorder(take) : null, name), el('span', { class: 'soft' }, 'Or drop a file here.'));
  return {
    element: el('div', { class: 'label' }, label, area, drop),
    set: value => { given = value; if (area) area.value = JSON.stringify(value); name.textContent = 'Taken from the last result.'; },
    read: async () => {
      if (file) {
        const extension = (file.name ?? '').split('.').pop().toLowerCase();
        if (extension === 'json') return JSON.parse(await file.text());
        return { type: types[extension] ?? file.type, data: await base64Of(file) };
      }

      return area?.value ? JSON.parse(area.value) : given;
    },
  };
}

// Records from the microphone, and makes a WAV of it, which every host reads.
function recorder(take) {
  let media = null;
  const button = el('button', {
    type: 'button', onclick: async () => {
      if (media) { media.stop(); return; }
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true }), parts = [];
      media = new MediaRecorder(stream);
      media.ondataavailable = e => parts.push(e.data);
      media.onstop = async () => {
        stream.getTracks().forEach(track => track.stop());
        media = null;
        button.textContent = 'Record';
        const context = new AudioContext(), sound = await context.decodeAudioData(await new Blob(parts).arrayBuffer());
        take(new File([wav(sound.getChannelData(0), sound.sampleRate)], 'recording.wav', { type: 'audio/wav' }));
      };
      media.start();
      button.textContent = 'Stop';
    },
  }, 'Record');
  return button;
}

export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length)), text = (at, value) => [...value].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF'); view.setUint32(4, 36 + 2 * samples.length, true); text(8, 'WAVEfmt '); view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true); text(36, 'data'); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, sample)) * 32767, true));
  return view.buffer;
}
