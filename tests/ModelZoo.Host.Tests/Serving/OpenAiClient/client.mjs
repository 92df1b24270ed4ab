// What a user of the npm package `openai` writes, against the server named in OPENAI_BASE_URL; what came back is one JSON object.
import OpenAI from 'openai';

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: 'user', content: 'once upon a time' }];
const came = {};

came.list = [];
for await (const model of client.models.list()) came.list.push([model.id, model.object]);
const one = await client.models.retrieve('test/story');
came.retrieve = [one.id, one.object, typeof one.created, typeof one.owned_by];

const chat = await client.chat.completions.create({ model: 'test/story', messages, max_completion_tokens: 6, temperature: 0.5, seed: 3 });
came.chat = [chat.object, chat.choices[0].message.role, chat.choices[0].message.content, chat.choices[0].finish_reason];
const stream = await client.chat.completions.create({ model: 'test/story', messages, max_completion_tokens: 6, stream: true, stream_options: { include_usage: true } });
came.chunks = [];
for await (const chunk of stream) came.chunks.push([chunk.object, chunk.choices[0]?.delta.content ?? null, chunk.choices[0]?.finish_reason ?? null, chunk.usage?.total_tokens ?? null]);

// The helper that puts a stream together again is the strictest reader of chunks.
const runner = client.chat.completions.stream({ model: 'test/story', messages, max_completion_tokens: 6 });
came.runner = (await runner.finalChatCompletion()).choices[0].message.content;

came.completion = (await client.completions.create({ model: 'test/story', prompt: 'a b c', max_tokens: 4 })).choices[0].text;
came.completionChunks = [];
for await (const chunk of await client.completions.create({ model: 'test/story', prompt: 'a b c', max_tokens: 4, stream: true })) came.completionChunks.push(chunk.choices[0].text);

// An answer that is given up in the middle.
const long = await client.chat.completions.create({ model: 'test/story', messages, max_completion_tokens: 100000, delay: 20, stream: true });
came.givenUp = 0;
for await (const chunk of long) if (++came.givenUp === 3) break;

const pictures = await client.images.generate({ model: 'test/picture', prompt: 'a dot', n: 2, response_format: 'b64_json' });
const [link] = (await client.images.generate({ model: 'test/picture', prompt: 'a dot', response_format: 'url' })).data;
came.link = Buffer.from(await (await fetch(link.url)).arrayBuffer()).subarray(1, 4).toString();
came.images = pictures.data.map(picture => Buffer.from(picture.b64_json, 'base64').subarray(1, 4).toString());

for (const format of ['wav', 'pcm']) {
  const speech = await client.audio.speech.create({ model: 'test/tone', voice: 'alloy', input: 'hello', response_format: format });
  const bytes = Buffer.from(await speech.arrayBuffer());
  came[format] = [speech.headers.get('content-type'), bytes.subarray(0, 4).toString('latin1'), bytes.length];
}

// Without a format the package asks for base64 and decodes it.
const vectors = await client.embeddings.create({ model: 'test/vector', input: ['a cab', 'bed'] });
came.embeddings = vectors.data.map(item => [item.index, Array.from(item.embedding)]);
came.floats = (await client.embeddings.create({ model: 'test/vector', input: 'a cab', encoding_format: 'float' })).data[0].embedding;

came.errors = [];
for (const call of [
  () => client.chat.completions.create({ model: 'test/none', messages }),
  () => client.chat.completions.create({ model: 'test/story', messages, top_k: 4 }),
  () => client.chat.completions.create({ model: 'test/story', messages, temperature: 9 }),
  () => client.images.generate({ model: 'test/story', prompt: 'a dot' }),
  () => client.models.retrieve('test/none'),
]) {
  try {
    await call();
    came.errors.push(null);
  } catch (error) {
    came.errors.push([error.constructor.name, error.status, error.code ?? null, error.type ?? null, error.param ?? null, error.requestID !== null]);
  }
}

console.log(JSON.stringify(came));
