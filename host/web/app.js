import { get, post, events, Problem } from './api.js';
import { el, say, bytes } from './dom.js';
import { optionFields, mediaField } from './form.js';
import { show, picture } from './views.js';

const main = document.getElementById('main');
const failed = error => el('div', { class: 'error', role: 'alert' }, el('strong', {}, error instanceof Problem && error.status < 500 ? 'That did not work' : 'Something went wrong'), el('p', {}, error instanceof Problem ? error.message : String(error)));
const state = word => el('span', { class: `state ${word.split(' ')[0]}` }, word);
const link = id => `#/model/${id}`;
const wide = table => el('div', { class: 'result' }, table); // scrolls by itself where the screen is narrow
const memory = model => model.mapped_bytes + model.private_bytes + model.device_bytes;
const title = family => family[0].toUpperCase() + family.slice(1).replaceAll('-', ' ');
const flow = (inputs, outputs) => el('p', { class: 'flow' }, inputs.map(kind => el('span', { class: 'kind' }, kind)), el('span', { class: 'soft' }, '→'), outputs.map(kind => el('span', { class: 'kind' }, kind)));

// Few models stand in one grid, under the names of their families; many in a section a family.
const Few = 12;

async function list() {
  const { data } = await get('/v1/models');
  const filter = el('input', { class: 'filter', type: 'search', placeholder: 'Filter by name or paper', 'aria-label': 'Filter models', oninput: () => fill() }), box = el('div', {});
  const only = el('input', { type: 'checkbox', checked: data.some(model => model.state !== 'without weights'), onchange: () => fill() });
  const fill = () => {
    const wanted = filter.value.toLowerCase(), found = data.filter(model => (!only.checked || model.state !== 'without weights') && `${model.id} ${model.paper}`.toLowerCase().includes(wanted));
    if (found.length <= Few) box.replaceChildren(found.length ? el('ul', { class: 'models' }, found.map(model => line(model, title(model.family)))) : el('p', { class: 'empty' }, data.length ? 'No model fits. Other words, or models without weights, may.' : 'No plugin serves a model. `modelzoo plugins` says why.'));
    else box.replaceChildren(...Object.entries(Object.groupBy(found, model => model.family)).map(([family, models]) => el('section', {}, el('h2', {}, title(family), ' ', el('span', { class: 'count' }, String(models.length))), el('ul', { class: 'models' }, models.map(model => line(model))))));
    say(`${found.length} ${found.length === 1 ? 'model' : 'models'}`);
  };
  main.replaceChildren(el('div', { class: 'search' }, filter, el('label', { class: 'check' }, only, ' Only models with weights')), box);
  fill();
}

const line = (model, family) => el('li', {},
  family ? el('p', { class: 'eyebrow' }, family) : null,
  el('div', { class: 'head' }, el('a', { href: link(model.id) }, model.id.split('/')[1]), state(model.state)),
  el('p', {}, model.paper), flow(model.inputs, model.outputs),
  el('p', { class: 'foot' }, [`parity ${model.parity}`, model.device, memory(model) ? `${bytes(memory(model))} in memory` : null].filter(Boolean).join(' · ')));

async function model(id) {
  const [family, name] = id.split('/'), heading = el('h2', { class: 'name' }, el('small', {}, title(family)), name ?? id);
  main.replaceChildren(heading, el('p', { class: 'empty', role: 'status' }, el('span', { class: 'spinner' }), 'Opening the model…'));
  const info = await get(`/v1/models/${id}`), verbs = info.opened?.verbs ?? {};
  const facts = { arXiv: info.arxiv && el('a', { href: `https://arxiv.org/abs/${info.arxiv}`, rel: 'noreferrer' }, info.arxiv), Authors: info.authors, Code: info.repository && (/^[\w.-]+\/[\w.-]+$/.test(info.repository) ? el('a', { href: `https://github.com/${info.repository}`, rel: 'noreferrer' }, info.repository) : info.repository), Licences: [info.code_license && `code ${info.code_license}`, info.weights_license && `weights ${info.weights_license}`].filter(Boolean).join(', '), Deviations: info.deviations === 'none' ? null : info.deviations, Parity: info.parity, Device: info.opened?.device, Parameters: info.opened?.parameters ? info.opened.parameters.toLocaleString('en') : null, Memory: info.opened && memory(info.opened) ? bytes(memory(info.opened)) : null };
  const panel = el('div', { role: 'tabpanel' }), tabs = el('div', { class: 'tabs', role: 'tablist' });
  let last = null;
  const open = (name, focus) => {
    for (const tab of tabs.children) { tab.setAttribute('aria-selected', tab.dataset.verb === name); tab.tabIndex = tab.dataset.verb === name ? 0 : -1; if (tab.dataset.verb === name && focus) tab.focus(); }
    panel.replaceChildren(name === 'evaluate' ? evaluation(id, verbs[name]) : verb(id, name, verbs[name], info.inputs?.split(', ') ?? [], last, tokens => { last = tokens; }));
  };
  for (const name of Object.keys(verbs)) {
    tabs.append(el('button', {
      type: 'button', role: 'tab', 'data-verb': name, onclick: () => open(name, false),
      onkeydown: e => { const names = Object.keys(verbs), step = { ArrowRight: 1, ArrowLeft: -1 }[e.key]; if (step) open(names[(names.indexOf(name) + step + names.length) % names.length], true); },
    }, name));
  }
  main.replaceChildren(heading, el('p', { class: 'lead' }, info.paper), el('dl', { class: 'card' }, Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => [el('div', {}, el('dt', {}, name), el('dd', {}, value))])),
    info.not_opened ? el('p', { class: 'error' }, info.not_opened) : tabs, panel);
  if (Object.keys(verbs).length) open(Object.keys(verbs)[0], false);
}

