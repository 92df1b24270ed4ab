// From Pixels to Tokens: Byte-Pair Encoding on Quantized Visual Modalities. Zhang, Xie, Feng, Li, Xing, Zheng, Lu. arXiv:2410.02155. github.com/BeingBeyond/Being-VL-0.5
// Published layout: vbpe.pkl, a list of merges ((a, b), new). Deviations: tokens remember which way each first merge went, so that they decode to the same grid.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The arguments of the authors' class.</summary>
public sealed record BpeImageConfig
{
    /// <summary>Ids of the grid's own tokenizer.</summary>
    [Range(1, 1 << 24)] public int InitSize { get; init; } = 8192;
    /// <summary>First id of pictures in the language model's vocabulary.</summary>
    public int VocabPad { get; init; } = 128261;
    /// <summary>First id of merges in the language model's vocabulary.</summary>
    public int VocabEnd { get; init; } = 136453;
}

/// <summary>Options of the merging.</summary>
public sealed record BpeImageOptions : ModelOptions
{
    /// <summary>Number of merges; null for all.</summary>
    [Description("Apply only the first so many merges; all of them when left out.")]
    [Range(0, 1 << 24)]
    public int? Merges { get; init; }
}

/// <summary>Byte-pair encoding of grids of picture codes: tokens in, fewer tokens out, and back.</summary>
public sealed class BpeImageTokenizerModel : IModel, ITokenize<Tokens, BpeImageOptions>, IReferenceCalls
{
    private const int Side = 32;
    private const string Shape = "shape", Below = "below";

    private readonly BpeImageConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly GridPairEncoding _merges;
    private readonly TokenSpace _space;

