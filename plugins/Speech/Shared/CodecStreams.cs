using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>A network whose layers go on where the last chunk left them; see <see cref="StreamState"/>. One stream at a time.</summary>
/// <param name="networks">The network of a first chunk, and that of the others.</param>
internal sealed class ChunkedNetwork(Func<bool, Network> networks)
{
    private (string, Tensor)[]? _state;

    /// <summary>Runs a chunk.</summary>
    public async Task<NetworkOutputs> RunAsync(string input, Tensor chunk, CancellationToken cancel)
    {
        var outputs = await networks(_state is null).RunAsync(cancel, [(input, chunk), .. _state ?? []]).ConfigureAwait(false);
        const string Next = "next_";
        _state = [.. outputs.ToResults().Values.Where(pair => pair.Key.StartsWith(Next, StringComparison.Ordinal)).Select(pair => ($"state_{pair.Key[Next.Length..]}", (Tensor)pair.Value))];
        return outputs;
    }
}

/// <summary>What causal codecs do the same when sound or tokens come in pieces.</summary>
internal static class CodecStreams
{
    /// <summary>The pieces of a stream through a codec. Pieces become whole frames, <paramref name="least"/> at first; only the last may end within a frame.</summary>
    /// <param name="chunks">Pieces (B, C, T) of any length.</param>
    /// <param name="multiple">Length of a frame.</param>
    /// <param name="least">Frames that the first run needs to start as the whole would.</param>
    /// <param name="run">One piece; true when it is all there is and too short for a stream.</param>
    /// <param name="cancel">Stops the stream.</param>
    public static async IAsyncEnumerable<Tensor<TOut>> ThroughAsync<TIn, TOut>(
        this IAsyncEnumerable<Tensor<TIn>> chunks, int multiple, int least, Func<Tensor<TIn>, bool, Task<Tensor<TOut>>> run, [EnumeratorCancellation] CancellationToken cancel = default)
        where TIn : unmanaged where TOut : unmanaged
    {
        var waiting = new List<Tensor<TIn>>();
        var first = true;
        await foreach (var chunk in chunks.WithCancellation(cancel).ConfigureAwait(false))
        {
            if (chunk.Length > 0) waiting.Add(chunk);
            var length = (int)waiting.Sum(piece => piece.Shape[2]);
            var ready = length / multiple * multiple;
            if (ready < (first ? least : 1) * multiple) continue;
            var joined = waiting.Join();
            waiting.Clear();
            if (ready < length) waiting.Add(joined.Window(ready, length - ready));
            yield return await run(joined.TakeLast(ready), false).ConfigureAwait(false);
            first = false;
        }

        if (waiting.Count > 0) yield return await run(waiting.Join(), first).ConfigureAwait(false);
    }

    /// <summary>The samples (1, channels, T) of sound that comes in pieces.</summary>
    /// <exception cref="MediaException">A piece has another sampling rate: pieces alone cannot be resampled as the whole would be.</exception>
    public static async IAsyncEnumerable<Tensor<float>> SamplesAsync(this IAsyncEnumerable<Media> chunks, int sampleRate, int channels, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var chunk in chunks.WithCancellation(cancel).ConfigureAwait(false))
        {
            var audio = chunk.Expect<Audio>();
            if (audio.SampleRate != sampleRate)
                throw new MediaException(ErrorCodes.MediaUnsupported, "A stream of sound must have the codec's sampling rate.") { Expected = $"{sampleRate} Hz", Found = $"{audio.SampleRate} Hz", Remedy = "Resample before cutting it into pieces." };
            if (audio.Length == 0) continue;
            yield return Resampler.Convert(audio, sampleRate, channels).Samples.Reshape(1, channels, audio.Length);
        }
    }

    /// <summary>Pieces of a tensor (B, C, T), as a stream.</summary>
    public static async IAsyncEnumerable<Tensor<T>> InPieces<T>(this Tensor<T> whole, int length) where T : unmanaged
    {
        for (var start = 0; start < whole.Shape[2]; start += length) yield return whole.Window(start, (int)Math.Min(length, whole.Shape[2] - start));
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <summary>All pieces of a stream as one tensor.</summary>
    public static async Task<Tensor<T>> JoinAsync<T>(this IAsyncEnumerable<Tensor<T>> pieces) where T : unmanaged
    {
        var all = new List<Tensor<T>>();
        await foreach (var piece in pieces.ConfigureAwait(false)) all.Add(piece);
        return all.Join();
    }
}