// One verb: a form, progress, the result, and how to ask for it elsewhere.
function verb(id, name, description, inputs, tokens, remember) {
  const generates = name === 'generate', speaks = inputs.length === 0 || inputs.includes('text'), takes = speaks ? 'media' : inputs[0], options = optionFields(description.schema);
  const input = generates ? mediaField(takes, speaks ? 'File (a picture to edit, a history to extend), where the model takes one' : `Input: ${takes}`, true) : mediaField(name === 'detokenize' ? 'tokens' : description.takes, name === 'detokenize' ? 'Tokens' : 'Input');
  if (name === 'detokenize' && tokens) input.set(tokens);
  const words = el('textarea', { name: 'prompt' }), seed = el('input', { type: 'number', min: 0, step: 1, value: 0, 'aria-label': 'Seed' });
  const run = el('button', { class: 'main', type: 'submit' }, generates ? 'Generate' : name === 'tokenize' ? 'Tokenize' : 'Detokenize'), stop = el('button', { type: 'button', disabled: true }, 'Cancel'), curl = el('button', { type: 'button' }, 'Copy as curl');
  const bar = el('progress', { 'aria-label': 'Progress', hidden: true }), preview = el('div', {}), result = el('div', { class: 'result' }, el('p', { class: 'empty' }, 'What comes out appears here.'));
  const body = async () => ({ ...(generates ? { prompt: words.value || undefined, seed: Number(seed.value) } : {}), input: await input.read(), options: options.read() });
  curl.onclick = async () => {
    const text = JSON.stringify(await body()).replaceAll("'", "'\\''");
    await navigator.clipboard.writeText(`curl -s ${location.origin}/v1/models/${id}/${name} -H 'Content-Type: application/json' -H 'Accept: application/json' -d '${text}'`);
    say('Copied.');
  };

  const form = el('form', {
    onsubmit: async e => {
      e.preventDefault();
      const aborter = new AbortController();
      [run.disabled, stop.disabled, bar.hidden] = [true, false, false];
      stop.onclick = () => aborter.abort();
      bar.removeAttribute('value');
      result.replaceChildren();
      say('Running');
      try {
        const asked = await body(), answer = await post(`/v1/models/${id}/${name}`, asked, { Accept: generates ? 'text/event-stream' : 'application/json' }, aborter.signal);
        const final = generates ? await follow(answer, bar, preview) : await answer.json(), media = final.tokens ?? final.output;
        if (final.tokens) remember(final.tokens);
        result.replaceChildren(el('p', { class: 'soft meta' }, `${final.elapsed_seconds.toFixed(2)} s, seed ${final.run.seed}, plugin ${final.run.provenance.plugin_sha256.slice(0, 12)}, ${final.run.device}`), await show(media, typeof asked.input === 'string' ? asked.input : ''),
          el('details', {}, el('summary', {}, 'Run record'), el('pre', {}, JSON.stringify(final.run, null, 2))));
        say('Done');
      } catch (error) {
        result.replaceChildren(error.name === 'AbortError' ? el('p', {}, 'Cancelled.') : failed(error));
        say(error.name === 'AbortError' ? 'Cancelled' : 'Failed');
      } finally {
        [run.disabled, stop.disabled, bar.hidden] = [false, true, true];
        preview.replaceChildren();
        result.parentElement.scrollIntoView({ block: 'nearest' }); // below the form where the screen is narrow
      }
    },
  }, generates && speaks ? el('label', {}, 'Words, or the name or number of a class', words) : null, generates && speaks ? el('details', {}, el('summary', {}, 'With a file'), input.element) : input.element,
  generates ? el('div', { class: 'label' }, 'Seed', el('div', { class: 'row' }, seed, el('button', { type: 'button', 'aria-label': 'Draw a seed', onclick: () => { seed.value = crypto.getRandomValues(new Uint32Array(1))[0]; } }, '⚄'))) : null,
  Object.keys(description.schema.properties).length ? el('details', { open: Object.keys(description.schema.properties).length <= 6 }, el('summary', {}, 'Options'), options.element) : null, el('div', { class: 'row' }, run, stop, curl), bar);
  return el('div', { class: 'work' }, form, el('div', { class: 'out' }, preview, result));
}

