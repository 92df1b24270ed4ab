// CAD-Tokenizer, arXiv:2509.21150: programs to codes and back, and how well they come back.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The verbs tokenize and evaluate. A program is its tokens <c>ids</c> (n) with <c>span</c> (n), the primitive that each belongs to; its tokens are the codes (k q) of its primitives.</summary>
internal sealed class CadVerbs(string model, CadTokenizer cad, CadConfig config, string digest) : ITokenize<NamedTensors, NoOptions>, IEvaluate
{
    /// <summary>Names of a program's tensors.</summary>
    public const string Ids = "ids", Span = "span";

    private const string Grammatical = "grammatical", Restored = "restored";

    private readonly TokenSpace _space = new(model, TokenLayout.Flat, [config.Codes], digest);

    public static IReadOnlyList<IMetric> Metrics { get; } =
    [
        Of("cad-grammatical", Grammatical, "Share of the programs whose codes are sketches and extrusions by the grammar (CAD-Tokenizer)."),
        Of("cad-tokens-restored", Restored, "Share of a program's tokens that decoding gives back at their places (CAD-Tokenizer)."),
    ];

    public TokenSpace Space => _space;

    public Modality Evaluates => Modality.Tensors;

    public IReadOnlyList<string> DefaultMetrics { get; } = [.. Metrics.Select(metric => metric.Name)];

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<NoOptions>();

    public ValueTask<Tokens> TokenizeAsync(NamedTensors media, NoOptions options, CancellationToken cancel = default)
    {
        var (ids, span) = (Row(media, Ids, 0, config.Vocabulary - 1), Row(media, Span, -1, config.MaxPrimitives - 1));
        if (ids.Length != span.Length || ids.Length == 0 || ids.Length > config.MaxLength)
            throw new MediaException(ErrorCodes.TensorType, "This is no program.") { Where = $"{Ids}, {Span}", Expected = $"as many of both, 1..{config.MaxLength}", Found = $"{ids.Length} and {span.Length}" };
        // Each primitive up to the last has tokens of its own.
        for (var primitive = span.Span.ToArray().Max(); primitive >= 0; primitive--)
        {
            if (!span.Span.Contains(primitive)) throw new MediaException(ErrorCodes.MediaMalformed, "A primitive has no tokens.") { Where = Span, Expected = "each number up to the highest", Found = $"no {primitive}" };
        }

        if (!span.Span.ContainsAnyExcept(-1L)) throw new MediaException(ErrorCodes.MediaMalformed, "The program has no primitives.") { Where = Span };
        var codes = (Tensor<long>)cad.Encode(ids.Reshape(1, ids.Length), span.Reshape(1, span.Length), cancel).Find("codes")!;
        int[] tokens = [.. codes.Span.ToArray().Select(code => (int)code)];
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(tokens, tokens.Length)) { SourceLength = ids.Length });
    }

    public ValueTask<NamedTensors> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default)
    {
        var codes = tokens.Expect(_space).Ids.Span.ToArray();
        if (codes.Length == 0 || codes.Length % config.CodesPerPrimitive != 0 || codes.Length > config.MaxPrimitives * config.CodesPerPrimitive)
            throw new MediaException(ErrorCodes.TokensInvalid, "These are not the codes of a program.") { Expected = $"a multiple of {config.CodesPerPrimitive}, up to {config.MaxPrimitives * config.CodesPerPrimitive}", Found = $"{codes.Length}" };
        var sequence = cad.Decode(Tensor.Create([.. codes.Select(code => (long)code)], 1, codes.Length), greedy: true, cancel);
        return ValueTask.FromResult(new NamedTensors(new Dictionary<string, Tensor> { [Ids] = sequence.Reshape(sequence.Length) }));
    }

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var program = example.Media.Expect<NamedTensors>();
            var tokens = await TokenizeAsync(program, new(), cancel).ConfigureAwait(false);
            var again = ((Tensor<long>)(await DetokenizeAsync(tokens, new(), cancel).ConfigureAwait(false)).Values[Ids]).Span.ToArray();
            var ids = Row(program, Ids, 0, config.Vocabulary - 1).Span.ToArray();
            var restored = ids.Zip(again).Count(pair => pair.First == pair.Second) / (double)ids.Length;
            yield return new(example.Id, program, new NamedTensors(new Dictionary<string, Tensor>
            {
                [Ids] = Tensor.Create(again, again.Length),
                [Grammatical] = Tensor.Create([cad.Accepts(tokens.Ids.Span) ? 1.0 : 0], 1),
                [Restored] = Tensor.Create([restored], 1),
            })) { Tokens = tokens, Label = example.Label };
        }
    }

    private static MeanMetric Of(string name, string tensor, string description) =>
        new(name, "", true, description, observation => (observation.Output as NamedTensors)?.Values.GetValueOrDefault(tensor) is Tensor<double> { Length: 1 } value ? value.Span[0] : null);

    private static Tensor<long> Row(NamedTensors media, string name, long least, long most)
    {
        var tensor = media.Values.GetValueOrDefault(name) ?? throw new MediaException(ErrorCodes.MediaUnsupported, "A program needs a tensor.") { Where = name, Expected = $"{Ids} and {Span}", Found = string.Join(", ", media.Values.Keys) };
        if (tensor is not (Tensor<long> or Tensor<int>)) throw new MediaException(ErrorCodes.TensorType, "A program is whole numbers.") { Where = name, Expected = "int32 or int64", Found = tensor.Type.ToString() };
        long[] row = tensor is Tensor<int> small ? [.. small.Span.ToArray()] : ((Tensor<long>)tensor).Span.ToArray();
        foreach (var value in row)
        {
            if (value < least || value > most) throw new MediaException(ErrorCodes.TokensInvalid, "A number is outside of its range.") { Where = name, Expected = $"{least}..{most}", Found = $"{value}" };
        }

        return Tensor.Create(row, row.Length);
    }
}
