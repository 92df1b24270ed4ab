using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>MaskGIT's sampler with given logits in the place of a network.</summary>
internal sealed class MaskGitPart(MaskGitPart.Config config) : IModel, IReferenceCalls
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static ModelArchitecture Architecture { get; } = new(
        ComputedPart.Card("components/maskgit-sampler", "MaskGIT: Masked Generative Image Transformer", "markweberdev/maskbit", Modality.Tokens), OpenAsync);

    public ModelFacts Facts { get; } = new();

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => ValueTask.FromResult(call switch
    {
        "masking_ratio" => MaskingRatio(arguments),
        "sample" => Sample(arguments),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, "The part has no such call.") { Found = call },
    });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var path = Path.Combine(source.RequireFolder(), "config.json");
        try
        {
            return new MaskGitPart(JsonSerializer.Deserialize<Config>(await File.ReadAllTextAsync(path, cancel).ConfigureAwait(false), Json) ?? throw new JsonException("null"));
        }
        catch (Exception error) when (error is JsonException or IOException)
        {
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The sampler's configuration cannot be read.", error) { Where = path, Found = error.Message };
        }
    }

    private static CallResults MaskingRatio(CallArguments arguments)
    {
        var (progress, mode) = (arguments.Tensor<float>("progress"), arguments.Literal("mode", "arccos"));
        return new CallResults().Add("ratio", Tensor.Create(Array.ConvertAll(progress.Span.ToArray(), p => MaskGitSampler.MaskingRatio(p, mode)), progress.Shape));
    }

    private CallResults Sample(CallArguments arguments)
    {
        var (conditional, unconditional) = (arguments.Tensor<float>("logits_conditional"), arguments.FindTensor<float>("logits_unconditional"));
        var options = new MaskGitOptions
        {
            Steps = arguments.Literal("num_steps", 12),
            GuidanceScale = arguments.Literal("guidance_scale", 3.0),
            GuidanceAnnealing = Enum.Parse<GuidanceAnnealing>(arguments.Literal("guidance_annealing", "none"), ignoreCase: true),
            ScalePow = arguments.Literal("scale_pow", 4.0),
            MaskSchedule = arguments.Literal("mask_schedule_strategy", "linear"),
            SoftmaxTemperature = arguments.Literal("softmax_temperature", 1.0),
            RandomizeTemperature = arguments.Literal("randomize_temperature", 4.5),
            UseSamplingAnnealing = arguments.Literal("use_sampling_annealing", false),
        };
        var (samples, positions, vocabulary) = ((int)conditional.Shape[1], (int)(conditional.Shape[2] * conditional.Shape[3]), (int)conditional.Shape[4]);
        long[] shape = [samples, options.Steps, conditional.Shape[2], conditional.Shape[3]];
        var (inputs, outputs) = (Tensor.Zeros<long>(shape), Tensor.Zeros<long>(shape));
        var draws = new GivenDraws(arguments.Tensor<float>("uniforms"), arguments.Tensor<float>("gumbel"));
        var tokens = new MaskGitSampler(samples, positions, vocabulary, config.MaskToken).Sample(Logits, draws, options, Observe);

        // The parts of a token, least significant first.
        var splits = (int)conditional.Shape[3];
        var bits = (int)Math.Round(Math.Log2(config.CodebookSize)) / splits;
        var whole = Tensor.Zeros<long>(samples, conditional.Shape[2]);
        for (var i = 0; i < tokens.Length; i++) whole.Span[i / splits] += (long)tokens[i] << (i % splits * bits);
        return new CallResults().Add("step_inputs", inputs).Add("step_tokens", outputs).Add("tokens", whole);

        void Logits(int step, ReadOnlySpan<int> current, Span<float> with, Span<float> without)
        {
            conditional.Slice(step).Span.CopyTo(with);
            if (!without.IsEmpty) unconditional!.Slice(step).Span.CopyTo(without);
        }

        void Observe(int step, int[] before, int[] after)
        {
            for (var i = 0; i < before.Length; i++)
            {
                var at = ((i / positions * options.Steps) + step) * positions + i % positions;
                (inputs.Span[at], outputs.Span[at]) = (before[i], after[i]);
            }
        }
    }

    internal sealed record Config(int MaskToken, int CodebookSize);

    private sealed class GivenDraws(Tensor<float> uniforms, Tensor<float> gumbels) : IMaskGitDraws
    {
        public void Uniforms(int step, Span<float> destination) => uniforms.Slice(step).Span.CopyTo(destination);

        public void Gumbels(int step, Span<float> destination) => gumbels.Slice(step).Span.CopyTo(destination);
    }
}
