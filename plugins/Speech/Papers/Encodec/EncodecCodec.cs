using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>Chunks, scales and networks: what turns samples into codes and codes into samples.</summary>
internal sealed class EncodecCodec : IDisposable
{
    private readonly EncodecConfig _config;
    private readonly NetworkContext _context;
    private readonly Network _encoder, _decoder;
    private readonly NetworkCache<bool> _streamEncoders, _streamDecoders;
    private readonly WeightData[] _codebooks;
    private readonly int _shortFrames;

    public EncodecCodec(EncodecConfig config, NetworkContext context)
    {
        (_config, _context) = (config, context);
        (_encoder, _decoder) = (BuildEncoder(Dim.Symbol("samples")), BuildDecoder(Dim.Symbol("frames")));
        _codebooks = [.. Enumerable.Range(0, config.NumQuantizers).Select(i => WeightConversion.ToFloat32(context.Weights.Find($"quantizer.layers.{i}.codebook.embed")!))];
        _shortFrames = config.SeaNet.ShortFrames;
        _streamEncoders = new(first => Network.Build(context, "encodec stream encoder", scope => Encoder(scope, Dim.Symbol("batch"), Dim.Symbol("samples"), config, new(scope.Graph, first))));
        _streamDecoders = new(first => Network.Build(context, "encodec stream decoder", scope => Decoder(scope, Dim.Symbol("batch"), Dim.Symbol("frames"), config, new(scope.Graph, first))));
    }

    /// <summary>True when sound may come in pieces: nothing looks ahead, and no chunk is scaled by its own loudness.</summary>
    public bool Streams => _config.SeaNet.Streams && _config is { Normalize: false, ChunkLength: null };

    public long Parameters => Inventory(_config).Sum(Elements);

    /// <summary>Every tensor of a configuration, without any weights.</summary>
    public static IReadOnlyList<string> Inventory(EncodecConfig config) => Network.Inventory(scope =>
    {
        Encoder(scope, 1, config.SamplingRate, config);
        Decoder(scope, 1, config.FrameRate, config);
    });

    public SessionMemory Memory
    {
        get
        {
            Network[] all = [_encoder, _decoder, .. _streamEncoders.Built, .. _streamDecoders.Built];
            return new(all.Sum(network => network.Session.Memory.MappedBytes), all.Sum(network => network.Session.Memory.PrivateBytes));
        }
    }