async function follow(answer, bar, preview) {
  for await (const { name, data } of events(answer)) {
    if (name === 'final') return data;
    if (name === 'error') throw new Problem(data.status, data);
    if (data.steps) { bar.max = data.steps; bar.value = data.step; say(`Step ${data.step} of ${data.steps}`); }
    if (data.output?.type === 'image/png') preview.replaceChildren(picture(data.output, `Step ${data.step}`));
  }
  throw new Error('The server ended the stream without a result.');
}

function evaluation(id, description) {
  const data = el('input', { name: 'data', required: true, placeholder: 'a path within the server\'s data folder' }), limit = el('input', { type: 'number', min: 1 }), metrics = el('input', { placeholder: description.default_metrics }), out = el('div', { class: 'result' }, el('p', { class: 'empty' }, 'The evaluation runs on the server, and its result is kept: this page may be closed.'));
  return el('div', { class: 'work' }, el('form', {
    onsubmit: async e => {
      e.preventDefault();
      try {
        const job = await (await post(`/v1/models/${id}/evaluate`, { data: data.value, limit: limit.value ? Number(limit.value) : undefined, metrics: metrics.value ? metrics.value.split(',').map(name => name.trim()) : undefined })).json();
        location.hash = `#/job/${job.id}`;
      } catch (error) { out.replaceChildren(failed(error)); }
    },
  }, el('label', {}, 'Data set', data), el('label', {}, 'Metrics', metrics), el('label', {}, 'Most examples', limit), el('div', { class: 'row' }, el('button', { class: 'main', type: 'submit' }, 'Evaluate'))), el('div', { class: 'out' }, out));
}

async function jobs() {
  const { data } = await get('/v1/jobs');
  main.replaceChildren(el('h2', {}, 'Evaluations'), data.length ? wide(el('table', {}, el('tr', {}, ['job', 'model', 'data', 'state'].map(name => el('th', { scope: 'col' }, name))), data.map(job => el('tr', {}, el('td', {}, el('a', { href: `#/job/${job.id}` }, job.id)), el('td', {}, job.model ?? ''), el('td', {}, job.data ?? ''), el('td', {}, state(job.state)))))) : el('p', { class: 'empty' }, 'No evaluation yet. A model\'s page has a tab that starts one.'));
}

async function job(id) {
  const place = location.hash, bar = el('progress', { 'aria-label': 'Progress' });
  for (;;) {
    const job = await get(`/v1/jobs/${id}`);
    if (location.hash !== place) return;
    if (job.total) { bar.max = job.total; bar.value = job.done; }
    const groups = Object.keys(job.result?.metrics[0]?.groups ?? {});
    main.replaceChildren(el('h2', {}, `Evaluation of ${job.model}`), el('p', {}, `${job.data}: ${job.state}, ${job.done} examples`), job.state === 'running' ? bar : '', job.error ? failed(new Problem(job.error.status, job.error)) : '',
      job.result ? wide(el('table', {}, el('tr', {}, el('th', { scope: 'col' }, 'metric'), groups.map(group => el('th', { scope: 'col' }, group || 'value'))), job.result.metrics.map(metric => el('tr', {}, el('th', { scope: 'row' }, `${metric.name} ${metric.unit ? `(${metric.unit})` : ''}`), groups.map(group => el('td', {}, metric.groups[group] ? `${Number(metric.groups[group].value).toPrecision(5)} (n ${metric.groups[group].n})` : '–')))))) : '');
    if (job.state !== 'running') { say(job.state); return; }
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

async function route() {
  const [, page, ...rest] = location.hash.split('/');
  say('');
  for (const place of document.querySelectorAll('nav a')) place.toggleAttribute('aria-current', place.getAttribute('href') === (page?.startsWith('job') ? '#/jobs' : '#/'));
  try {
    await (page === 'model' ? model(rest.join('/')) : page === 'jobs' ? jobs() : page === 'job' ? job(rest[0]) : list());
  } catch (error) {
    main.replaceChildren(failed(error));
  }
}

addEventListener('hashchange', () => { main.focus(); route(); });
route();
