// Discriminative Class Tokens for Text-to-Image Diffusion Models. Schwartz, Snæbjarnarson, Chefer, Cotterell, Belongie, Wolf, Benaim. arXiv:2303.17155. github.com/idansc/discriminative_class_tokens
// Published layout: a Stable Diffusion pipeline's folder (text_encoder, unet, vae, scheduler), a classifier (ViTForImageClassification) and the learned token's file. Deviations: pictures have the classifier's own size.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.DiscriminativeTokens;

/// <summary>Stable Diffusion with one word that a classifier taught it.</summary>
public static class DiscriminativeTokensModel
{
    private const string Placeholder = "<*>";

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/discriminative-class-tokens",
            Paper = "Discriminative Class Tokens for Text-to-Image Diffusion Models",
            ArXiv = "2303.17155",
            Authors = ["Idan Schwartz", "Vésteinn Snæbjarnarson", "Hila Chefer", "Ryan Cotterell", "Serge Belongie", "Lior Wolf", "Sagie Benaim"],
            Repository = "idansc/discriminative_class_tokens",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers pipeline + classifier/ + the authors' token file"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        string Part(string name) => Path.Combine(source.RequireFolder(), name);
        var scheduler = SchedulerConfigs.Parse(File.ReadAllText(Part("scheduler/scheduler_config.json")));
        var (clip, unet) = (PublishedConfig.Read<ClipTextConfig>(Part("text_encoder")).Value, PublishedConfig.Read<UNetConfig>(Part("unet")).Value);
        var (vae, vit) = (PublishedConfig.Read<AutoencoderKlConfig>(Part("vae")).Value, PublishedConfig.Read<VitConfig>(Part("classifier")).Value);
        return Weights.Guarded(Checkpoint.Open(Part("text_encoder")), words =>
        {
            Checkpoint[] files = [words, Checkpoint.Open(Part("unet")), Checkpoint.Open(Part("vae")), Checkpoint.Open(Part("classifier")), Checkpoint.Open(Part("token"))];
            NetworkContext Context(ITensorSource weights) => NetworkContext.Of(source, weights) with { Stages = false };
            var text = new TokenEncoder(Context(files[0]), clip, WeightConversion.ToFloat32(files[4].Get(files[4].Tensors.Single().Name)));
            var denoiser = new GuidedNoise(Context(files[1]), unet);
            var judge = new PictureJudge(Context(files[2]), vae, Context(files[3]), vit);
            var calls = new DiscriminativeTokensCalls(text, denoiser, judge, scheduler);
            var network = new UNet.UNet(Context(files[1]), unet);
            var placeholder = clip.VocabSize - 1;
            var generator = pipeline.Find("tokenizer") is null ? null : StableDiffusion.Over<TextOptions>(pipeline, unet, _ => StableDiffusion.Denoiser(network),
                (prompts, _, prompt, _, token) => text.EncodeAsync(Ids(prompts, prompt, placeholder), token))?.Open(pipeline);
            return PublishedModel.Generating(files, [text, denoiser, judge, network], calls.CallAsync, generator);
        });
    }

    // The learned word stands in prompts as <*>; what is too long is cut before the end.
    private static Tensor<long> Ids(ClipPrompts prompts, string prompt, long placeholder)
    {
        var (length, framed) = ((int)prompts.Config.MaxPositionEmbeddings, prompts.Ids(""));
        var parts = prompt.Split(Placeholder);
        List<long> ids = [framed.Span[0], .. parts.SelectMany((part, i) => i == 0 ? prompts.Words.Encode(part) : [placeholder, .. prompts.Words.Encode(part)])];
        if (ids.Count > length - 1) ids.RemoveRange(length - 1, ids.Count - (length - 1));
        // The end and the filling of an empty prompt.
        ids.Add(framed.Span[1]);
        while (ids.Count < length) ids.Add(framed.Span[^1]);
        return Tensor.Create<long>([.. ids], 1, length);
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class DiscriminativeTokensCalls(TokenEncoder text, GuidedNoise denoiser, PictureJudge judge, ISchedulerConfig scheduler)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "generate" => GenerateAsync(arguments, cancel),
        "classify" => ClassifyAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "generate, classify"),
    };

    private async Task<CallResults> GenerateAsync(CallArguments arguments, CancellationToken cancel)
    {
        var run = await SampleAsync(arguments, cancel).ConfigureAwait(false);
        var picture = await judge.DecodeAsync(run.States[^1], cancel).ConfigureAwait(false);
        return new CallResults().Add("timesteps", Tensor.Create<long>([.. run.Times.Select(time => (long)time)], run.Times.Count)).Add("prompt_embeds", run.Text)
            .Add("trajectory", Batch.Stack([.. run.States.Skip(1)])).Add("image", picture);
    }

    // The gradient of the classifier's loss goes back through the picture, the last steps of the sampler and the prompt, to the learned word.
    private async Task<CallResults> ClassifyAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (steps, scale) = (Steps(arguments), Scale(arguments));
        var run = await SampleAsync(arguments, cancel).ConfigureAwait(false);
        var judged = await judge.JudgeAsync(run.States[^1], arguments.Literal<long>("class_index"), cancel).ConfigureAwait(false);
        var linear = StepCoefficients.Of(scheduler, steps, run.Times.Count);
        var first = steps - 1;
        var (ofState, ofText) = (judged.Gradient, Tensor.Zeros<float>(run.Text.Shape));
        var ofNoise = new Tensor<float>?[run.Times.Count];
        for (var i = run.Times.Count - 1; i >= first; i--)
        {
            for (var j = first; j <= i; j++) ofNoise[j] = Batch.AddScaled(ofNoise[j] ?? Tensor.Zeros<float>(ofState.Shape), linear.Noise[i, j], ofState);
            var (ofSample, ofPrompt) = await denoiser.BackwardAsync(run.States[i], run.Times[i], run.Text, scale, ofNoise[i]!, cancel).ConfigureAwait(false);
            ofState = Batch.AddScaled(ofSample, linear.State[i], ofState);
            ofText = Batch.AddScaled(ofText, 1, ofPrompt);
        }

        var gradient = await text.BackwardAsync(arguments.Tensor<long>("input_ids"), Batch.SecondHalf(ofText), cancel).ConfigureAwait(false);
        return new CallResults().Add("logits", judged.Logits).Add("loss", judged.Loss).Add("token_gradient", gradient);
    }

    private async Task<(List<Tensor<float>> States, List<float> Times, Tensor<float> Text)> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var prompts = Batch.Concat(await text.EncodeAsync(arguments.Tensor<long>("uncond_input_ids"), cancel).ConfigureAwait(false), await text.EncodeAsync(arguments.Tensor<long>("input_ids"), cancel).ConfigureAwait(false));
        var (latents, times) = (arguments.Tensor<float>("latents"), new List<float>());
        var states = await GuidedLoop.RunAsync(scheduler, latents, Steps(arguments), Scale(arguments), async (sample, time) =>
        {
            times.Add(time);
            return await denoiser.PredictAsync(sample, time, prompts, cancel).ConfigureAwait(false);
        }, cancel).ConfigureAwait(false);
        return ([latents, .. states], times, prompts);
    }

    private static int Steps(CallArguments arguments) => arguments.Literal("num_inference_steps", 30);

    private static double Scale(CallArguments arguments) => arguments.Literal("guidance_scale", 7.0);
}

/// <summary>How a state follows from the one before and from the noise predicted so far; schedulers of this kind are linear in all of them.</summary>
/// <param name="State">For each step the factor of the state before it.</param>
/// <param name="Noise">For each step the factor of each prediction.</param>
internal sealed record StepCoefficients(float[] State, float[,] Noise)
{
    /// <summary>The factors of a scheduler, found by what it makes of ones.</summary>
    public static StepCoefficients Of(ISchedulerConfig config, int steps, int count)
    {
        var result = new StepCoefficients(new float[count], new float[count, count]);
        for (var source = 0; source <= count; source++)
        {
            // The last round puts a one into every state, the others into one prediction.
            var scheduler = config.Create();
            scheduler.SetTimesteps(new(steps));
            for (var i = 0; i < count; i++)
            {
                Span<float> sample = [source == count ? 1 : 0];
                scheduler.Step(new([source == i ? 1 : 0], sample, new(1, 1, 1), NoNoise.Instance));
                if (source == count) result.State[i] = sample[0];
                else result.Noise[i, source] = sample[0];
            }
        }

        return result;
    }
}
