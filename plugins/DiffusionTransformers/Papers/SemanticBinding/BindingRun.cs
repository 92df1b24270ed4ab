using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

/// <summary>What is read in a run, each (1, M, E): the prompt, what is avoided, the prompt without attributes, and each thing with its own; pooled (2, P) and sizes (2, 6) of what is avoided and of the prompt.</summary>
internal sealed record BindingTexts(Tensor<float> Asked, Tensor<float> Avoided, Tensor<float> Merged, IReadOnlyList<Tensor<float>> Anchors, Tensor<float> Pooled, Tensor<float> Sizes);

/// <summary>The state of one sampling: the prompt, which the first steps change, and a sample for each thing alone.</summary>
internal sealed class BindingRun
{
    private const float TokenStep = 10000;

    private readonly UNet.UNet _unet;
    private readonly BindingLosses _losses;
    private readonly BindingOptions _options;
    private readonly AddedConditions _added, _unpooled;
    private readonly Tensor<float> _avoided, _merged;
    private readonly int[] _nouns;
    private readonly List<Anchor> _anchors;
    private readonly int _steps;

    private readonly List<Tensor<float>> _tokens = [], _latents = [], _texts = [];
    private readonly List<float> _entropies = [];
    private Tensor<float>? _afterEot;

    // What is avoided and what is asked for, (2, M, E).
    private Tensor<float> _text;
    private int _step;

    /// <summary>Begins a run.</summary>
    /// <param name="scheduler">A scheduler at the start of the run, for each thing's own sample.</param>
    /// <param name="latents">What every sample starts from (1, C, H, W).</param>
    public BindingRun(UNet.UNet unet, BindingLosses losses, BindingOptions options, BindingTexts texts, Func<IScheduler> scheduler, Tensor<float> latents)
    {
        (_unet, _losses, _options, _steps) = (unet, losses, options, scheduler().Timesteps.Length);
        _added = new(texts.Pooled, texts.Sizes);
        _unpooled = new(Tensor.Zeros<float>(1, texts.Pooled.Shape[1]), Batch.SecondHalf(texts.Sizes));
        (_avoided, _merged) = (texts.Avoided, texts.Merged);
        _text = Batch.Concat(_avoided, options.TokenRefinements > 0 ? Prompts.Merge(texts.Asked, options.Groups) : texts.Asked);
        _nouns = [.. options.Groups.Select(group => group[0][0])];
        _anchors = [.. texts.Anchors.Select((prompt, i) => new Anchor(_nouns[i], prompt, scheduler(), latents))];
    }

    /// <summary>Whether any step refines anything.</summary>
    public bool Updates => _options.TokenSteps > 0 || _options.AttentionSteps > 0;

    /// <summary>What the steps so far have changed.</summary>
    public CallResults Results
    {
        get
        {
            var results = new CallResults();
            if (_afterEot is not null) results.Add("embeds_after_eot", _afterEot);
            if (_tokens.Count > 0) results.Add("refined_tokens", Batch.Stack(_tokens));
            if (_latents.Count == 0) return results;
            return results.Add("entropy_loss", Tensor.Create<float>([.. _entropies], _entropies.Count)).Add("refined_latents", Batch.Concat([.. _latents])).Add("refined_embeds", Batch.Stack(_texts));
        }
    }

    /// <summary>The guided prediction for a scaled sample (1, C, H, W), once this step's refinements are done.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float timestep, CancellationToken cancel)
    {
        var step = _step++;
        if (step == _options.EotReplaceStep) ReplaceEndOfText();
        if (step < _options.TokenSteps)
        {
            foreach (var anchor in _anchors) await BindAsync(anchor, timestep, cancel).ConfigureAwait(false);
        }

        if (step < _options.AttentionSteps) sample = await RefineAsync(sample, timestep, step, cancel).ConfigureAwait(false);
        var noise = (await _unet.RunAsync(Batch.Doubled(sample), Batch.Filled(1, timestep), _text, _added, cancel).ConfigureAwait(false))["noise"];
        return Guide(Batch.FirstHalf(noise), Batch.SecondHalf(noise), _options.Guidance);
    }

