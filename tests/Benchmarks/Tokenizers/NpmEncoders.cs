using System.Diagnostics;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>Every encoder of the npm packages that is found, over many files in one node process; and their vocabularies, written as files that we read.</summary>
internal static class NpmEncoders
{
    // Arguments: folder for vocabularies, file with a list of texts, file with a list of tokenizer.json. Lines out: encoder, file, SHA-256 of the ids.
    private const string Script = """
        import fs from 'fs'; import crypto from 'crypto'; import path from 'path'; import { createRequire } from 'module';
        const require = createRequire(process.cwd() + '/'), [out, list, jsons] = process.argv.slice(-3);
        const lines = f => fs.readFileSync(f, 'utf8').split('\n').filter(x => x), found = async f => { try { return await f(); } catch (e) { console.error('left out: ' + String(e.message ?? e).split('\n')[0]); } };
        const encoders = {};
        const tt = await found(() => require('tiktoken')); const names = ['cl100k_base', 'o200k_base', 'p50k_base', 'r50k_base'];
        if (tt) for (const n of names) { const e = tt.get_encoding(n); encoders['tiktoken ' + n] = t => e.encode(t, [], []); }
        for (const n of names) { const e = await found(() => require('gpt-tokenizer/cjs/encoding/' + n)); if (e) encoders['gpt-tokenizer ' + n] = t => e.encode(t, { disallowedSpecial: new Set() }); }
        const claude = await found(() => require('@anthropic-ai/tokenizer')); if (claude) { const e = claude.getTokenizer(); encoders['@anthropic-ai/tokenizer'] = t => e.encode(t.normalize('NFKC'), [], []); }
        const write = (name, model, extra) => { const f = path.join(out, name + '.json'); fs.writeFileSync(f, JSON.stringify({ version: '1.0', truncation: null, padding: null, added_tokens: [], post_processor: null, ...extra, model })); return f; };
        const pairs = (m, join) => [...m.entries()].sort((a, b) => a[1] - b[1]).map(([k]) => k);
        const bpe = (t, more) => ({ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: false, ignore_merges: false, ...more,
          vocab: Object.fromEntries(t.vocabById.map((x, i) => [x, i])), merges: pairs(t.merges) });
        const spaces = { normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }, { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }] }, pre_tokenizer: null, decoder: null };
        for (const name of ['llama-tokenizer-js', 'mistral-tokenizer-js']) {
          const t = (await found(() => import(require.resolve(name))))?.default; if (!t) continue;
          write(name, bpe(t, { unk_token: '<unk>', byte_fallback: true }), spaces); encoders[name] = x => t.encode(x, false, true);
        }
        const l3 = (await found(() => import(require.resolve('llama3-tokenizer-js'))))?.default;
        if (l3) {
          const split = { type: 'Split', pattern: { Regex: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" }, behavior: 'Isolated', invert: false };
          write('llama3-tokenizer-js', bpe(l3, { fuse_unk: false, ignore_merges: true }), { normalizer: null, decoder: null, pre_tokenizer: { type: 'Sequence', pretokenizers: [split, { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }] } });
          encoders['llama3-tokenizer-js'] = x => l3.encode(x, { bos: false, eos: false });
        }
        const native = await found(() => require('tokenizers'));
        for (const f of lines(jsons)) {
          if (native) { const t = await found(() => native.Tokenizer.fromFile(f)); if (t) encoders['tokenizers ' + f] = async x => (await t.encode(x, null, { addSpecialTokens: false })).getIds(); }
        }
        for (const f of lines(list)) {
          const text = fs.readFileSync(f, 'utf8').replace(/^\uFEFF/, '');
          for (const [name, encode] of Object.entries(encoders)) {
            const ids = await found(() => encode(text)); if (!ids) continue;
            console.log([name, f, crypto.createHash('sha256').update(Buffer.from(Uint32Array.from(ids).buffer)).digest('hex'), ids.length].join('\t'));
          }
        }
        """;

    /// <summary>The ids' digests by encoder and file; vocabularies go to <paramref name="folder"/>.</summary>
    public static IReadOnlyList<(string Encoder, string File, string Digest, int Tokens)> Run(string npm, string folder, IReadOnlyList<string> texts, IReadOnlyList<string> tokenizers, TextWriter log)
    {
        var (script, list, jsons) = (Path.Combine(folder, "encode.mjs"), Path.Combine(folder, "texts.txt"), Path.Combine(folder, "tokenizers.txt"));
        File.WriteAllText(script, Script);
        File.WriteAllLines(list, texts);
        File.WriteAllLines(jsons, tokenizers);
        using var process = Process.Start(new ProcessStartInfo("node", [script, folder, list, jsons]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = npm })!;
        var errors = process.StandardError.ReadToEndAsync();
        var rows = new List<(string, string, string, int)>();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split('\t') is [var encoder, var file, var digest, var tokens]) rows.Add((encoder, file, digest, int.Parse(tokens, System.Globalization.CultureInfo.InvariantCulture)));
        }

        process.WaitForExit();
        if (errors.IsCompletedSuccessfully && errors.Result.Length > 0) log.Write(errors.Result);
        return rows;
    }
}