    public string VocabularyDigest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var codebook in _codebooks) hash.AppendData(MemoryMarshal.AsBytes(codebook.Span<float>()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>x (B, channels, samples); the mask has ones where there is sound.</summary>
    public async Task<EncodecEncoding> EncodeAsync(Tensor<float> x, int codebooks, Tensor? mask, CancellationToken cancel)
    {
        var length = (int)x.Shape[2];
        var chunkLength = _config.ChunkLength ?? length;
        var stride = _config.ChunkStride ?? length;
        var chunks = new List<Tensor<long>>();
        var scales = new List<float>();
        CallResults? stages = null;
        for (var start = 0; start < length; start += stride)
        {
            var chunk = x.Window(start, Math.Min(chunkLength, length - start));
            if (mask is not null) chunk.Mask(mask, start);
            if (_config.Normalize) scales.AddRange(Normalize(chunk));
            using var network = Short(chunk.Shape[2]) ? BuildEncoder(chunk.Shape[2]) : null;
            var outputs = await (network ?? _encoder).RunAsync(cancel, ("samples", chunk)).ConfigureAwait(false);
            chunks.Add(outputs.Get<long>("codes").TakeRows(codebooks));
            stages ??= outputs.ToResults().Without("codes");
        }

        var batch = x.Shape[0];
        return new(chunks, _config.Normalize ? Tensor.Create([.. scales], chunks.Count, batch, 1) : null, stages);
    }

    /// <summary>Codes to samples (B, channels, samples).</summary>
    public async Task<Tensor<float>> DecodeAsync(EncodecEncoding encoding, CancellationToken cancel)
    {
        var frames = new List<Tensor<float>>();
        for (var i = 0; i < encoding.Chunks.Count; i++)
        {
            var latent = Dequantize(encoding.Chunks[i]);
            using var network = latent.Shape[2] <= _shortFrames ? BuildDecoder(latent.Shape[2]) : null;
            var outputs = await (network ?? _decoder).RunAsync(cancel, ("latent", latent)).ConfigureAwait(false);
            if (i == 0) encoding.Stages.Add("quantized", latent).AddRange(outputs.ToResults().Without("reconstruction"));
            var samples = outputs["reconstruction"];
            if (encoding.Scales is { } scales) Scale(samples, scales.Slice(i).Span);
            frames.Add(samples);
        }

        return _config.ChunkStride is { } stride ? OverlapAdd(frames, stride) : frames[0];
    }

    /// <summary>Latent frames (B, D, T) to samples (B, channels, samples).</summary>
    public async Task<Tensor<float>> DecodeLatentAsync(Tensor<float> latent, CancellationToken cancel)
    {
        using var network = latent.Shape[2] <= _shortFrames ? BuildDecoder(latent.Shape[2]) : null;
        return (await (network ?? _decoder).RunAsync(cancel, ("latent", latent)).ConfigureAwait(false))["reconstruction"];
    }

    /// <summary>Codes (1, Q, T) of sound that comes in pieces (1, channels, T).</summary>
    public IAsyncEnumerable<Tensor<long>> EncodeAsync(IAsyncEnumerable<Tensor<float>> pieces, int codebooks, CancellationToken cancel)
    {
        var network = new ChunkedNetwork(first => _streamEncoders[first]);
        return pieces.ThroughAsync(_config.HopLength, _shortFrames + 1, async (samples, whole) =>
            whole ? (await EncodeAsync(samples, codebooks, null, cancel).ConfigureAwait(false)).Chunks[0]
            : (await network.RunAsync("samples", samples, cancel).ConfigureAwait(false)).Get<long>("codes").TakeRows(codebooks), cancel);
    }

    /// <summary>Samples (1, channels, T) of codes that come in pieces (1, Q, T).</summary>
    public IAsyncEnumerable<Tensor<float>> DecodeAsync(IAsyncEnumerable<Tensor<long>> pieces, CancellationToken cancel)
    {
        var network = new ChunkedNetwork(first => _streamDecoders[first]);
        return pieces.ThroughAsync(1, _shortFrames + 1, async (codes, whole) =>
            whole ? await DecodeAsync(new EncodecEncoding([codes], null), cancel).ConfigureAwait(false)
            : (await network.RunAsync("latent", Dequantize(codes), cancel).ConfigureAwait(false))["reconstruction"], cancel);
    }

    public void Dispose()
    {
        _streamEncoders.Dispose();
        _streamDecoders.Dispose();
        _encoder.Dispose();
        _decoder.Dispose();
    }

    private bool Short(long samples) => samples <= (long)_shortFrames * _config.HopLength;

    private Network BuildEncoder(Dim samples) => Network.Build(_context, "encodec encoder", scope => Encoder(scope, Dim.Symbol("batch"), samples, _config));

    private Network BuildDecoder(Dim frames) => Network.Build(_context, "encodec decoder", scope => Decoder(scope, Dim.Symbol("batch"), frames, _config));

    private static void Encoder(Scope scope, Dim batch, Dim samples, EncodecConfig config, StreamState? stream = null)
    {
        var x = scope.Graph.Input("samples", [batch, config.AudioChannels, samples]);
        var latent = scope.Stage("latent", SeaNet.Encode(scope["encoder"], x, config.SeaNet, stream));
        var codebooks = Enumerable.Range(0, config.NumQuantizers).Select(i => Codebook.Stored(scope["quantizer.layers"][i]["codebook"], config.CodebookSize, config.HiddenSize)).ToArray();
        scope.Graph.Output("codes", ValueShape.Stack(1, EuclideanQuantizer.Quantize(latent, codebooks)));
    }

    private static void Decoder(Scope scope, Dim batch, Dim frames, EncodecConfig config, StreamState? stream = null)
    {
        var z = scope.Graph.Input("latent", [batch, config.HiddenSize, frames]);
        scope.Graph.Output("reconstruction", SeaNet.Decode(scope["decoder"], z, config.SeaNet, stream));
    }

    // The sum of the codebooks' rows: codes (B, Q, T) -> (B, D, T).
    private Tensor<float> Dequantize(Tensor<long> codes)
    {
        var (batch, codebooks, frames, width) = ((int)codes.Shape[0], (int)codes.Shape[1], (int)codes.Shape[2], _config.HiddenSize);
        var latent = Tensor.Zeros<float>(batch, width, frames);
        var sum = new float[width];
        for (var b = 0; b < batch; b++)
        {
            for (var t = 0; t < frames; t++)
            {
                Array.Clear(sum);
                for (var q = 0; q < codebooks; q++) TensorPrimitives.Add(sum, _codebooks[q].Span<float>().Slice((int)codes[b, q, t] * width, width), sum);
                for (var d = 0; d < width; d++) latent.Span[(b * width + d) * frames + t] = sum[d];
            }
        }

        return latent;
    }

    // Divides each batch row by the root mean square of its mono mix, masked samples counting as zeros.
    private static float[] Normalize(Tensor<float> chunk)
    {
        var (channels, length) = ((int)chunk.Shape[1], (int)chunk.Shape[2]);
        var scales = new float[chunk.Shape[0]];
        for (var b = 0; b < scales.Length; b++)
        {
            var row = chunk.Slice(b);
            var mono = new float[length];
            for (var c = 0; c < channels; c++) TensorPrimitives.Add(mono, row.Slice(c).Span, mono);
            TensorPrimitives.Divide(mono, channels, mono);
            scales[b] = MathF.Sqrt(TensorPrimitives.SumOfSquares(mono) / length) + 1e-8f;
            TensorPrimitives.Divide(row.Span, scales[b], row.Span);
        }

        return scales;
    }

    private static void Scale(Tensor<float> samples, ReadOnlySpan<float> scales)
    {
        for (var b = 0; b < samples.Shape[0]; b++) TensorPrimitives.Multiply(samples.Slice(b).Span, scales[b], samples.Slice(b).Span);
    }

    // Triangular weights 1/2 - |t - 1/2| at t = 1/(n+1) .. n/(n+1), divided by their sum.
    private static Tensor<float> OverlapAdd(List<Tensor<float>> frames, int stride)
    {
        var length = (int)frames[0].Shape[2];
        var weight = new float[length];
        for (var i = 0; i < length; i++) weight[i] = (float)(0.5 - Math.Abs((i + 1) / (length + 1.0) - 0.5));
        var total = stride * (frames.Count - 1) + (int)frames[^1].Shape[2];
        var (batch, channels) = (frames[0].Shape[0], frames[0].Shape[1]);
        var sum = Tensor.Zeros<float>(batch, channels, total);
        var weights = new float[total];
        for (var i = 0; i < frames.Count; i++)
        {
            var n = (int)frames[i].Shape[2];
            TensorPrimitives.Add(weights.AsSpan(i * stride, n), weight.AsSpan(0, n), weights.AsSpan(i * stride, n));
            for (var row = 0; row < batch * channels; row++)
                TensorPrimitives.MultiplyAdd(frames[i].Span.Slice(row * n, n), weight.AsSpan(0, n), sum.Span.Slice(row * total + i * stride, n), sum.Span.Slice(row * total + i * stride, n));
        }

        for (var row = 0; row < batch * channels; row++) TensorPrimitives.Divide(sum.Span.Slice(row * total, total), weights, sum.Span.Slice(row * total, total));
        return sum;
    }

    // "name [a, b]" -> a b
    private static long Elements(string line) => line[(line.IndexOf('[') + 1)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Aggregate(1L, (product, extent) => product * long.Parse(extent));
}