    private BpeImageTokenizerModel(ModelSource source, BpeImageConfig config, Checkpoint checkpoint)
    {
        (_config, _checkpoint) = (config, checkpoint);
        _merges = new(config.InitSize, Read(checkpoint));
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join(';', _merges.Merges))));
        _space = new(source.Id.ToString(), TokenLayout.Flat, [config.InitSize + _merges.Merges.Count], digest);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/bpe-image-tokenizer",
            Paper = "From Pixels to Tokens: Byte-Pair Encoding on Quantized Visual Modalities",
            ArXiv = "2410.02155",
            Authors = ["Wanpeng Zhang", "Zilong Xie", "Yicheng Feng", "Yijiang Li", "Xingrun Xing", "Sipeng Zheng", "Zongqing Lu"],
            Repository = "BeingBeyond/Being-VL-0.5",
            CodeLicense = "MIT",
            Inputs = [Modality.Tokens],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: vbpe.pkl and config.json"],
            Deviations = "Tokens remember which way each first merge went, so that they decode to the same grid.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        MappedBytes = _checkpoint.Files.Sum(file => new FileInfo(file).Length),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("codes", _config.InitSize.ToString(CultureInfo.InvariantCulture)), new("merges", _merges.Merges.Count.ToString(CultureInfo.InvariantCulture))],
    };

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Tokens media, BpeImageOptions options, CancellationToken cancel = default)
    {
        var ids = media.Ids;
        if (ids.Rank != 2) throw new MediaException(ErrorCodes.TokensInvalid, "Merging takes one grid of codes.") { Expected = "(rows, columns)", Found = ids.ToString() };
        if (ids.Span.ContainsAnyExceptInRange(0, _config.InitSize - 1)) throw new MediaException(ErrorCodes.TokensInvalid, "A code is outside of the vocabulary that merges were learned on.") { Expected = $"0..{_config.InitSize - 1}" };
        var (rows, columns) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var (sequence, below) = _merges.Encode(ids.Span, rows, columns, options.Merges ?? _merges.Merges.Count);
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(sequence, sequence.Length))
        {
            SourceLength = ids.Length,
            Extras = new Dictionary<string, Tensor> { [Shape] = Tensor.Create((long[])[rows, columns], 2), [Below] = Tensor.Create(below.Select(way => way ? 1L : 0).ToArray(), below.Length) },
        });
    }

    /// <inheritdoc/>
    public ValueTask<Tokens> DetokenizeAsync(Tokens tokens, BpeImageOptions options, CancellationToken cancel = default)
    {
        tokens.Expect(_space);
        if (tokens.Extras.GetValueOrDefault(Shape) is not Tensor<long> { Length: 2 } shape || tokens.Extras.GetValueOrDefault(Below) is not Tensor<long> below)
            throw new MediaException(ErrorCodes.TokensInvalid, "The tokens lack the shape of their grid.") { Expected = $"extras: {Shape}, {Below}" };
        var (rows, columns) = ((int)shape.Span[0], (int)shape.Span[1]);
        var grid = _merges.Decode(tokens.Ids.Span, rows, columns, below.Span);
        var space = new TokenSpace($"{_space.Model} grid", TokenLayout.Grid, [_config.InitSize], "");
        return ValueTask.FromResult(new Tokens(space, Tensor.Create(grid, rows, columns)));
    }

    /// <inheritdoc/>
    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "train" => ValueTask.FromResult(Train(arguments)),
        "encode" => ValueTask.FromResult(Encode(arguments)),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The authors' code has no call '{call}', or it is not here.") { Expected = "train, encode" },
    };

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private CallResults Train(CallArguments arguments)
    {
        var codes = arguments.Tensor<long>("codes");
        var (rows, columns) = ((int)codes.Shape[1], (int)codes.Shape[2]);
        var grids = Enumerable.Range(0, (int)codes.Shape[0]).Select(i => Ids(codes.Slice(i).Span, _config.VocabPad)).ToArray();
        var learned = GridPairEncoding.Learn(grids, rows, columns, _config.InitSize, arguments.Literal<int>("num_merges")).Merges;
        return new CallResults().Add("merges", Tensor.Create(learned.SelectMany(merge => (long[])[merge.First, merge.Second, merge.Merged]).ToArray(), learned.Count, 3));
    }

    // The language model's ids: pictures begin at one id, merges at another.
    private CallResults Encode(CallArguments arguments)
    {
        var (codes, results, start) = (arguments.Tensor<long>("codes"), new CallResults(), _config.InitSize + _config.VocabPad);
        for (var i = 0; i < codes.Shape[0]; i++)
        {
            var (sequence, _) = _merges.Encode(Ids(codes.Slice(i).Span, _config.VocabPad), Side, Side, _merges.Merges.Count);
            var ids = sequence.Select(id => id + (long)_config.VocabPad).Select(id => id >= start ? id + _config.VocabEnd - start : id).ToArray();
            results.Add($"sequence_{i}", Tensor.Create(ids, ids.Length));
        }

        return results;
    }

    private static int[] Ids(ReadOnlySpan<long> codes, int pad)
    {
        var ids = new int[codes.Length];
        for (var i = 0; i < ids.Length; i++) ids[i] = checked((int)(codes[i] - pad));
        return ids;
    }

    private static List<GridMerge> Read(Checkpoint checkpoint)
    {
        try
        {
            return [.. ((IReadOnlyList<object?>)checkpoint.Values["value"]!).Select(entry =>
            {
                var merge = (IReadOnlyList<object?>)entry!;
                var pair = (IReadOnlyList<object?>)merge[0]!;
                return new GridMerge((int)(long)pair[0]!, (int)(long)pair[1]!, (int)(long)merge[1]!);
            })];
        }
        catch (Exception error) when (error is KeyNotFoundException or InvalidCastException or ArgumentOutOfRangeException or NullReferenceException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The file holds no list of merges.", error) { Where = checkpoint.Origin, Expected = "[((a, b), new), ..]" };
        }
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(Path.Combine(source.RequireFolder(), "vbpe.pkl"));
        try
        {
            return ValueTask.FromResult<IModel>(new BpeImageTokenizerModel(source, source.ReadConfig<BpeImageConfig>(), checkpoint));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }
}
