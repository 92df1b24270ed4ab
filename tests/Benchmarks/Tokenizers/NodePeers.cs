using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ModelZoo.Benchmarks.Tokenizers;

/// <summary>Encoders of npm packages, run by node beside ours.</summary>
/// <param name="npm">Folder with node_modules.</param>
internal sealed class NodePeers(string npm)
{
    // Best of three; the ids' SHA-256 tells whether they are ours.
    private const string Script = """
        const [kind, name, file] = process.argv.slice(-3), fs = require('fs'), crypto = require('crypto');
        const text = fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
        let encode;
        if (kind === 'tiktoken') { const e = require('tiktoken').get_encoding(name); encode = t => e.encode(t, [], []); }
        if (kind === 'gpt-tokenizer') { const e = require('gpt-tokenizer/cjs/encoding/' + name); encode = t => e.encode(t, { disallowedSpecial: new Set() }); }
        let best = Infinity, ids;
        for (let i = 0; i < 3; i++) { const s = process.hrtime.bigint(); ids = encode(text); best = Math.min(best, Number(process.hrtime.bigint() - s) / 1e9); }
        console.log(best, crypto.createHash('sha256').update(Buffer.from(Uint32Array.from(ids).buffer)).digest('hex'));
        """;

    /// <summary>Seconds, and the digest of the ids; NaN and null when it fails or takes longer than half a minute.</summary>
    public (double Seconds, string? Digest) Encode(string package, string encoding, string file)
    {
        var start = new ProcessStartInfo("timeout", ["30", "node", "-e", Script, "--", package, encoding, Path.GetFullPath(file)]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = npm };
        using var process = Process.Start(start)!;
        var words = process.StandardOutput.ReadToEnd().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        return words is [var seconds, var digest] ? (double.Parse(seconds, CultureInfo.InvariantCulture), digest) : (double.NaN, null);
    }

    /// <summary>SHA-256 over ids as 32-bit numbers.</summary>
    public static string Digest(ReadOnlySpan<int> ids) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(ids)));
}
