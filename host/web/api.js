// The server's routes, with the key that the user typed when it asked for one. The key stays in this tab.
const key = () => sessionStorage.getItem('key');

export class Problem extends Error {
  constructor(status, problem) { super(problem?.detail ?? problem?.error ?? `The server answered ${status}.`); this.status = status; this.problem = problem; }
}

export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key() ? { Authorization: `Bearer ${key()}` } : {}) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  if (answer.status === 401) {
    const given = prompt('This server needs a key:');
    if (given) { sessionStorage.setItem('key', given); return ask(path, options); }
  }
  throw new Problem(answer.status, await answer.json().catch(() => null));
}

export const get = async path => (await ask(path)).json();

export const post = (path, body, headers = {}, signal = undefined) => ask(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers }, signal });

// Server-sent events of an answer, one {name, data} after the other.
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = '', chunk; !(chunk = await reader.read()).done;) {
    text += chunk.value;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const event = { name: 'message', data: '' };
      for (const line of text.slice(0, end).split('\n')) {
        if (line.startsWith('event: ')) event.name = line.slice(7);
        if (line.startsWith('data: ')) event.data += line.slice(6);
      }
      yield { name: event.name, data: JSON.parse(event.data) };
    }
  }
}
