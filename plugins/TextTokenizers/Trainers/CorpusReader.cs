using System.Text;
using System.Text.Unicode;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Reads a corpus in blocks of whole lines, and counts the pieces of a well-known pattern on all cores without making strings of them.</summary>
internal static class CorpusReader
{
    private const int BlockBytes = 4 << 20;

    /// <summary>Pieces of each line, its end included, in <see cref="Pipeline.ByteAlphabet"/>, and how often each occurs.</summary>
    /// <param name="files">The corpus; bytes that are no UTF-8 count as U+FFFD.</param>
    /// <param name="pattern">Cuts lines.</param>
    /// <param name="progress">Told the bytes that are counted.</param>
    /// <param name="cancel">Stops between two blocks.</param>
    public static IReadOnlyList<KeyValuePair<string, long>> Count(IEnumerable<string> files, KnownPattern pattern, Action<long> progress, CancellationToken cancel)
    {
        var total = new PieceCounter();
        var done = 0L;
        Parallel.ForEach(
            Blocks(files),
            new() { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount },
            static () => new PieceCounter(),
            (block, _, counter) =>
            {
                Count(Utf8.IsValid(block) ? block : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(block)), pattern, counter);
                progress(Interlocked.Add(ref done, block.Length));
                return counter;
            },
            counter =>
            {
                lock (total) total.Add(counter);
            });
        return total.ToWords();
    }

    /// <summary>Lines with their ends, in order.</summary>
    public static IEnumerable<string> Lines(IEnumerable<string> files) => Blocks(files).SelectMany(static block => Lines(Encoding.UTF8.GetString(block)));

    private static IEnumerable<string> Lines(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start) is >= 0 and var newline ? newline + 1 : text.Length;
            yield return text[start..end];
            start = end;
        }
    }

    // A block ends with a line, unless one line is longer than a block and the buffer has grown to hold it.
    private static IEnumerable<byte[]> Blocks(IEnumerable<string> files)
    {
        foreach (var file in files)
        {
            using var stream = File.OpenRead(file);
            var rest = Array.Empty<byte>();
            while (true)
            {
                var block = new byte[rest.Length + BlockBytes];
                rest.CopyTo(block, 0);
                var read = stream.ReadAtLeast(block.AsSpan(rest.Length), BlockBytes, throwOnEndOfStream: false);
                var length = rest.Length + read;
                if (read < BlockBytes)
                {
                    if (length > 0) yield return block[..length];
                    break;
                }

                var end = Array.LastIndexOf(block, (byte)'\n') + 1;
                rest = block[end..];
                if (end > 0) yield return block[..end];
            }
        }
    }

    private static void Count(byte[] block, KnownPattern pattern, PieceCounter counter)
    {
        switch (pattern)
        {
            case KnownPattern.Gpt2: Count<Gpt2Scanner>(block, counter); break;
            case KnownPattern.Llama3: Count<Cl100kScanner<KnownPatterns.Llama3Options>>(block, counter); break;
            case KnownPattern.Qwen: Count<Cl100kScanner<KnownPatterns.QwenOptions>>(block, counter); break;
            case KnownPattern.O200k: Count<O200kScanner<KnownPatterns.Llama3Options>>(block, counter); break;
            default: throw new ArgumentOutOfRangeException(nameof(pattern), pattern, "No scanner.");
        }
    }

    private static void Count<TScanner>(byte[] block, PieceCounter counter) where TScanner : IPieceScanner
    {
        using var padded = new RentedArray<byte>(block.Length + BytePairEncoder.Padding);
        block.CopyTo(padded.Span);
        Span<int> ends = stackalloc int[2 * CharacterBlock.Size];
        for (var start = 0; start < block.Length;)
        {
            var newline = block.AsSpan(start).IndexOf((byte)'\n');
            var line = padded.Span.Slice(start, newline < 0 ? block.Length - start : newline + 1);
            for (var (at, first) = (0, 0); at < line.Length;)
            {
                foreach (var end in ends[..PieceCutter.Cut<TScanner>(line, ref at, ends)])
                {
                    counter.Add(line[first..end]);
                    first = end;
                }
            }

            start += line.Length;
        }
    }
}