    private void ReplaceEndOfText()
    {
        var (asked, start) = (Batch.SecondHalf(_text), (_options.PromptLength + 1) * (int)_text.Shape[^1]);
        _merged.Span[start..asked.Length].CopyTo(asked.Span[start..]);
        _afterEot = Batch.Copy(asked);
    }

    // A thing's token alone shall predict what its own prompt predicts (equation 4). The thing's sample then moves on, away from the prompt, as published; it stays scaled from step to step.
    private async Task BindAsync(Anchor anchor, float timestep, CancellationToken cancel)
    {
        var sample = anchor.Scaled();
        var target = await NoiseAsync(sample, timestep, anchor.Prompt, cancel).ConfigureAwait(false);
        var place = Prompts.Token(Batch.SecondHalf(_text), anchor.Position);
        var token = Batch.Copy(place);
        for (var i = 0; i < Math.Max(_options.TokenRefinements, 1); i++)
        {
            var gradient = await _losses.SemanticGradientAsync(sample, timestep, token, target, _unpooled, cancel).ConfigureAwait(false);
            token = Batch.AddScaled(token, -TokenStep, gradient);
        }

        token.Span.CopyTo(place.Span);
        _tokens.Add(new(token.Memory, [token.Length]));
        var nothing = await NoiseAsync(sample, timestep, _avoided, cancel).ConfigureAwait(false);
        anchor.Advance(Guide(nothing, target, -_options.Guidance), sample);
    }

    // Sample and text follow the entropy's gradients until it is low enough (equation 5).
    private async Task<Tensor<float>> RefineAsync(Tensor<float> sample, float timestep, int step, CancellationToken cancel)
    {
        var (size, threshold, most, loss) = (_options.StepSize(step, _steps), _options.Threshold(step), _options.MostRefinements(timestep), double.PositiveInfinity);
        for (var i = 0; i < Math.Max(most, 1) && !(loss < threshold); i++)
        {
            var (entropy, ofSample, ofText) = await _losses.EntropyAsync(sample, timestep, Batch.SecondHalf(_text), _nouns, _options.PromptLength, _options.AttentionResolution, _unpooled, cancel).ConfigureAwait(false);
            loss = entropy;
            sample = Batch.AddScaled(sample, (float)(-0.5 * size), ofSample);
            _text = Batch.Concat(_avoided, Batch.AddScaled(Batch.SecondHalf(_text), (float)-size, ofText));
        }

        _entropies.Add((float)loss);
        _latents.Add(sample);
        _texts.Add(Batch.Copy(_text));
        return sample;
    }

    private async Task<Tensor<float>> NoiseAsync(Tensor<float> sample, float timestep, Tensor<float> text, CancellationToken cancel) =>
        (await _unet.RunAsync(sample, Batch.Filled(1, timestep), text, _unpooled, cancel).ConfigureAwait(false))["noise"];

    private Tensor<float> Guide(Tensor<float> avoided, Tensor<float> asked, float scale)
    {
        var result = Tensor.Zeros<float>(asked.Shape);
        new ClassifierFreeGuidance(scale) { Rescale = _options.GuidanceRescale }.Apply(asked.Span, avoided.Span, SampleShape.Of(asked.Shape), 0, result.Span);
        return result;
    }

    /// <summary>A thing alone: where its token stands, its own prompt (1, M, E), and its own sample on its own way.</summary>
    private sealed class Anchor(int position, Tensor<float> prompt, IScheduler scheduler, Tensor<float> sample)
    {
        private Tensor<float> _sample = sample;

        public int Position => position;

        public Tensor<float> Prompt => prompt;

        public Tensor<float> Scaled()
        {
            var scaled = Tensor.Zeros<float>(_sample.Shape);
            scheduler.ScaleModelInput(_sample.Span, scaled.Span);
            return scaled;
        }

        public void Advance(Tensor<float> noise, Tensor<float> from)
        {
            _sample = Batch.Copy(from);
            scheduler.Step(new(noise.Span, _sample.Span, SampleShape.Of(from.Shape), NoNoise.Instance));
        }
    }
}
